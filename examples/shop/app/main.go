// Command app is the one program behind the shop's three services.
//
// SERVICE says which of them it is: auth, personal or identity. Each owns its databases, and none of them
// creates a table: that is what the migrations are for, and /readyz says so when one is missing.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if err := run(log); err != nil {
		log.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	config, err := configure(os.Getenv)
	if err != nil {
		return err
	}
	log = log.With("service", config.service.name)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	stores, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer stores.close()

	server := newServer(config, stores, log)
	listener, err := net.Listen("tcp", config.address)
	if err != nil {
		return err
	}
	serving := &http.Server{
		Handler:           server.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- serving.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String())

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return drain(serving, server, config.drain, ended, log)
}

// drain ends in the order that loses no request: say that we are not ready, go on serving until the
// endpoint's removal has reached every node, then finish what is being answered.
func drain(serving *http.Server, server *server, wait time.Duration, ended <-chan error, log *slog.Logger) error {
	log.Info("draining", "wait", wait.String())
	server.draining.Store(true)
	select {
	case err := <-ended:
		return err
	case <-time.After(wait):
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := serving.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Info("stopped")
	return nil
}
