package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

const key = "sk-ant-planted-key-0123456789"

// meet runs the program against a handler that is in front of a simulator.
func meet(t *testing.T, url string, o options) (string, error) {
	t.Helper()
	o.url, o.key, o.live = url, secret.New(key), true
	if o.budget == 0 {
		o.budget = 0.50
	}
	if o.time == 0 {
		o.time = 5 * time.Minute
	}
	if o.wire == "" {
		o.wire = "../../docs/wire.md"
	}
	var out bytes.Buffer
	err := run(context.Background(), &out, o)
	return out.String(), err
}

// outcomes reads the ids of what was said of a verdict.
func outcomes(out, outcome string) []string {
	var ids []string
	for line := range strings.Lines(out) {
		id, rest, ok := strings.Cut(line, "  ")
		if ok && strings.HasPrefix(strings.TrimSpace(rest), outcome+":") {
			ids = append(ids, id)
		} else if id, _, ok := strings.Cut(line, " "+outcome+":"); ok && len(id) < 25 {
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	return ids
}

// front is a simulator behind a handler that changes requests and answers.
func front(t *testing.T, opts simulator.Options, change func(w http.ResponseWriter, r *http.Request, body []byte, next http.Handler)) string {
	t.Helper()
	sim := simulator.New(opts)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if change != nil {
			change(w, r, body, sim)
			return
		}
		pass(w, r, body, sim)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// pass hands a request on with another body.
func pass(w http.ResponseWriter, r *http.Request, body []byte, next http.Handler) {
	in := r.Clone(r.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	next.ServeHTTP(w, in)
}

// edited hands a request on and changes the answer.
func edited(w http.ResponseWriter, r *http.Request, body []byte, next http.Handler, edit func(h http.Header, body string) string) {
	rec := httptest.NewRecorder()
	pass(rec, r, body, next)
	h := rec.Header()
	out := edit(h, rec.Body.String())
	h.Del("Content-Length")
	for k, v := range h {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	io.WriteString(w, out)
}

// A simulator agrees with itself, and what is written tells all and no secret.
func TestTheSimulatorAgrees(t *testing.T) {
	dir := t.TempDir()
	sim := simulator.StartTest(t, standIn())
	out, err := meet(t, sim.URL(), options{out: dir, light: testing.Short()})
	if err != nil || len(outcomes(out, differs)) > 0 || len(outcomes(out, agrees)) < 83 {
		t.Fatalf("%v\n%s", err, out)
	}
	md, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || !strings.Contains(string(md), "| G14 |") || !strings.Contains(string(md), "0 differ") {
		t.Errorf("%v: %.300s", err, md)
	}
	recorded, err := os.ReadFile(filepath.Join(dir, "recording.jsonl"))
	if err != nil || bytes.Count(recorded, []byte("\n")) < 100 || bytes.Contains(recorded, []byte(key)) {
		t.Errorf("%v: %d bytes are recorded", err, len(recorded))
	}
	for line := range bytes.Lines(recorded) {
		var x exchange
		if err := json.Unmarshal(line, &x); err != nil || x.Response.Status == 0 || x.Request.Body == "" && x.Request.Method == "POST" {
			t.Fatalf("%v: %.200s", err, line)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "wire.patch")); err == nil {
		t.Error("another host's answers are a patch of what is known of the Claude API")
	}
}

var guessRow = regexp.MustCompile(`(?m)^\| (G\d+) \| §`)

// Each guess of docs/wire.md is asked about, or there is a reason why it isn't.
func TestAllGuessesAreListed(t *testing.T) {
	data, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, m := range guessRow.FindAllStringSubmatch(string(data), -1) {
		want = append(want, m[1])
	}
	for _, p := range probes("G") {
		id, _, _ := strings.Cut(p.id, " ")
		got = append(got, id)
		if p.ask == "" || len(p.requests) == 0 && p.run == nil {
			t.Errorf("%s asks nothing", p.id)
		}
	}
	got = append(got, sortedIDs(unasked())...)
	slices.Sort(want)
	slices.Sort(got)
	got = slices.Compact(got)
	if len(want) < 90 || !slices.Equal(want, got) {
		t.Errorf("docs/wire.md §17 has %v\nhere are %v", want, got)
	}
}

// Ten differences are put into a simulator: all ten are found, and nothing else.
func TestSeededDifferences(t *testing.T) {
	opts := standIn()
	opts.Lookback = simulator.LookbackRuns
	words := func(old, new string) func(http.Header, string) string {
		return func(_ http.Header, s string) string { return strings.ReplaceAll(s, old, new) }
	}
	url := front(t, opts, func(w http.ResponseWriter, r *http.Request, body []byte, next http.Handler) {
		s := string(body)
		switch {
		case strings.Contains(s, `"temperature":0.5`): // G4
			edited(w, r, body, next, words("Extra inputs are not permitted", "is not available in this version"))
		case strings.Contains(s, `"stop_sequences":["a"," \n"],`): // G9
			pass(w, r, []byte(strings.Replace(s, `"stop_sequences":["a"," \n"],`, "", 1)), next)
		case strings.Contains(s, `"total":1024`): // G26
			pass(w, r, []byte(strings.Replace(s, `"total":1024`, `"total":1000`, 1)), next)
		case strings.Contains(s, `"media_type":"image/jpeg"`): // G30
			pass(w, r, []byte(strings.Replace(s, "image/jpeg", "image/png", 1)), next)
		case strings.Contains(s, strings.Repeat("f", 100)): // G37
			pass(w, r, []byte(strings.Replace(s, strings.Repeat("f", 100), strings.Repeat("f", 200), 1)), next)
		case strings.Contains(s, `"effort":"low"`) && strings.Contains(s, older): // G55
			edited(w, r, body, next, words("the effort parameter", "effort"))
		case strings.Contains(s, `"ttl":"1h"`) && strings.Contains(s, `"system"`): // kept cache
			edited(w, r, body, next, words("ephemeral_1h_input_tokens", "ephemeral_hour_tokens"))
		case r.URL.Path == "/v1/models": // G83
			edited(w, r, body, next, words(`"id":"claude-mythos-preview"`, `"id":"claude-mythos-older"`))
		case strings.Contains(s, "msg_01AAAAAAAAAAAAAAAAAAAAAA") && strings.Contains(s, haiku): // G89
			edited(w, r, body, next, func(h http.Header, s string) string { h.Del("x-should-retry"); return s })
		default: // G64 is the rule of looking back
			pass(w, r, body, next)
		}
	})
	out, err := meet(t, url, options{light: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"G26", "G30", "G37", "G4", "G55", "G64", "G83", "G89", "G9", "kept cache"}
	got := outcomes(out, differs)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("found %v, not %v\n%s", got, want, out)
	}
}

// With a fault in each tenth request nothing is said to differ, and the budget holds.
func TestFaultsAreNoDifferences(t *testing.T) {
	opts := standIn()
	opts.FaultRate = 0.1
	sim := simulator.StartTest(t, opts)
	out, err := meet(t, sim.URL(), options{light: true, pause: time.Millisecond, client: &http.Client{Timeout: time.Second}})
	if err != nil || len(outcomes(out, differs)) > 0 || len(outcomes(out, agrees)) < 75 {
		t.Errorf("%v\n%s", err, out)
	}
	if spent := spentIn(t, out); spent > 0.50 {
		t.Errorf("$%v", spent)
	}
}

func spentIn(t *testing.T, out string) float64 {
	t.Helper()
	m := regexp.MustCompile(`not asked; \$([0-9.]+) spent`).FindStringSubmatch(out)
	if m == nil {
		t.Fatal(out)
	}
	usd, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return usd
}

// What waits is asked if there is time, and found if it differs.
func TestLifetimes(t *testing.T) {
	for _, differ := range []bool{false, true} {
		var ahead atomic.Int64
		opts := standIn()
		opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		sim := simulator.StartTest(t, opts)
		waited := func(_ context.Context, d time.Duration) error {
			if !differ { // a cache that keeps all is one whose time stands still
				ahead.Add(int64(d))
			}
			return nil
		}
		out, err := meet(t, sim.URL(), options{only: "G6", time: 15 * time.Minute, sleep: waited, light: true})
		want := []string(nil)
		if differ {
			want = []string{"G65"}
		}
		if got := outcomes(out, differs); err != nil || !slices.Equal(got, want) || strings.Contains(out, "set -time") {
			t.Errorf("%v, %v: %v\n%s", differ, err, got, out)
		}
	}
	sim := simulator.StartTest(t, standIn())
	if out, err := meet(t, sim.URL(), options{only: "G65"}); err != nil || !strings.Contains(out, "set -time 15m") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheBudgetHolds(t *testing.T) {
	sim := simulator.StartTest(t, standIn())
	out, err := meet(t, sim.URL(), options{light: true, budget: 0.02})
	if spent := spentIn(t, out); err != nil || spent > 0.02 || spent < 0.001 || !strings.Contains(out, "the budget is used up") {
		t.Errorf("%v, $%v\n%s", err, spent, out)
	}
}

func TestTheTimeHolds(t *testing.T) {
	url := front(t, standIn(), func(w http.ResponseWriter, r *http.Request, body []byte, next http.Handler) {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	})
	out, err := meet(t, url, options{light: true, time: 50 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || len(outcomes(out, notAsked)) < 80 {
		t.Errorf("%v\n%s", err, out)
	}
}

// What ends the asking: the first answer tells it, and nothing more is asked.
func TestWhatEndsTheAsking(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		kind, body string
		want       error
		says       string
	}{
		"a key without credit": {400, "application/json", `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`, errNoCredit, "add credit"},
		"a wrong key":          {401, "application/json", `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key: ` + key + `"}}`, errKey, "check it"},
		"a page":               {200, "text/html", "<html>Welcome</html>", errNoAPI, "Welcome"},
		"another API":          {200, "application/json", `{"choices":[]}`, errNoAPI, "choices"},
		"nothing there":        {404, "text/plain", "404 page not found", errNoAPI, "404"},
		"a redirect":           {302, "text/plain", "", errNoAPI, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n++
				w.Header().Set("Content-Type", c.kind)
				w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			}))
			defer srv.Close()
			out, err := meet(t, srv.URL, options{light: true})
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) || n != 1 {
				t.Errorf("%d requests: %v", n, err)
			}
			if strings.Contains(out+fmt.Sprint(err), key) {
				t.Error("the key is told")
			}
		})
	}
	out, err := meet(t, "http://127.0.0.1:1", options{light: true, pause: time.Millisecond})
	var fault *faultError
	if !errors.As(err, &fault) || !strings.Contains(err.Error(), "refused") || strings.Contains(out, "agrees") {
		t.Errorf("%v", err)
	}
}

// A gateway that drops members and betas is told by what it doesn't keep.
func TestAGatewayThatDrops(t *testing.T) {
	url := front(t, standIn(), func(w http.ResponseWriter, r *http.Request, body []byte, next http.Handler) {
		r.Header.Del("anthropic-beta")
		var m map[string]json.RawMessage
		if json.Unmarshal(body, &m) == nil {
			for name := range m {
				if !slices.Contains([]string{"model", "messages", "max_tokens", "tools", "tool_choice", "system", "stream", "thinking", "stop_sequences"}, name) {
					delete(m, name)
				}
			}
			m["messages"] = regexp.MustCompile(`,"cache_control":\{[^}]*\}`).ReplaceAll(m["messages"], nil)
			m["system"] = regexp.MustCompile(`,"cache_control":\{[^}]*\}`).ReplaceAll(m["system"], nil)
			if len(m["system"]) == 0 {
				delete(m, "system")
			}
			body, _ = json.Marshal(m)
		}
		pass(w, r, body, next)
	})
	out, err := meet(t, url, options{only: "kept"})
	if err != nil {
		t.Fatal(err)
	}
	got := outcomes(out, differs)
	slices.Sort(got)
	if want := []string{"kept betas", "kept cache", "kept format", "kept strictness", "kept version"}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v\n%s", got, want, out)
	}
}

// Without a key nothing is asked, and what it would cost is told.
func TestWithoutAKey(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, options{light: true, budget: 0.5}); err != nil || !strings.Contains(out.String(), "Nothing was asked: there is no key") || !regexp.MustCompile(`questions would cost at most \$\d+\.\d\d`).MatchString(out.String()) {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := run(t.Context(), &out, options{only: "X"}); err == nil || !strings.Contains(err.Error(), "G1, G2 and so on") {
		t.Error(err)
	}
}

// The patch writes what was learned into the table, and git takes it.
func TestThePatchApplies(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "docs"), 0o755), os.WriteFile(filepath.Join(dir, "docs", "wire.md"), data, 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	r := &report{when: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	r.add(verdict{probe: probe{id: "G9"}, outcome: agrees, live: "400"})
	r.add(verdict{probe: probe{id: "G64"}, outcome: differs, live: "yes | no"})
	r.add(verdict{probe: probe{id: "G70"}, outcome: notAsked})
	patch, err := r.patch("docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("wire.patch", patch, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "apply", "--unidiff-zero", "wire.patch").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, patch)
	}
	after, err := os.ReadFile("docs/wire.md")
	if err != nil || strings.Count(string(after), "asked on 2026-12-01: agrees |") != 1 || strings.Count(string(after), `asked on 2026-12-01: differs, yes \| no |`) != 1 || strings.Count(string(after), "\n") != strings.Count(string(data), "\n") {
		t.Errorf("%v: %s", err, patch)
	}
}
