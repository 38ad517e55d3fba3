package agent_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
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

// The windows of steps that are compared: 30 from the 10th on, and the last 30.
const workEarly, workWindow = 10, 30

// In a thread a step late in a conversation allocates what an early one does, in the
// client and in the simulator, and sends as much; the simulator looks at as many blocks.
func TestThreadWorkIsFlat(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const steps = 1000
	looked := 0
	sim := &countingServer{Handler: simulator.New(simulator.Options{Model: simulator.Loop{Turns: steps}, Now: time.Now, Observe: func(ex simulator.Exchange) { looked = ex.Looked }})}
	run := threadAgent(t, &threadWire{sim: sim}, "on", 1000, nil).NewRun(agent.Input{Prompt: "go"})
	names := []string{"the client's bytes", "the client's objects", "bytes sent", "the simulator's bytes", "the simulator's objects", "blocks that it looked at"}
	var last [6]float64 // sums before the step
	var early, late [6][]float64
	sent := 0.0
	for ev, err := range run.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventResponse {
			sent += float64(ev.Response.Meta.Sent)
		}
		if ev.Type != agent.EventStep {
			continue
		}
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		sums := [6]float64{float64(now.TotalAlloc - sim.allocated), float64(now.Mallocs - sim.objects), sent, float64(sim.allocated), float64(sim.objects), last[5] + float64(looked)}
		for w, from := range map[*[6][]float64]int{&early: workEarly, &late: steps - workWindow} {
			if from < ev.Step && ev.Step <= from+workWindow {
				for i := range sums {
					w[i] = append(w[i], sums[i]-last[i])
				}
			}
		}
		last = sums
	}
	// The middle one: lists that grow are copied once in a while.
	middle := func(list []float64) float64 {
		slices.Sort(list)
		return list[len(list)/2]
	}
	for i, name := range names {
		if len(early[i]) != workWindow || len(late[i]) != workWindow {
			t.Fatalf("%s: %d early steps and %d late ones", name, len(early[i]), len(late[i]))
		}
		a, b := middle(early[i]), middle(late[i])
		t.Logf("%s: %.0f a step at 10 steps, %.0f at %d", name, a, b, steps)
		if a == 0 || b > 1.1*a {
			t.Errorf("%s: %.0f a step at 10 steps, %.0f at %d: %.2f times", name, a, b, steps, b/a)
		}
	}
}

// In a thread a step late in a conversation takes as many statements as an early one:
// those of all packages of the library are counted, so that a loop over the
// conversation shows, and where it is.
func TestThreadStatementsAreFlat(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("compiles the library with counters")
	}
	dir, steps := t.TempDir(), 1000
	command := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "GOCOVERDIR="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, args, err, out)
		}
	}
	program := filepath.Join(dir, "threadsteps")
	const all = "github.com/whorl-go/whorl/..." // not optimized: that takes half as long
	command("go", "build", "-cover", "-covermode=atomic", "-coverpkg="+all, "-gcflags="+all+"=-N -l", "-ldflags=-s -w", "-o", program, "./testdata/threadsteps")
	parts := []string{filepath.Join(dir, "early"), filepath.Join(dir, "late")}
	for _, part := range parts {
		if err := os.Mkdir(part, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command(program, append([]string{strconv.Itoa(steps)}, parts...)...)
	var counts [2]map[string]float64 // statements a step, by the block of code
	for i, part := range parts {
		command("go", "tool", "covdata", "textfmt", "-i="+part, "-o="+part+".txt")
		text, err := os.ReadFile(part + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		counts[i] = map[string]float64{}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			if f := strings.Fields(line); len(f) == 3 {
				statements, _ := strconv.ParseFloat(f[1], 64)
				times, _ := strconv.ParseFloat(f[2], 64)
				counts[i][f[0]] += statements * times / workWindow
			}
		}
	}
	of := func(counts map[string]float64, simulators bool) (sum float64) {
		for block, n := range counts {
			if strings.Contains(block, "/transport/simulator/") == simulators {
				sum += n
			}
		}
		return sum
	}
	for name, simulators := range map[string]bool{"the client": false, "the simulator": true} {
		a, b := of(counts[0], simulators), of(counts[1], simulators)
		t.Logf("%s: %.0f statements a step at 10 steps, %.0f at %d", name, a, b, steps)
		if a < 1000 || b > 1.05*a {
			t.Errorf("%s: %.0f statements a step at 10 steps, %.0f at %d: %.2f times", name, a, b, steps, b/a)
		}
	}
	for block, b := range counts[1] {
		// Statements that run once a message would have run about 1,900 times more often.
		if a := counts[0][block]; b-a > 400 {
			t.Errorf("%s: %.0f times a step at 10 steps, %.0f at %d", block, a, b, steps)
		}
	}
}
