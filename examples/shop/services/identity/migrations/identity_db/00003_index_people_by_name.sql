-- A concurrent build that fails leaves an invalid index behind: the first statement clears it for the next try.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS people_by_name;

CREATE INDEX CONCURRENTLY people_by_name ON people (name);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS people_by_name;
