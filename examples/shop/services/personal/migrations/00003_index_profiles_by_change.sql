-- A concurrent build that fails leaves an invalid index behind: the first statement clears it for the next try.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS profiles_by_change;

CREATE INDEX CONCURRENTLY profiles_by_change ON profiles (changed_at);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS profiles_by_change;
