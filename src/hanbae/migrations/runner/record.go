package main

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// longest statement that is recorded, in bytes; the file has the rest.
const longest = 2000

// step is where goose is: which file, and which of its statements.
type step struct {
	file        string
	version     int64
	statement   int
	transaction bool
	// direction is known from the first statement that is recorded.
	direction string
}

// half is a migration without a transaction that has begun and not ended.
type half struct {
	Version   int64     `json:"version"`
	File      string    `json:"file"`
	Direction string    `json:"direction"`
	Statement int       `json:"statement"`
	SQL       string    `json:"sql"`
	Since     time.Time `json:"since"`
	Runner    string    `json:"runner"`
}

func (half half) String() string {
	return fmt.Sprintf("%s is half applied (%s): at %s, %s stopped at statement %d, and what stands before that is done: %s",
		half.File, half.Direction, half.Since.UTC().Format(time.RFC3339), half.Runner, half.Statement, firstLine(half.SQL))
}

// recordOf names the table of what is half applied, beside goose's; it is there only while it has a row.
func recordOf(table string) string {
	schema, _, qualified := strings.Cut(table, ".")
	if !qualified {
		return "hanbae_half_applied"
	}
	return schema + ".hanbae_half_applied"
}

// begin is called when goose opens a file.
func (own *session) begin(file string) {
	version, _ := goose.NumericComponent(file)
	own.step = step{file: file, version: version}
}

// BeginTx is called for a file with a transaction, which PostgreSQL takes back whole unless the file itself commits.
func (own *session) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	own.step.transaction = true
	return own.Conn.BeginTx(ctx, options)
}

// ExecContext records where a file without a transaction is, before each of its statements. Only goose's own have
// arguments.
func (own *session) ExecContext(ctx context.Context, query string, arguments []driver.NamedValue) (driver.Result, error) {
	if own.records && own.step.file != "" && !own.step.transaction && len(arguments) == 0 {
		own.step.statement++
		if err := own.write(ctx, query); err != nil {
			return nil, fmt.Errorf("statement %d is not run, as that cannot be recorded: %w", own.step.statement, err)
		}
	}
	return own.Conn.ExecContext(ctx, query, arguments)
}

func (own *session) write(ctx context.Context, query string) error {
	if own.step.direction == "" {
		// goose writes or deletes the version when the file has ended.
		applied, err := column[int64](ctx, own, own.versions())
		if err != nil {
			return err
		}
		own.step.direction = "up"
		if slices.Contains(applied, own.step.version) {
			own.step.direction = "down"
		}
		_, err = own.conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+own.record+` (version_id bigint PRIMARY KEY, file text NOT NULL,
			direction text NOT NULL, statement integer NOT NULL, sql text NOT NULL, since timestamptz NOT NULL, runner text NOT NULL)`)
		if err != nil {
			return err
		}
	}
	host, _ := os.Hostname()
	_, err := own.conn.Exec(ctx, "INSERT INTO "+own.record+` VALUES ($1, $2, $3, $4, $5, now(), $6)
		ON CONFLICT (version_id) DO UPDATE SET (file, direction, statement, sql, since, runner) =
		(excluded.file, excluded.direction, excluded.statement, excluded.sql, excluded.since, excluded.runner)`,
		own.step.version, own.step.file, own.step.direction, own.step.statement, shortened(own.where.masked(query)), host)
	return err
}

// tidy takes away the record of what has ended after all, and the table when nothing is left in it.
func (own *session) tidy(ctx context.Context) (left bool, err error) {
	_, err = own.conn.Exec(ctx, "DELETE FROM "+own.record+" WHERE (direction = 'up') = (version_id IN ("+own.versions()+"))")
	if err == nil {
		err = own.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+own.record+")").Scan(&left)
	}
	if err == nil && !left {
		_, err = own.conn.Exec(ctx, "DROP TABLE "+own.record)
	}
	return left, err
}

// halves are the migrations that have not ended: a row may stay although somebody, or the run itself, has ended its file.
func (own *session) halves(ctx context.Context) ([]half, error) {
	rows, err := own.conn.Query(ctx, "SELECT version_id, file, direction, statement, sql, since, runner FROM "+own.record+
		" WHERE (direction = 'up') <> (version_id IN ("+own.versions()+")) ORDER BY 1")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[half])
}

func shortened(text string) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + " …"
}

func firstLine(text string) string {
	line, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if more {
		return line + " …"
	}
	return line
}
