package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// report is the proof: one line of JSON on standard output. What is null has not been read.
type report struct {
	Kind    string `json:"kind"`
	Format  int    `json:"format"`
	Command string `json:"command"`
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Table   string `json:"table"`
	// Version is the highest that the database has, 0 for none.
	Version *int64 `json:"version"`
	// Applied and Reverted are what this run has done.
	Applied  []int64 `json:"applied"`
	Reverted []int64 `json:"reverted"`
	// Pending are versions of files that the database has not; Untracked are versions of the database without a file.
	Pending   []int64 `json:"pending"`
	Untracked []int64 `json:"untracked"`
	// Halves are null while another run is under way: what it is in the middle of is not broken off.
	Halves []half `json:"half_applied"`
	// Invalid are indexes that a CREATE INDEX CONCURRENTLY has left behind, and that nobody is building.
	Invalid    []string `json:"invalid_indexes"`
	SearchPath string   `json:"search_path"`
	Server     string   `json:"server"`
	// Waited is the time in seconds until the lock was there.
	Waited float64 `json:"waited_s"`
}

// state is what the session sees of the database.
type state struct {
	versions   []int64
	halves     []half
	underway   bool
	invalid    []string
	searchPath string
	server     string
}

const (
	invalidIndexes = `SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE NOT i.indisvalid AND c.relkind = 'i'`
	// unlessBuilt leaves out what somebody is building now, where the server tells (PostgreSQL 12).
	unlessBuilt = ` AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
    WHERE p.datname = current_database() AND coalesce(nullif(p.index_relid, 0), c.oid) = c.oid)`
)

// look reads; whoever has the lock takes away first what is recorded of a migration that has ended after all.
func (own *session) look(ctx context.Context, tidy bool) (state, error) {
	var current state
	var versions, record, progress bool
	if err := own.leave(ctx); err != nil {
		return current, err
	}
	err := own.conn.QueryRow(ctx, `SELECT current_setting('search_path'), current_setting('server_version'),
		to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL, to_regclass('pg_stat_progress_create_index') IS NOT NULL`,
		own.table, own.record,
	).Scan(&current.searchPath, &current.server, &versions, &record, &progress)
	if err != nil {
		return current, err
	}
	indexes := invalidIndexes
	if progress {
		indexes += unlessBuilt
	}
	if current.invalid, err = column[string](ctx, own, indexes+" ORDER BY 1"); err != nil {
		return current, err
	}
	if !versions {
		return current, nil
	}
	if current.versions, err = column[int64](ctx, own, own.versions()); err != nil {
		return current, err
	}
	if record && tidy {
		record, err = own.tidy(ctx)
	}
	if record && err == nil {
		current.halves, err = own.halves(ctx)
	}
	if len(current.halves) > 0 && !tidy && err == nil {
		var holder string
		err = own.conn.QueryRow(ctx, holders, locks).Scan(&holder)
		if current.underway = holder != ""; current.underway {
			current.halves = nil
		}
	}
	return current, err
}

// versions is the query for what the database has: goose counts the newest row of a version.
func (own *session) versions() string {
	return `SELECT version_id FROM (SELECT DISTINCT ON (version_id) version_id, is_applied FROM ` + own.table +
		` ORDER BY version_id, id DESC) newest WHERE is_applied AND version_id > 0 ORDER BY 1`
}

func column[T any](ctx context.Context, own *session, query string) ([]T, error) {
	rows, err := own.conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// fill says how the database is now, and what has changed.
func (proof *report) fill(before, after state, folder string) {
	var version int64
	if len(after.versions) > 0 {
		version = after.versions[len(after.versions)-1]
	}
	proof.Version = &version
	proof.Applied = without(after.versions, before.versions)
	proof.Reverted = without(before.versions, after.versions)
	if files, err := versionsOf(folder); err == nil {
		proof.Pending, proof.Untracked = without(files, after.versions), without(after.versions, files)
	}
	if !after.underway {
		proof.Halves = append([]half{}, after.halves...)
	}
	proof.Invalid, proof.SearchPath, proof.Server = after.invalid, after.searchPath, after.server
}

// fail notes why the run has failed, and passes its exit code on.
func (proof *report) fail(err error, code int) int {
	proof.Error = err.Error()
	if !strings.HasPrefix(proof.Error, "goose run: ") {
		log.Printf("hanbae-migrate: %v", err)
	}
	return code
}

func (proof *report) print(to io.Writer, where *address) {
	proof.OK = proof.Error == ""
	proof.Error = where.masked(proof.Error)
	line, err := json.Marshal(proof)
	if err != nil {
		log.Printf("hanbae-migrate: %v", err)
		return
	}
	fmt.Fprintln(to, string(line))
}

func versionsOf(folder string) (versions []int64, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	files, err := goose.CollectMigrations(filepath.ToSlash(folder), 0, math.MaxInt64)
	for _, file := range files {
		versions = append(versions, file.Version)
	}
	return versions, err
}

// without is what is in the first of two lists and not in the second.
func without(all, others []int64) []int64 {
	missing := map[int64]bool{}
	for _, version := range others {
		missing[version] = true
	}
	rest := []int64{}
	for _, version := range all {
		if !missing[version] {
			rest = append(rest, version)
		}
	}
	return rest
}
