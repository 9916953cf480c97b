-- A concurrent build that fails leaves an invalid index behind: the first statement clears it for the next try.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS sessions_by_account;

CREATE INDEX CONCURRENTLY sessions_by_account ON sessions (account_id);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS sessions_by_account;
