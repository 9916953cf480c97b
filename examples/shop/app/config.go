package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// database is one database of a service: the variable that holds its URL, and the tables that its migrations
// create.
type database struct {
	name     string
	variable string
	tables   []string
}

// service is what tells the three apart.
type service struct {
	name      string
	databases []database
	routes    func(*server) map[string]handler
}

func services() map[string]service {
	return map[string]service{
		"auth": {
			databases: []database{{"auth_db", "DATABASE_URL", []string{"accounts", "sessions"}}},
			routes:    authRoutes,
		},
		"personal": {
			databases: []database{{"personal_db", "DATABASE_URL", []string{"profiles"}}},
			routes:    personalRoutes,
		},
		"identity": {
			databases: []database{
				{"identity_db", "IDENTITY_DATABASE_URL", []string{"people"}},
				{"auth_db", "AUTH_DATABASE_URL", []string{"credentials"}},
				{"legal_db", "LEGAL_DATABASE_URL", []string{"consents"}},
			},
			routes: identityRoutes,
		},
	}
}

// settings is everything that the environment decides.
type settings struct {
	service service
	address string
	urls    map[string]string // by database; never printed
	secret  []byte
	drain   time.Duration
}

// configure reads
//
//	SERVICE          auth, personal or identity
//	…DATABASE_URL    one per database of the service
//	JWT_SECRET       signs and checks tokens, at least 32 bytes
//	REQUIRED_TABLES  further tables that /readyz asks for: "auth_db.devices,auth_db.keys"
//	ADDRESS          where to listen, ":8080" if empty
//	DRAIN            how long to go on serving after SIGTERM, "0s" if empty: the chart's preStop has waited
func configure(getenv func(string) string) (settings, error) {
	all := services()
	chosen, known := all[getenv("SERVICE")]
	if !known {
		names := slices.Sorted(maps.Keys(all))
		return settings{}, fmt.Errorf("SERVICE must be one of %s", strings.Join(names, ", "))
	}
	chosen.name = getenv("SERVICE")
	config := settings{service: chosen, address: or(getenv("ADDRESS"), ":8080"), urls: map[string]string{}}
	for _, database := range chosen.databases {
		url := getenv(database.variable)
		if url == "" {
			return settings{}, fmt.Errorf("%s is not set", database.variable)
		}
		config.urls[database.name] = url
	}
	if config.secret = []byte(getenv("JWT_SECRET")); len(config.secret) < 32 {
		return settings{}, errors.New("JWT_SECRET must have at least 32 bytes")
	}
	var err error
	if config.drain, err = time.ParseDuration(or(getenv("DRAIN"), "0s")); err != nil {
		return settings{}, errors.New("DRAIN is not a duration such as 3s")
	}
	return config, require(&config.service, getenv("REQUIRED_TABLES"))
}

func require(service *service, tables string) error {
	databases := slices.Clone(service.databases)
	for _, entry := range strings.FieldsFunc(tables, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, table, found := strings.Cut(entry, ".")
		at := slices.IndexFunc(databases, func(d database) bool { return d.name == name })
		if !found || at < 0 {
			return fmt.Errorf("REQUIRED_TABLES: %q is not database.table of this service", entry)
		}
		databases[at].tables = append(slices.Clone(databases[at].tables), table)
	}
	service.databases = databases
	return nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
