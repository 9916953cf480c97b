-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION keep_verification() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.verified_at IS NOT NULL AND NEW.verified_at IS NULL THEN
        RAISE EXCEPTION 'a verified person stays verified';
    END IF;
    RETURN NEW;
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER keep_verification BEFORE UPDATE ON credentials
FOR EACH ROW EXECUTE FUNCTION keep_verification();

-- +goose Down
DROP TRIGGER keep_verification ON credentials;
DROP FUNCTION keep_verification();
