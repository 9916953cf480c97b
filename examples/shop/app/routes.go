package main

import (
	"net/http"
	"strings"
	"time"
)

const sessionLength = time.Hour

// authRoutes: signing in opens a session and gives a token that the other services take.
func authRoutes(s *server) map[string]handler {
	return map[string]handler{
		"POST /v1/sessions": func(r *http.Request) (any, error) {
			asked, err := read[struct {
				Email string `json:"email"`
			}](r)
			if err != nil {
				return nil, err
			}
			if !strings.Contains(asked.Email, "@") {
				return nil, fault{http.StatusBadRequest, "email is not an address"}
			}
			expires := time.Now().Add(sessionLength)
			_, err = s.stores["auth_db"].Exec(r.Context(), `
				WITH account AS (
					INSERT INTO accounts (email) VALUES (lower($1))
					ON CONFLICT (email) DO UPDATE SET email = excluded.email
					RETURNING id
				)
				INSERT INTO sessions (account_id, expires_at) SELECT id, $2 FROM account`,
				asked.Email, expires)
			if err != nil {
				return nil, err
			}
			token, err := sign(s.config.secret, claims{strings.ToLower(asked.Email), expires.Unix()})
			return map[string]string{"token": token}, err
		},
		"GET /v1/sessions": func(r *http.Request) (any, error) {
			var open int
			err := s.stores["auth_db"].QueryRow(r.Context(),
				"SELECT count(*) FROM sessions WHERE expires_at > now()").Scan(&open)
			return map[string]int{"open": open}, err
		},
	}
}

// personalRoutes: everyone has one profile, their own.
func personalRoutes(s *server) map[string]handler {
	type profile struct {
		Name string `json:"name"`
	}
	return map[string]handler{
		"PUT /v1/profile": func(r *http.Request) (any, error) {
			email, err := s.caller(r)
			if err != nil {
				return nil, err
			}
			wanted, err := read[profile](r)
			if err != nil {
				return nil, err
			}
			_, err = s.stores["personal_db"].Exec(r.Context(), `
				INSERT INTO profiles (email, name) VALUES ($1, $2)
				ON CONFLICT (email) DO UPDATE SET name = excluded.name`, email, wanted.Name)
			return wanted, err
		},
		"GET /v1/profile": func(r *http.Request) (any, error) {
			email, err := s.caller(r)
			if err != nil {
				return nil, err
			}
			var found profile
			err = s.stores["personal_db"].QueryRow(r.Context(),
				"SELECT name FROM profiles WHERE email = $1", email).Scan(&found.Name)
			return found, err
		},
	}
}

// identityRoutes: a person is known in three databases, which only this service may read.
func identityRoutes(s *server) map[string]handler {
	return map[string]handler{
		"POST /v1/people": func(r *http.Request) (any, error) {
			email, err := s.caller(r)
			if err != nil {
				return nil, err
			}
			asked, err := read[struct {
				Name    string `json:"name"`
				Consent string `json:"consent"`
			}](r)
			if err != nil {
				return nil, err
			}
			var id int64
			err = s.stores["identity_db"].QueryRow(r.Context(), `
				INSERT INTO people (email, name) VALUES ($1, $2)
				ON CONFLICT (email) DO UPDATE SET name = excluded.name
				RETURNING id`, email, asked.Name).Scan(&id)
			if err != nil {
				return nil, err
			}
			// Each statement may be repeated, so a failure between them is mended by asking again.
			if _, err = s.stores["auth_db"].Exec(r.Context(),
				"INSERT INTO credentials (person_id) VALUES ($1) ON CONFLICT DO NOTHING", id); err != nil {
				return nil, err
			}
			_, err = s.stores["legal_db"].Exec(r.Context(), `
				INSERT INTO consents (person_id, document) VALUES ($1, $2)
				ON CONFLICT DO NOTHING`, id, asked.Consent)
			return map[string]int64{"id": id}, err
		},
		"GET /v1/people": func(r *http.Request) (any, error) {
			if _, err := s.caller(r); err != nil {
				return nil, err
			}
			var people int
			err := s.stores["identity_db"].QueryRow(r.Context(), "SELECT count(*) FROM people").Scan(&people)
			return map[string]int{"people": people}, err
		},
	}
}
