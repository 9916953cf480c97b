package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// errLost says that the session, and the lock with it, is gone.
var errLost = errors.New("the session that holds the lock is lost; what was running is given up, and PostgreSQL takes a transaction back")

// errBroken says the same of a session that may hold no lock, to goose.
var errBroken = errors.New("the connection is broken")

// settings have the server end a session, and with it the lock, within 30 s of its client being gone: at once where the
// client's machine says so, also while a statement waits for a table (client_connection_check_interval), and by
// unanswered keepalives or data where its machine is gone as well.
var settings = [][2]string{
	{"client_connection_check_interval", "2s"},
	{"tcp_keepalives_idle", "10"},
	{"tcp_keepalives_interval", "5"},
	{"tcp_keepalives_count", "3"},
	{"tcp_user_timeout", "25s"},
}

// session is the one connection that holds the lock and runs the migrations, so that neither outlives the other.
type session struct {
	*stdlib.Conn
	where *address
	conn  *pgx.Conn
	db    *sql.DB
	// table is goose's, and record that of what is half applied, with their schema.
	table  string
	record string
	step   step
	// records is whether files without a transaction are recorded.
	records bool
}

// connect opens the session, and refuses a pooler where a lock is to be taken.
func connect(ctx context.Context, where *address, table string, locks bool) (*session, error) {
	opened, err := stdlib.GetConnector(*where.named("")).Connect(ctx)
	if err != nil {
		var refused *pgconn.PgError
		// PgBouncer takes few of the parameters that a server takes.
		if errors.As(err, &refused) && strings.Contains(refused.Message, "unsupported startup parameter") {
			return nil, fmt.Errorf("%w (%s)", errPooler, refused.Message)
		}
		return nil, fmt.Errorf("no connection: %w", err)
	}
	own := &session{Conn: opened.(*stdlib.Conn), where: where}
	own.conn = own.Conn.Conn()
	ctx, cancel := context.WithTimeout(ctx, answered)
	defer cancel()
	var pid uint32
	err = own.conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid)
	if err == nil && locks && pid != own.conn.PgConn().PID() {
		// A pooler makes up the process that it names to its clients.
		err = errPooler
	}
	if err == nil {
		own.table, err = own.resolved(ctx, table)
	}
	if err == nil {
		own.record, err = own.resolved(ctx, recordOf(table))
	}
	if err != nil {
		own.Conn.Close()
		return nil, err
	}
	for _, setting := range settings {
		if _, err := own.conn.Exec(ctx, "SELECT set_config($1, $2, false)", setting[0], setting[1]); err != nil {
			log.Printf("hanbae-migrate: the server has no %s; the lock of a run that is killed may last for longer: %v", setting[0], err)
		}
	}
	own.db = sql.OpenDB(&once{own: own})
	own.db.SetMaxOpenConns(1)
	return own, nil
}

// resolved is a table's name with its schema, as goose sees it before a file may have changed the session's search path.
func (own *session) resolved(ctx context.Context, name string) (string, error) {
	if strings.Contains(name, ".") {
		return name, nil
	}
	var schema *string
	err := own.conn.QueryRow(ctx, `SELECT quote_ident(coalesce((SELECT n.nspname FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)), current_schema()))`, name).Scan(&schema)
	if err != nil || schema == nil {
		return name, err
	}
	return *schema + "." + name, nil
}

// end closes the session, and with it the lock.
func (own *session) end() {
	own.db.Close()
	own.Conn.Close()
}

// ResetSession is called between the statements of a file without a transaction. goose's pool gives up a connection on
// which one of them has left a transaction open, and goes on over a new one: what was done in it is taken back, and what
// follows runs outside of it. Here there is no other connection.
func (own *session) ResetSession(ctx context.Context) error {
	if err := own.leave(ctx); err != nil {
		return err
	}
	return own.Conn.ResetSession(ctx)
}

// leave takes back a transaction that a file has left open.
func (own *session) leave(ctx context.Context) error {
	if own.conn.IsClosed() || own.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	_, err := own.conn.Exec(ctx, "ROLLBACK")
	return err
}

// settle waits a moment for the server to be told that the running statement is given up.
func (own *session) settle() {
	if own.conn.IsClosed() {
		select {
		case <-own.conn.PgConn().CleanupDone():
		case <-time.After(time.Second):
		}
	}
}

// once gives database/sql the session, and never another one: that would run migrations without the lock.
type once struct {
	own   *session
	given bool
}

func (connector *once) Connect(context.Context) (driver.Conn, error) {
	if connector.given {
		return nil, errBroken
	}
	connector.given = true
	return connector.own, nil
}

func (connector *once) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

// Close leaves the connection open for what is read after goose.
func (own *session) Close() error { return nil }
