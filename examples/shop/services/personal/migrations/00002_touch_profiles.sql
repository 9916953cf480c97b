-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION touch_profile() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER touch_profile BEFORE UPDATE ON profiles
FOR EACH ROW EXECUTE FUNCTION touch_profile();

-- +goose Down
DROP TRIGGER touch_profile ON profiles;
DROP FUNCTION touch_profile();
