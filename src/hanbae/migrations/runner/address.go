package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/mfridman/interpolate"
)

const (
	pooled = "GOOSE_DBSTRING"
	// direct is the server's own address, for teams whose applications go through a pooler.
	direct = "HANBAE_MIGRATE_DBSTRING"
)

// address is where the database is, and what nobody may read.
type address struct {
	config  *pgx.ConnConfig
	secrets []string
}

// addressed reads the address from the environment.
func addressed() (*address, error) {
	name := pooled
	if os.Getenv(direct) != "" {
		name = direct
	}
	text := os.Getenv(name)
	if text == "" {
		return nil, fmt.Errorf("%s is empty: it holds the database's address", name)
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, unusable(err))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	// Prepared statements do not survive a DISCARD ALL in a migration.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	dialer := net.Dialer{
		Timeout:         config.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
	}
	config.DialFunc = dialer.DialContext
	where := &address{config: config}
	where.hide(config.Password)
	if parsed, err := url.Parse(text); err == nil && parsed.User != nil {
		_, encoded, _ := strings.Cut(parsed.User.String(), ":")
		where.hide(encoded)
	}
	return where, nil
}

// unusable says what is wrong with an address, without a part of it that may be its password.
func unusable(err error) error {
	for _, step := range []string{"failed to configure TLS", "failed to read service"} {
		// Of these two what is below names a file or a setting alone.
		if below := errors.Unwrap(err); below != nil && strings.HasSuffix(err.Error(), "`: "+step+" ("+below.Error()+")") {
			return fmt.Errorf("cannot be used: %s: %w", step, below)
		}
	}
	// The error quotes the address, and not every password in it is told from the rest.
	return errors.New("is no address of PostgreSQL, such as postgres://user:password@host:5432/database")
}

// named is the configuration of a connection that says in pg_stat_activity whose it is.
func (where *address) named(suffix string) *pgx.ConnConfig {
	config := where.config.Copy()
	host, _ := os.Hostname()
	name := "hanbae-migrate@" + host
	// PostgreSQL keeps 63 bytes.
	config.RuntimeParams["application_name"] = name[:min(len(name), 63-len(suffix))] + suffix
	return config
}

// hide has a text never appear in what is printed or recorded, nor as goose quotes a statement.
func (where *address) hide(secret string) {
	quoted := strconv.Quote(secret)
	for _, form := range []string{secret, quoted[1 : len(quoted)-1]} {
		if form != "" && !slices.Contains(where.secrets, form) {
			where.secrets = append(where.secrets, form)
		}
	}
	// A secret that contains another one goes first.
	slices.SortFunc(where.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

func (where *address) masked(text string) string {
	for _, secret := range where.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// masking is a writer of whole lines, as log's is.
type masking struct {
	to    io.Writer
	where *address
}

// plain are goose's own lines, which machines read: they have names of files and versions in them, and no statement.
var plain = regexp.MustCompile(`^\S+ \S+ (?:(?:OK|EMPTY) +\d[^\n]*\.(?:sql|go) \([^()\n]*\)` +
	`|goose: (?:[a-z. ]+ )?version:? \d+|    (?:Pending|[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9:]{16}) +-- \d[^\n]*\.(?:sql|go))\n$`)

func (writer masking) Write(line []byte) (int, error) {
	text := string(line)
	if !plain.MatchString(text) {
		text = writer.where.masked(text)
	}
	_, err := io.WriteString(writer.to, text)
	return len(line), err
}

// shortest is what a variable's value has at least to be hidden, in bytes: shorter ones stand in words and numbers of all
// kinds.
const shortest = 4

var (
	variable = regexp.MustCompile(`\$\{?([\pL_][\pL\pN_]*)`)
	// excerpt is a part of a value, ${NAME:offset:length}; ":-" is another thing.
	excerpt = regexp.MustCompile(`\$\{\pL[\pL\pN_]*:[^-}][^}]*\}`)
)

// hideVariables hides the values that goose's ENVSUB puts into a file: goose quotes a failing statement in its error.
func (where *address) hideVariables(text string) {
	environment := interpolate.NewSliceEnv(os.Environ())
	for substitutes, lines := false, strings.Split(text, "\n"); len(lines) > 0; lines = lines[1:] {
		line := lines[0]
		if strings.HasPrefix(line, "--") && strings.Contains(line, "+goose") {
			// goose takes the rest for the annotation, wherever it stands.
			rest := strings.Replace(strings.ReplaceAll(line, "--", ""), "+goose", "", 1)
			switch strings.ToUpper(strings.TrimSpace(rest)) {
			case "ENVSUB ON":
				substitutes = true
			case "ENVSUB OFF":
				substitutes = false
			}
		}
		if !substitutes {
			continue
		}
		for _, match := range variable.FindAllStringSubmatch(line, -1) {
			where.hideValue(os.Getenv(match[1]))
		}
		for _, match := range excerpt.FindAllString(line, -1) {
			if value, err := interpolate.Interpolate(environment, match); err == nil {
				where.hideValue(value)
			}
		}
	}
}

// hideValue hides a variable's value and each of its lines: goose leaves some of a statement's lines out when it quotes it.
func (where *address) hideValue(value string) {
	for _, text := range append(strings.Split(value, "\n"), value) {
		if text = strings.TrimSpace(text); len(text) >= shortest {
			where.hide(text)
		}
	}
}

var errPooler = errors.New("the address leads through a pooler (PgBouncer or its like), where a lock belongs to a connection " +
	"that others use as well: give the server's own address in " + direct + ", or in " + pooled)
