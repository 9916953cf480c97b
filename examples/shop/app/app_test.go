package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const password = "correct-horse"

func environment(changes map[string]string) func(string) string {
	values := map[string]string{
		"SERVICE":      "auth",
		"DATABASE_URL": "postgresql://auth:" + password + "@127.0.0.1:1/auth",
		"JWT_SECRET":   strings.Repeat("s", 32),
	}
	for name, value := range changes {
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func TestConfigurationNamesWhatIsWrongAndNeverAURL(t *testing.T) {
	for name, changes := range map[string]map[string]string{
		"SERVICE":            {"SERVICE": "shop"},
		"DATABASE_URL":       {"DATABASE_URL": ""},
		"LEGAL_DATABASE_URL": {"SERVICE": "identity", "IDENTITY_DATABASE_URL": "x", "AUTH_DATABASE_URL": "x"},
		"JWT_SECRET":         {"JWT_SECRET": "short"},
		"DRAIN":              {"DRAIN": "soon"},
		"REQUIRED_TABLES":    {"REQUIRED_TABLES": "other_db.things"},
	} {
		_, err := configure(environment(changes))
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
	}
	config, err := configure(environment(map[string]string{"DATABASE_URL": "postgresql://a:" + password + "@[::1/x"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), config); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("%v", err)
	}
}

func TestRequiredTablesAreAddedToTheServicesOwn(t *testing.T) {
	config, err := configure(environment(map[string]string{"REQUIRED_TABLES": "auth_db.devices, auth_db.keys"}))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(config.service.databases[0].tables, " ")
	if got != "accounts sessions devices keys" {
		t.Error(got)
	}
}

func TestADatabaseThatIsAwayMakesUnreadyButNotUnhealthy(t *testing.T) {
	config, err := configure(environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	stores, err := open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer stores.close()
	var logged strings.Builder
	handler := newServer(config, stores, slog.New(slog.NewJSONHandler(&logged, nil))).handler()
	for path, wanted := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != wanted {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
		if strings.Contains(answer.Body.String()+logged.String(), password) {
			t.Errorf("%s shows the password", path)
		}
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(answer.Body.String(), `shop_ready{service="auth"} 0`) {
		t.Error(answer.Body)
	}
}

func TestTokens(t *testing.T) {
	secret, other := []byte(strings.Repeat("s", 32)), []byte(strings.Repeat("o", 32))
	now := time.Now()
	token, err := sign(secret, claims{"kim@example.com", now.Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	if said, valid := verify(secret, token, now); !valid || said.Subject != "kim@example.com" {
		t.Error("a good token is refused")
	}
	for name, refused := range map[string]bool{
		"another secret": second(verify(other, token, now)),
		"too late":       second(verify(secret, token, now.Add(time.Hour))),
		"changed":        second(verify(secret, token+"A", now)),
		"no token":       second(verify(secret, "", now)),
	} {
		if refused {
			t.Errorf("%s: taken", name)
		}
	}
}

func second(_ claims, valid bool) bool { return valid }
