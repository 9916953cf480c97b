package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/pressly/goose/v3/lock"
)

const (
	// poll is how often a waiting run asks for the lock. It never waits within a statement: CREATE INDEX CONCURRENTLY of
	// the run that has the lock would wait for that statement's snapshot, and each for the other.
	poll = time.Second
	// answered bounds each question until the lock is there, and with it the watch: of a network that is gone, the system
	// says nothing for a quarter of an hour where an answer is missing.
	answered = 10 * time.Second
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

// lock takes the lock, waiting for whoever has it, and has it watched from a second connection.
func (own *session) lock(
	ctx context.Context, wait time.Duration, where *address, give context.CancelCauseFunc, proof *report,
) (*watch, int, error) {
	begun := time.Now()
	for named := ""; ; {
		taken, who, err := own.try(ctx)
		if err != nil {
			return nil, failed, err
		}
		if taken {
			break
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
	watch, err := own.watched(ctx, where, give)
	if err != nil {
		return nil, failed, err
	}
	return watch, 0, nil
}

// try asks for the lock once, and for who has it where it is not free.
func (own *session) try(ctx context.Context) (taken bool, who string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answered, errSilent)
	defer cancel()
	if taken, err = own.take(ctx); err == nil && !taken {
		err = own.conn.QueryRow(ctx, holders, locks).Scan(&who)
	}
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		err = fmt.Errorf("%w for %s, while the lock is waited for: %w", errSilent, answered, err)
	}
	return taken, who, err
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
