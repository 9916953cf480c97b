package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3/lock"
)

const (
	// poll is how often a waiting run asks for the lock. It never waits within a statement: CREATE INDEX CONCURRENTLY of
	// the run that has the lock would wait for that statement's snapshot, and each for the other.
	poll = time.Second
	// beat and patience bound how long a lost session goes unnoticed, and grace how long giving up may take: 5 s in all.
	beat     = time.Second
	patience = 2 * time.Second
	grace    = 1500 * time.Millisecond
	// earlier is the lock of goose's session locker up to v3.25.
	earlier int64 = 5887940537704921958
)

// locks exclude goose's own providers with a session locker, of all releases.
var locks = []int64{lock.DefaultLockID, earlier}

const holders = `SELECT coalesce(string_agg(format('%s (process %s%s%s, since %s)',
    coalesce(nullif(a.application_name, ''), 'a session without a name'), l.pid,
    ' of ' || a.usename, ' from ' || host(a.client_addr), to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')), ', '), '')
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.classid::bigint << 32) | l.objid::bigint = ANY ($1)`

const held = `SELECT count(*) = $3 FROM pg_locks l WHERE l.pid = $1 AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.classid::bigint << 32) | l.objid::bigint = ANY ($2)`

// lock takes the lock, waiting for whoever has it, and has it watched from a second connection.
func (own *session) lock(
	ctx context.Context, wait time.Duration, where *address, give context.CancelCauseFunc, proof *report,
) (*watch, int, error) {
	begun := time.Now()
	for named := ""; ; {
		taken, err := own.take(ctx)
		if err != nil {
			return nil, failed, err
		}
		if taken {
			break
		}
		var who string
		if err := own.conn.QueryRow(ctx, holders, locks).Scan(&who); err != nil {
			return nil, failed, err
		}
		if who != "" && who != named {
			named = who
			log.Printf("hanbae-migrate: waits for the lock that %s holds", who)
		}
		if time.Since(begun) >= wait {
			return nil, busy, fmt.Errorf("%s still holds the lock after %s", or(named, "another session"), wait)
		}
		select {
		case <-ctx.Done():
			return nil, failed, context.Cause(ctx)
		case <-time.After(min(poll, wait)):
		}
	}
	proof.Waited = time.Since(begun).Round(time.Millisecond).Seconds()
	watch := &watch{config: where.named(" watch"), session: own.conn.PgConn().PID(), stopped: make(chan struct{})}
	ctx, watch.stop = context.WithCancel(ctx)
	go watch.run(ctx, give)
	return watch, 0, nil
}

// take tries all locks, and keeps all or none.
func (own *session) take(ctx context.Context) (bool, error) {
	for index, id := range locks {
		var taken bool
		if err := own.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", id).Scan(&taken); err != nil {
			return false, err
		}
		if taken {
			continue
		}
		for _, id := range locks[:index] {
			if _, err := own.conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", id); err != nil {
				return false, err
			}
		}
		return false, nil
	}
	return true, nil
}

// watch asks the server over a connection of its own whether the session is there and holds the lock. The session itself
// cannot tell a long statement from a network that is gone.
type watch struct {
	config  *pgx.ConnConfig
	conn    *pgx.Conn
	session uint32
	stop    context.CancelFunc
	stopped chan struct{}
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

// ask tries a second time over a new connection: the first may be gone alone.
func (watch *watch) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	for range 2 {
		if watch.conn == nil {
			if watch.conn, err = pgx.ConnectConfig(ctx, watch.config); err != nil {
				return err
			}
		}
		var holds bool
		if err = watch.conn.QueryRow(ctx, held, watch.session, locks, len(locks)).Scan(&holds); err == nil {
			if !holds {
				return fmt.Errorf("process %d of the server holds the lock no more", watch.session)
			}
			return nil
		}
		watch.conn.PgConn().Conn().Close()
		watch.conn = nil
	}
	return err
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
