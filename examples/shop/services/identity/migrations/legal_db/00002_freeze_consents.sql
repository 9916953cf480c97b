-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION freeze_consent() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a consent that was given is not changed';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER freeze_consent BEFORE UPDATE ON consents
FOR EACH ROW EXECUTE FUNCTION freeze_consent();

-- +goose Down
DROP TRIGGER freeze_consent ON consents;
DROP FUNCTION freeze_consent();
