// Command hanbae-migrate runs goose's migrations on PostgreSQL, one run at a time, and says in one line of JSON how it
// left the database; without that line it ends where its session is lost and nobody reads its log.
//
// It calls the functions that goose's own command calls, so files, statements, table and log lines are goose's. What it
// adds: a lock of its session that goose's providers take as well, an end within seconds when that session is lost, a
// record of migrations without a transaction that are half applied, and the proof.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
)

// Exit codes besides 0; goose itself ends with 1 for everything.
const (
	failed = 1
	misuse = 2
	// busy: another run has the lock for longer than -wait.
	busy = 3
	// lost: the session, and with it the lock, is gone; what was running has been given up.
	lost = 4
)

const usage = `Usage: hanbae-migrate [flags] COMMAND

Runs goose's migrations on PostgreSQL under a lock. Commands are goose's:
  up | up-by-one | up-to VERSION | down | down-to VERSION | redo | reset
  status | version      (these take no lock)

The database's address is read from GOOSE_DBSTRING, never from the arguments. Where
that leads through PgBouncer, HANBAE_MIGRATE_DBSTRING is the server's own address.
GOOSE_DRIVER, GOOSE_MIGRATION_DIR and GOOSE_TABLE are read as goose reads them.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 another run has the lock, 4 session lost.

Flags:
`

// table is a table's name as goose pastes it into its SQL, with or without a schema.
var table = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_$]*\.)?[A-Za-z_][A-Za-z0-9_$]*$`)

// commands says of each command whether it changes the database, and how many words follow it.
var commands = map[string]struct {
	changes bool
	words   int
}{
	"up": {true, 0}, "up-by-one": {true, 0}, "up-to": {true, 1},
	"down": {true, 0}, "down-to": {true, 1}, "redo": {true, 0}, "reset": {true, 0},
	"status": {false, 0}, "version": {false, 0},
}

// request is what the arguments and the environment ask for.
type request struct {
	command      []string
	folder       string
	table        string
	wait         time.Duration
	allowMissing bool
	noVersioning bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

// run does everything but end the process.
func run(ctx context.Context, arguments []string, stdout io.Writer) int {
	asked, err := read(arguments)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		log.Printf("hanbae-migrate: %v", err)
		return misuse
	}
	if asked == nil {
		fmt.Fprintln(stdout, "hanbae-migrate, goose", gooseVersion())
		return 0
	}
	where, err := addressed()
	if err != nil {
		log.Printf("hanbae-migrate: %v", err)
		return misuse
	}
	log.SetOutput(masking{os.Stderr, where})
	proof := report{Kind: "hanbae-migrate", Format: 1, Command: asked.command[0], Table: asked.table}
	code := migrate(ctx, asked, where, &proof)
	if !asked.noVersioning {
		proof.print(stdout, where)
	}
	return code
}

// migrate runs the command and fills in the proof, also where the command fails.
func migrate(ctx context.Context, asked *request, where *address, proof *report) int {
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	// Without versions there is nothing that two runs could apply twice, and nothing to prove.
	changes := commands[asked.command[0]].changes && !asked.noVersioning
	own, err := connect(ctx, where, asked.table, changes)
	if err != nil {
		return proof.fail(err, failed)
	}
	defer own.end()
	if changes {
		watch, code, err := own.lock(ctx, asked.wait, where, give, proof)
		if err != nil {
			return proof.fail(err, code)
		}
		defer watch.end()
	}
	if asked.noVersioning {
		if own.goose(ctx, asked) != nil {
			return failed
		}
		return 0
	}
	before, err := own.look(ctx, changes)
	if err != nil {
		return proof.fail(own.reason(ctx, err, changes))
	}
	for _, half := range before.halves {
		log.Printf("hanbae-migrate: %s", half)
	}
	err = own.goose(ctx, asked)
	if err != nil && (ctx.Err() != nil || own.conn.IsClosed()) {
		return proof.fail(own.reason(ctx, err, changes))
	}
	after, unread := own.look(ctx, changes)
	if unread == nil {
		proof.fill(before, after, asked.folder)
	}
	switch {
	case err != nil:
		return proof.fail(err, failed)
	case unread != nil:
		return proof.fail(own.reason(ctx, unread, changes))
	}
	return 0
}

// reason tells a lost session and a signal, which end whatever runs at that moment, from an error of the database's own.
func (own *session) reason(ctx context.Context, err error, locks bool) (error, int) {
	reason := context.Cause(ctx)
	switch {
	case reason != nil:
		own.settle()
	case own.conn.IsClosed() && locks:
		reason = fmt.Errorf("%w: %w", errLost, err)
	default:
		return err, failed
	}
	if errors.Is(reason, errLost) {
		return reason, lost
	}
	return reason, failed
}

// read understands the arguments as goose does: flags stand anywhere. It is nil where only the version is asked for.
func read(arguments []string) (*request, error) {
	asked := request{folder: or(os.Getenv("GOOSE_MIGRATION_DIR"), "."), table: os.Getenv("GOOSE_TABLE")}
	flags := flag.NewFlagSet("hanbae-migrate", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&asked.folder, "dir", asked.folder, "folder of the migrations")
	flags.StringVar(&asked.table, "table", or(asked.table, goose.DefaultTablename), "goose's table, best with its schema")
	flags.DurationVar(&asked.wait, "wait", 5*time.Minute, "how long to wait for another run")
	flags.BoolVar(&asked.allowMissing, "allow-missing", false, "apply also files below the database's version")
	flags.BoolVar(&asked.noVersioning, "no-versioning", false, "run the files without goose's table, the lock and the proof")
	env := flags.String("env", "none", "only none: variables are read from no file")
	version := flags.Bool("version", false, "print the version")
	for rest := arguments; len(rest) > 0; {
		if err := flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errors.New("wrong arguments")
		}
		if rest = flags.Args(); len(rest) > 0 {
			asked.command, rest = append(asked.command, rest[0]), rest[1:]
		}
	}
	if *version {
		return nil, nil
	}
	return &asked, asked.check(*env)
}

func (asked *request) check(env string) error {
	if len(asked.command) == 0 {
		return errors.New("no command; hanbae-migrate -h lists them")
	}
	command, ok := commands[asked.command[0]]
	switch driver := or(os.Getenv("GOOSE_DRIVER"), "postgres"); {
	case !ok:
		// The word is not repeated: it may be goose's DBSTRING, with a password.
		return errors.New("the first word is no command; driver and address are read from GOOSE_DRIVER and GOOSE_DBSTRING alone")
	case len(asked.command) != 1+command.words:
		return fmt.Errorf("%s takes %d more words", asked.command[0], command.words)
	case env != "none":
		return errors.New("-env: variables are read from no file")
	case driver != "postgres" && driver != "pgx":
		return fmt.Errorf("GOOSE_DRIVER is %s, and only PostgreSQL has the lock that is needed; use goose itself", driver)
	case !table.MatchString(asked.table):
		return fmt.Errorf("-table: %q is no plain name of a table", asked.table)
	}
	return nil
}

// goose runs the command with the functions of goose's command line, on this session alone.
func (own *session) goose(ctx context.Context, asked *request) (err error) {
	defer func() {
		// goose panics where two files have one version.
		if reason := recover(); reason != nil {
			err = fmt.Errorf("goose run: %v", reason)
			log.Print(err)
		}
	}()
	goose.SetTableName(asked.table)
	goose.SetBaseFS(folder{own})
	own.records = !asked.noVersioning
	options := []goose.OptionsFunc{goose.WithNoColor(true)}
	if asked.allowMissing {
		options = append(options, goose.WithAllowMissing())
	}
	if asked.noVersioning {
		options = append(options, goose.WithNoVersioning())
	}
	err = goose.RunWithOptionsContext(ctx, asked.command[0], own.db, filepath.ToSlash(asked.folder), asked.command[1:], options...)
	if err != nil {
		// The line that goose's command ends with.
		err = fmt.Errorf("goose run: %w", err)
		log.Print(err)
	}
	return err
}

func gooseVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/pressly/goose/v3" {
				return module.Version
			}
		}
	}
	return ""
}

func or(text, otherwise string) string {
	if strings.TrimSpace(text) == "" {
		return otherwise
	}
	return text
}
