package agent_test

import (
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A countingServer says what the handler behind it has allocated.
type countingServer struct {
	http.Handler
	allocated, objects uint64
}

func (s *countingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.Handler.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	s.allocated += after.TotalAlloc - before.TotalAlloc
	s.objects += after.Mallocs - before.Mallocs
}

// In a thread a step late in a conversation allocates what an early one does, and sends
// as much. What the simulator does is not counted.
func TestThreadWorkIsFlat(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const steps, window = 1000, 30
	sim := &countingServer{Handler: simulator.New(simulator.Options{Model: simulator.Loop{Turns: steps}, Now: time.Now})}
	run := threadAgent(t, &threadWire{sim: sim}, "on", 1000, nil).NewRun(agent.Input{Prompt: "go"})
	type work struct{ allocated, objects, sent []float64 }
	var now, last runtime.MemStats
	var early, late work
	n := 0
	for ev, err := range run.Events(t.Context()) {
		switch {
		case err != nil:
			t.Fatal(err)
		case ev.Type == agent.EventResponse && n > 0:
			for w, from := range map[*work]int{&early: 10, &late: steps - window} {
				if from <= n && n < from+window {
					w.sent = append(w.sent, float64(ev.Response.Meta.Sent))
				}
			}
		case ev.Type == agent.EventStep:
			n = ev.Step
			if n < 10 || 10+window < n && n < steps-window {
				continue
			}
			runtime.ReadMemStats(&now)
			now.TotalAlloc -= sim.allocated
			now.Mallocs -= sim.objects
			for w, from := range map[*work]int{&early: 10, &late: steps - window} {
				if from < n && n <= from+window {
					w.allocated = append(w.allocated, float64(now.TotalAlloc-last.TotalAlloc))
					w.objects = append(w.objects, float64(now.Mallocs-last.Mallocs))
				}
			}
			last = now
		}
	}
	// The middle one: lists that grow are copied once in a while.
	middle := func(list []float64) float64 {
		slices.Sort(list)
		return list[len(list)/2]
	}
	for name, of := range map[string]func(work) []float64{
		"bytes": func(w work) []float64 { return w.allocated }, "objects": func(w work) []float64 { return w.objects }, "bytes sent": func(w work) []float64 { return w.sent },
	} {
		if len(of(early)) < window-1 || len(of(late)) < window-1 {
			t.Fatalf("%s: %d early steps and %d late ones", name, len(of(early)), len(of(late)))
		}
		a, b := middle(of(early)), middle(of(late))
		t.Logf("%s: %.0f a step at 10 steps, %.0f at %d", name, a, b, steps)
		if b > 1.1*a {
			t.Errorf("%s: %.0f a step at 10 steps, %.0f at %d: %.2f times", name, a, b, steps, b/a)
		}
	}
}
