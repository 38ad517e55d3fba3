package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMeasure(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{Turns: 3, Parallel: 2}})
	l := load{base: sim.URL(), model: "claude-opus-5-5", turns: 3, parallel: 2, result: 100, system: 200, runs: 4, workers: 2, stream: true}
	f, err := l.measure(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if f.Runs != 4 || f.Turns != 3 || f.WallPerTurn <= 0 || f.AllocPerTurn <= 0 || f.MallocsPerTurn <= 0 || f.SentPerTurn <= 0 {
		t.Errorf("figures: %+v", f)
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key := range rawjson.Members(raw) {
		keys = append(keys, key)
	}
	want := strings.Fields("name runs turns cpu_us_per_turn wall_us_per_turn alloc_kb_per_turn mallocs_per_turn sent_kb_per_turn peak_rss_mb")
	if !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}

	l.runs = 0
	if f, err := l.measure(context.Background()); err != nil || f.CPUPerTurn != 0 || f.MallocsPerTurn != 0 {
		t.Errorf("no counted runs: %+v, %v", f, err)
	}
	l.turns = 2
	if _, err := l.measure(context.Background()); err == nil {
		t.Error("an endpoint that makes more calls than it should must be an error")
	}
}

func TestMoreTurnsThanTheDefaultLimit(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{Turns: 150}})
	l := load{base: sim.URL(), model: "claude-opus-5-5", turns: 150, parallel: 1, workers: 1}
	if _, err := l.measure(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestBadFlags(t *testing.T) {
	for _, l := range []load{{}, {base: "http://127.0.0.1:1", workers: 0}, {base: "http://127.0.0.1:1", workers: 1, turns: -1}, {base: "nonsense", workers: 1}} {
		if _, err := l.measure(context.Background()); err == nil {
			t.Errorf("%+v: no error", l)
		}
	}
}
