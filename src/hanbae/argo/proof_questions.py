"""The one question in SQL that the deployer may have goose ask a database, beside its status.

goose has no command that asks a database anything. So the question is written like a migration that is run without
being recorded, and the answer is the error with which it ends: nothing of it can stay, and it may not write either.
The answer is read by :mod:`hanbae.migrations.drifts`.
"""

from __future__ import annotations

from typing import Final

DRIFT_FILE: Final = "00001_drift.sql"
"""Name of the question's file, as goose wants it."""
# `setting` and `path` are read before `search_path` is narrowed to pg_catalog: from then on no
# function of the database can pose as one of PostgreSQL's own. Each LIMIT keeps the answer, a line
# of a log, short.
DRIFT_STATEMENT: Final = """\
DO $hanbae$
DECLARE
  setting text := pg_catalog.current_setting('search_path');
  path text[] := pg_catalog.current_schemas(false);
  home text;
  versions jsonb;
  tables jsonb := '{}';
  invalid jsonb;
BEGIN
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
  FOR home IN
    SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = 'goose_db_version' AND c.relkind = 'r'
       AND (n.nspname::text = ANY (path) OR n.nspname::text = 'public')
       AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
     ORDER BY 1 LIMIT 10
  LOOP
    EXECUTE format(
      'SELECT jsonb_agg(version_id) FROM (SELECT DISTINCT ON (version_id) version_id, is_applied'
      ' FROM %I.goose_db_version ORDER BY version_id DESC, id DESC LIMIT 1000) newest WHERE is_applied',
      home) INTO versions;
    tables := tables || jsonb_build_object(home, coalesce(versions, '[]'));
  END LOOP;
  SELECT coalesce(jsonb_agg(name), '[]') INTO invalid FROM (
    SELECT format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT i.indisvalid AND c.relkind = 'i'
       AND (n.nspname::text = ANY (path) OR n.nspname::text = 'public')
       AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
         WHERE p.datname = current_database() AND coalesce(nullif(p.index_relid, 0), c.oid) = c.oid)
     ORDER BY 1 LIMIT 20) unusable;
  RAISE EXCEPTION 'hanbae drift %', jsonb_build_object(
    'setting', setting, 'path', path, 'tables', tables, 'invalid', invalid) USING ERRCODE = 'ZH001';
END
$hanbae$"""
"""The question as PostgreSQL takes it; its answer has a SQLSTATE that PostgreSQL leaves to its users.

An index that somebody is building now is not unusable yet.
"""
DRIFT: Final = f"""\
-- +goose Up
SET TRANSACTION READ ONLY;
SET LOCAL statement_timeout = '20s';
SET LOCAL lock_timeout = '5s';
-- +goose StatementBegin
{DRIFT_STATEMENT};
-- +goose StatementEnd
"""
"""The question as goose takes it; the deployer's admission policy knows it word for word."""
