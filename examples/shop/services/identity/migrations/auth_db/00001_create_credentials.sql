-- The person's row is in identity_db: no foreign key can point there.

-- +goose Up
CREATE TABLE credentials (
    person_id bigint PRIMARY KEY,
    verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE credentials;
