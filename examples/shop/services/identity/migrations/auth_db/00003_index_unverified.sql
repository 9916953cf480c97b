-- A concurrent build that fails leaves an invalid index behind: the first statement clears it for the next try.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS credentials_unverified;

CREATE INDEX CONCURRENTLY credentials_unverified ON credentials (created_at) WHERE verified_at IS NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS credentials_unverified;
