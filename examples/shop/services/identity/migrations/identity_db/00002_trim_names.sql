-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION trim_name() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := btrim(NEW.name);
    IF NEW.name = '' THEN
        RAISE EXCEPTION 'a person needs a name';
    END IF;
    RETURN NEW;
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER trim_name BEFORE INSERT OR UPDATE ON people
FOR EACH ROW EXECUTE FUNCTION trim_name();

-- +goose Down
DROP TRIGGER trim_name ON people;
DROP FUNCTION trim_name();
