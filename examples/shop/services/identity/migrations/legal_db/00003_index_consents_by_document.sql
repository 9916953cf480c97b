-- A concurrent build that fails leaves an invalid index behind: the first statement clears it for the next try.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS consents_by_document;

CREATE INDEX CONCURRENTLY consents_by_document ON consents (document);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS consents_by_document;
