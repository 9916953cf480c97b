-- Old sessions go when new ones come, so that no other job has to remember to do it.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION sweep_sessions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM sessions WHERE expires_at < now() - interval '1 day';
    RETURN NULL;
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER sweep_sessions AFTER INSERT ON sessions
FOR EACH STATEMENT EXECUTE FUNCTION sweep_sessions();

-- +goose Down
DROP TRIGGER sweep_sessions ON sessions;
DROP FUNCTION sweep_sessions();
