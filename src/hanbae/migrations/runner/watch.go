package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// beat and patience bound how long a lost session goes unnoticed, and grace how long giving up may take: 5 s in all.
	beat     = time.Second
	patience = 2 * time.Second
	grace    = 1500 * time.Millisecond
	// again is how long the watch waits before it tries once more for a connection that it was refused.
	again = patience / 8
)

var errSilent = errors.New("the server does not answer")

const held = `SELECT count(*) = $3 FROM pg_locks l WHERE l.pid = $1 AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.classid::bigint << 32) | l.objid::bigint = ANY ($2)`

// watch asks the server over a connection of its own whether the session is there and holds the lock. The session itself
// cannot tell a long statement from a network that is gone.
type watch struct {
	config  *pgx.ConnConfig
	conn    *pgx.Conn
	session uint32
	stop    context.CancelFunc
	stopped chan struct{}
}

// watched begins to watch the session; a run that cannot be watched fails before it changes anything.
func (own *session) watched(ctx context.Context, where *address, give context.CancelCauseFunc) (*watch, error) {
	watch := &watch{config: where.named(" watch"), session: own.conn.PgConn().PID(), stopped: make(chan struct{})}
	// Of several servers only the session's own knows its process.
	server := own.conn.PgConn().Conn().RemoteAddr()
	if _, ok := server.(*net.TCPAddr); ok {
		watch.config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{server.String()}, nil }
	}
	var err error
	if watch.conn, err = pgx.ConnectConfig(ctx, watch.config); err != nil {
		return nil, fmt.Errorf("no second connection, over which the lock is watched: %w", err)
	}
	ctx, watch.stop = context.WithCancel(ctx)
	go watch.run(ctx, give)
	return watch, nil
}

func (watch *watch) run(ctx context.Context, give context.CancelCauseFunc) {
	defer close(watch.stopped)
	for {
		if err := watch.ask(ctx); err != nil && ctx.Err() == nil {
			give(fmt.Errorf("%w: %w", errLost, err))
			time.AfterFunc(grace, func() { os.Exit(lost) })
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(beat):
		}
	}
}

// answer is what the server says over one connection.
type answer struct {
	conn  *pgx.Conn
	holds bool
	err   error
}

// ask tries new connections as well, as the first may be gone alone: in its place where it is broken, and beside it where
// it is silent, for a server that has much to do answers late.
func (watch *watch) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answers := make(chan answer)
	begin := func(conn *pgx.Conn, after time.Duration) {
		time.AfterFunc(after, func() {
			answer := watch.question(ctx, conn)
			select {
			case answers <- answer:
			case <-ctx.Done():
				drop(answer.conn)
			}
		})
	}
	begin(watch.conn, 0)
	begin(nil, patience/2)
	watch.conn = nil
	for err := errSilent; ; {
		select {
		case <-ctx.Done():
			return err
		case answer := <-answers:
			if answer.err != nil {
				err = answer.err
				begin(nil, again)
				continue
			}
			watch.conn = answer.conn
			if !answer.holds {
				return fmt.Errorf("process %d of the server holds the lock no more", watch.session)
			}
			return nil
		}
	}
}

// question asks over a connection, or over a new one.
func (watch *watch) question(ctx context.Context, conn *pgx.Conn) answer {
	if ctx.Err() != nil {
		return answer{conn: conn, err: ctx.Err()}
	}
	if conn == nil {
		var err error
		if conn, err = pgx.ConnectConfig(ctx, watch.config); err != nil {
			return answer{err: err}
		}
	}
	var holds bool
	if err := conn.QueryRow(ctx, held, watch.session, locks, len(locks)).Scan(&holds); err != nil {
		drop(conn)
		return answer{err: err}
	}
	return answer{conn: conn, holds: holds}
}

// drop closes a connection without a word to the server, which may not listen.
func drop(conn *pgx.Conn) {
	if conn != nil {
		conn.PgConn().Conn().Close()
	}
}

func (watch *watch) end() {
	watch.stop()
	<-watch.stopped
	if watch.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		watch.conn.Close(ctx)
	}
}
