package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// The time before an attempt doubles, up to the most, is at least half of that and
// never more, and no two are the same for all.
func TestBackoffDoubles(t *testing.T) {
	w := new(Worker)
	for _, tt := range []struct {
		n    int
		want time.Duration // at the most
	}{
		{1, time.Second}, {2, 2 * time.Second}, {3, 4 * time.Second}, {6, 32 * time.Second}, {7, time.Minute}, {1000, time.Minute},
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := w.backoff(tt.n, time.Second, time.Minute)
			if seen[d] = true; d < tt.want/2 || d > tt.want {
				t.Fatalf("the time before attempt %d is %v, want %v to %v", tt.n, d, tt.want/2, tt.want)
			}
		}
		if len(seen) < 2 {
			t.Errorf("all processes wait for the same time before attempt %d", tt.n)
		}
	}
	if d := w.backoff(1, time.Hour, time.Minute); d < 30*time.Second || d > time.Minute {
		t.Errorf("%v is more than the most", d)
	}
	if d := w.backoff(30, 1<<60, 1<<61); d < 1<<60 {
		t.Errorf("what is too large for a duration became %v", d)
	}
}

// What sets a session aside is its own failure, not one of what it runs on.
func TestPasses(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&transport.Error{Status: 429}, true}, {&transport.Error{Status: 500}, true}, {&transport.Error{Status: 529}, true},
		{&transport.Error{Status: 499}, false}, {&transport.Error{Status: 401}, false}, {&transport.Error{Status: 404}, false},
		{&transport.StreamError{Err: io.ErrUnexpectedEOF}, true}, {&net.DNSError{}, true},
		{memory.ErrUnavailable, true}, {memory.ErrLocked, true}, {memory.ErrConflict, false}, {io.EOF, false},
	} {
		if got := passes(fmt.Errorf("a run: %w", tt.err)); got != tt.want {
			t.Errorf("%T %v: %v", tt.err, tt.err, got)
		}
	}
}

// A session that is set aside, or has failed a moment ago, rests; a message, a time that
// is over and a clock that is wrong end that.
func TestRests(t *testing.T) {
	now := time.Now()
	w := &Worker{clock: &clock{machine: func() time.Time { return now }}}
	again := func(d time.Duration) map[string]string {
		return map[string]string{metaAgain: now.Add(d).UTC().Format(time.RFC3339Nano)}
	}
	for _, tt := range []struct {
		name string
		meta map[string]string
		want bool
	}{
		{"a new one", nil, false},
		{"one that waits for its next attempt", again(time.Minute), true},
		{"one whose attempt is due", again(0), false},
		{"one whose time has passed", again(-time.Second), false},
		{"one whose time is an hour off", again(time.Hour), false},
		{"one whose time can't be read", map[string]string{metaAgain: "soon"}, false},
		{"one that is set aside", map[string]string{metaAside: "x", metaQueued: "7"}, true},
		{"one that has a message since", map[string]string{metaAside: "x", metaQueued: "6"}, false},
	} {
		if got := w.rests(memory.Info{Queued: 7, Meta: tt.meta}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A session runs once at a time, and not while it is left alone.
func TestBeginOnce(t *testing.T) {
	now := time.Now()
	w := &Worker{running: map[string]context.CancelCauseFunc{}, left: map[string]time.Time{}, freed: make(chan struct{}, 1), clock: &clock{machine: func() time.Time { return now }}}
	if !w.begin("a") || w.begin("a") || !w.begin("b") {
		t.Error("a session began twice, or not at all")
	}
	w.end("a")
	w.end("b") // does not wait for anybody to hear of the first
	if len(w.freed) != 1 || !w.begin("a") {
		t.Error("the end is not told, or the session can't begin again")
	}
	if w.leave("c", time.Minute); w.begin("c") || !w.left["c"].Equal(now.Add(time.Minute)) {
		t.Errorf("one to be left alone, until %v", w.left["c"])
	}
}

// An error is kept in metadata by its first words, at most 500 letters.
func TestBrief(t *testing.T) {
	for n, want := range map[int]int{1: 1, 500: 500, 501: 500, 5000: 500} {
		got := []rune(brief(errors.New(strings.Repeat("é", n))))
		if len(got) != want || (got[len(got)-1] == '…') != (n > 500) {
			t.Errorf("%d letters became %d", n, len(got))
		}
	}
}

// A field of a schedule has these values and no others.
func TestCronFields(t *testing.T) {
	for field, want := range map[string]string{
		"*": "0 1 2 3 4 5 6 7", "3": "3", "1-3": "1 2 3", "*/3": "0 3 6", "2/2": "2 4 6", "1-6/2": "1 3 5", "0,7": "0 7", "1-1": "1",
		"8": "!", "-1": "!", "6-8": "!", "3-1": "!", "*/0": "!", "*/-1": "!", "": "!", "1,": "!", "1-": "!", "1/x": "!",
	} {
		set, why := cronField(field, 0, 7)
		var got []string
		for v := range 64 {
			if set&(1<<v) != 0 {
				got = append(got, fmt.Sprint(v))
			}
		}
		if why != "" {
			got = []string{"!"}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v %s, want %s", field, got, why, want)
		}
	}
	if at := Every(-time.Second)(time.Now()); !at.IsZero() {
		t.Errorf("every negative time comes at %v", at)
	}
}

// A pause is the longest that was asked for, and one of a clock that is wrong is none.
func TestPauses(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	for _, tt := range []struct {
		name        string
		told        string
		before      time.Duration
		want        time.Duration
		asked, back time.Duration
	}{
		{"none", "", 0, 0, 0, 0},
		{"what others have told", "1m", 0, time.Minute, 0, 0},
		{"a longer one of one's own", "1m", 2 * time.Minute, 2 * time.Minute, 0, 0},
		{"one that is too far ahead", "10m", 0, 0, 0, 0},
		{"one almost as far", "9m59s", 0, 9*time.Minute + 59*time.Second, 0, 0},
		{"what the service asks for", "", 0, time.Minute, time.Minute, time.Second},
		{"the back-off, if that is longer", "", 0, time.Second, 0, time.Second},
		{"no shorter one", "", 2 * time.Minute, 2 * time.Minute, time.Minute, time.Second},
	} {
		store := new(memory.RAM)
		w := &Worker{o: Options{Store: store, Backoff: tt.back}, clock: &clock{machine: func() time.Time { return now }}, pause: now.Add(tt.before)}
		w.meta, _ = memory.As[memory.MetaSetter](store)
		if tt.told != "" {
			d, err := time.ParseDuration(tt.told)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := memory.Create(store, pauseSession, nil); err != nil {
				t.Fatal(err)
			}
			other := &Worker{o: Options{Store: store}, clock: w.clock, meta: w.meta}
			other.share(t.Context(), d)
		}
		if tt.back > 0 {
			w.share(t.Context(), tt.asked)
		}
		if err := w.readPause(context.Background()); err != nil || !w.pause.Equal(now.Add(tt.want)) {
			t.Errorf("%s: %v, %v, want %v", tt.name, w.pause.Sub(now), err, tt.want)
		}
	}
}
