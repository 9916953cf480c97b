package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// handler answers one request: a value to send as JSON, or an error.
type handler func(*http.Request) (any, error)

// fault is an error that the caller may see.
type fault struct {
	status int
	reason string
}

func (f fault) Error() string { return f.reason }

// server is one running service.
type server struct {
	config   settings
	stores   stores
	log      *slog.Logger
	metrics  *metrics
	draining atomic.Bool
}

func newServer(config settings, stores stores, log *slog.Logger) *server {
	return &server{config: config, stores: stores, log: log, metrics: newMetrics(config.service.name)}
}

// handler routes: the kubelet's probes, Prometheus, and the service's own endpoint.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", s.answering("/healthz", func(*http.Request) (any, error) {
		return map[string]bool{"healthy": true}, nil
	}))
	mux.Handle("GET /readyz", s.answering("/readyz", s.ready))
	mux.HandleFunc("GET /metrics", s.metrics.write)
	for pattern, answer := range s.config.service.routes(s) {
		mux.Handle(pattern, s.answering(pattern, answer))
	}
	return mux
}

func (s *server) ready(r *http.Request) (any, error) {
	if s.draining.Load() {
		return nil, fault{http.StatusServiceUnavailable, "shutting down"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	reason := s.stores.missing(ctx, s.config.service.databases)
	if s.metrics.setReady(reason == "") {
		s.log.Info("readiness", "ready", reason == "", "reason", reason)
	}
	if reason != "" {
		return nil, fault{http.StatusServiceUnavailable, reason}
	}
	return map[string]bool{"ready": true}, nil
}

func (s *server) answering(route string, answer handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		status := http.StatusOK
		value, err := answer(r)
		if err != nil {
			var seen fault
			if errors.Is(err, pgx.ErrNoRows) {
				seen = fault{http.StatusNotFound, "not found"}
			} else if !errors.As(err, &seen) {
				seen = fault{http.StatusInternalServerError, "internal error"}
				s.log.Error("request failed", "route", route, "error", sparing(err).Error())
			}
			status, value = seen.status, map[string]string{"error": seen.reason}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(value); err != nil {
			s.log.Debug("caller has gone", "route", route)
		}
		s.metrics.observe(route, status, time.Since(began))
	})
}

func read[T any](r *http.Request) (T, error) {
	var value T
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		return value, fault{http.StatusBadRequest, "the body is not the JSON that this endpoint takes"}
	}
	return value, nil
}
