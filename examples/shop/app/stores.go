package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// undefinedTable is PostgreSQL's code for a relation that is not there.
const undefinedTable = "42P01"

// stores are the connection pools of a service, by the database's name.
type stores map[string]*pgxpool.Pool

// open makes the pools. It connects to nothing yet: a database that is away makes the service unready, not dead.
func open(ctx context.Context, config settings) (stores, error) {
	opened := stores{}
	for _, database := range config.service.databases {
		pool, err := pgxpool.ParseConfig(config.urls[database.name])
		if err != nil {
			// The library's error quotes the URL, and with it perhaps a password.
			return nil, fmt.Errorf("%s is not a PostgreSQL URL", database.variable)
		}
		pool.MaxConns = 4
		pool.MinConns = 0
		pool.ConnConfig.ConnectTimeout = 3 * time.Second
		pool.ConnConfig.RuntimeParams["application_name"] = config.service.name
		if opened[database.name], err = pgxpool.NewWithConfig(ctx, pool); err != nil {
			return nil, fmt.Errorf("%s: %w", database.name, sparing(err))
		}
	}
	return opened, nil
}

func (s stores) close() {
	for _, pool := range s {
		pool.Close()
	}
}

// missing names the first thing that keeps the service from working, or "".
func (s stores) missing(ctx context.Context, databases []database) string {
	for _, database := range databases {
		for _, table := range database.tables {
			query := "SELECT 1 FROM " + pgx.Identifier{table}.Sanitize() + " LIMIT 1"
			_, err := s[database.name].Exec(ctx, query)
			var refused *pgconn.PgError
			switch {
			case err == nil:
			case errors.As(err, &refused) && refused.Code == undefinedTable:
				return fmt.Sprintf("table %s of %s is missing: its migration has not run", table, database.name)
			default:
				return fmt.Sprintf("%s: %s", database.name, sparing(err))
			}
		}
	}
	return ""
}

// sparing turns a database error into one that says what a person needs and nothing of the connection's settings.
func sparing(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return fmt.Errorf("%s (SQLSTATE %s)", refused.Message, refused.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	default:
		return errors.New("cannot be reached")
	}
}
