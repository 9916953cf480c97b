package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// metrics are written in Prometheus' text format, version 0.0.4. A few counters need no library.
type metrics struct {
	service  string
	mutex    sync.Mutex
	ready    bool
	asked    bool
	requests map[outcome]*tally
}

type outcome struct {
	route  string
	status int
}

type tally struct {
	count   uint64
	seconds float64
}

func newMetrics(service string) *metrics {
	return &metrics{service: service, requests: map[outcome]*tally{}}
}

// setReady remembers the readiness and tells whether it has changed.
func (m *metrics) setReady(ready bool) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	changed := !m.asked || m.ready != ready
	m.asked, m.ready = true, ready
	return changed
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	key := outcome{route, status}
	if m.requests[key] == nil {
		m.requests[key] = &tally{}
	}
	m.requests[key].count++
	m.requests[key].seconds += took.Seconds()
}

func (m *metrics) write(w http.ResponseWriter, _ *http.Request) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	var text strings.Builder
	ready := 0
	if m.ready {
		ready = 1
	}
	text.WriteString("# HELP shop_ready Whether the last readiness probe was answered with yes.\n# TYPE shop_ready gauge\n")
	fmt.Fprintf(&text, "shop_ready{service=%q} %d\n", m.service, ready)
	text.WriteString("# HELP shop_request_seconds Requests answered, and the time that they took.\n# TYPE shop_request_seconds summary\n")
	keys := slices.SortedFunc(maps.Keys(m.requests), func(a, b outcome) int {
		return cmp.Or(strings.Compare(a.route, b.route), cmp.Compare(a.status, b.status))
	})
	for _, key := range keys {
		labels := fmt.Sprintf("{service=%q,route=%q,status=\"%d\"}", m.service, key.route, key.status)
		fmt.Fprintf(&text, "shop_request_seconds_sum%s %g\n", labels, m.requests[key].seconds)
		fmt.Fprintf(&text, "shop_request_seconds_count%s %d\n", labels, m.requests[key].count)
	}
	_, _ = w.Write([]byte(text.String()))
}
