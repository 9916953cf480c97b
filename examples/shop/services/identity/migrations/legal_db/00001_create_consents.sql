-- +goose Up
CREATE TABLE consents (
    person_id bigint NOT NULL,
    document text NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, document)
);

-- +goose Down
DROP TABLE consents;
