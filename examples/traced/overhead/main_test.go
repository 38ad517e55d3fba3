//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// Each kind of telemetry gets through a round, and sends what it is made to.
func TestRounds(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{Turns: 3}})
	var traces, metrics atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/traces":
			traces.Add(1)
		case "/v1/metrics":
			metrics.Add(1)
		}
	}))
	defer sink.Close()
	kinds, err := newKinds(t.Context(), sink.URL)
	if err != nil {
		t.Fatal(err)
	}
	l := load{turns: 3, result: 100, system: 100, conversations: 2}
	for i := range kinds {
		spent, err := l.run(t.Context(), sim.URL(), &kinds[i])
		if err != nil || spent <= 0 {
			t.Errorf("%s: %v µs, %v", kinds[i].name, spent, err)
		}
		if err := kinds[i].close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if traces.Load() == 0 || metrics.Load() == 0 {
		t.Errorf("%d requests with spans, %d with metrics", traces.Load(), metrics.Load())
	}
}

func TestMore(t *testing.T) {
	off := kind{spent: []float64{100, 200, 100}}
	on := kind{spent: []float64{110, 210, 190}}
	if got := on.more(off); got < 0.0999 || got > 0.1001 {
		t.Errorf("%v more, want 0.1: the median of 0.1, 0.05 and 0.9", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median %v", got)
	}
}
