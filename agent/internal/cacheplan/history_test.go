package cacheplan

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

const picture = `{"type":"image","source":{"type":"url","url":"https://x.test/i.png"}}`

// What is remembered of a conversation's requests counts for the same configuration
// only, and not where a picture has changed what is found.
func TestObservedIsOfOneConfiguration(t *testing.T) {
	loop := []transport.Message{transport.UserText("q"), {Role: "assistant", Content: []transport.Block{transport.Text("a")}}, transport.UserText("r")}
	p := Prompt{Messages: loop, Requests: keyed(sent(2*time.Minute, 1, time.Minute, 2), 1), Configs: keys, Key: keys[0], Now: at}
	fresh := func(p Prompt) History { p.Observed = nil; return Observe(&p) }
	p.Observed = new(Observed)
	if got := Observe(&p); got != fresh(p) || got.Readable != 2000 {
		t.Errorf("%+v", got)
	}
	other := p
	other.Key = keys[2]
	if got := Observe(&other); got != fresh(other) || got.Readable != 0 {
		t.Errorf("of another configuration: %+v", got)
	}
	shows := p
	shows.Observed = new(Observed)
	shows.Messages = []transport.Message{loop[0], loop[1], {Role: "user", Content: []transport.Block{block(t, picture)}}}
	if got := Observe(&shows); got.Readable != 0 || got.place != 0 {
		t.Errorf("behind the first picture nothing of the messages is found: %+v", got)
	}
	shows.Messages = loop
	if got := Observe(&shows); got != fresh(shows) || got.Readable != 2000 {
		t.Errorf("and without it: %+v", got)
	}
}

// Marks are looked for in new messages only, of one list that grows.
func TestMessagesWithoutMarks(t *testing.T) {
	marked := transport.Message{Role: "user", Content: []transport.Block{block(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`)}}.Measured()
	plain := transport.UserText("q").Measured()
	list := []transport.Message{plain, plain, plain}
	var o Observed
	for _, tt := range []struct {
		name     string
		messages []transport.Message
		want     int
	}{
		{"none", nil, 0},
		{"all", list, 3},
		{"the same again", list, 3},
		{"fewer of them", list[:2], 2},
		{"another list", []transport.Message{plain, marked, plain}, 1},
		{"one that begins with a mark", []transport.Message{marked, plain, plain}, 0},
	} {
		if got := o.withoutMarks(tt.messages); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		if got := (*Observed)(nil).withoutMarks(tt.messages); got != 0 {
			t.Errorf("%s: %d where nothing is remembered", tt.name, got)
		}
	}
}

// An entry counts as gone five seconds before its time, and a time between 5 minutes and
// an hour as a pause.
func TestPass(t *testing.T) {
	for _, tt := range []struct {
		d                     time.Duration
		warm, paused, lasting bool
	}{
		{0, true, false, true},
		{5*time.Minute - 5*time.Second - 1, true, false, true},
		{5*time.Minute - 5*time.Second, false, true, true},
		{5 * time.Minute, false, true, true},
		{time.Hour - 5*time.Second - 1, false, true, true},
		{time.Hour - 5*time.Second, false, false, false},
		{2 * time.Hour, false, false, false},
	} {
		h := History{lasting: 7}
		h.pass(tt.d)
		if h.warm != tt.warm || h.paused != tt.paused || (h.lasting == 7) != tt.lasting {
			t.Errorf("%v: %+v", tt.d, h)
		}
		pauses := 0
		if tt.paused {
			pauses = 1
		}
		if h.otherwise.times != 1 || h.otherwise.pauses != pauses || h.pauses() != pauses || h.afterPause.times != 0 {
			t.Errorf("%v: counted as %+v, %+v", tt.d, h.otherwise, h.afterPause)
		}
		if h.pass(0); (h.afterPause.times == 1) != tt.paused {
			t.Errorf("%v: what follows is counted as %+v, %+v", tt.d, h.otherwise, h.afterPause)
		}
	}
}

// What the next request surely reads, and what is left of an entry of an hour.
func TestReadable(t *testing.T) {
	messages := []transport.Message{transport.UserText("q"), {Role: "assistant", Content: []transport.Block{transport.Text("a")}}, transport.UserText("r")}
	sums := func(sends []memory.Request) []memory.Request { sends[len(sends)-1].Sums = true; return sends }
	lost := func(sends []memory.Request, read int64) []memory.Request {
		s := &sends[len(sends)-1]
		s.Written5m += s.Read - read
		s.Read = read
		return sends
	}
	hour := func(sends []memory.Request) []memory.Request { // the first one's writing lives for an hour
		sends[0].Written1h, sends[0].Written5m = sends[0].Written5m, 0
		return sends
	}
	for _, tt := range []struct {
		name              string
		sends             []memory.Request
		readable, lasting int64
		gone              bool
	}{
		{"nothing was sent", nil, 0, 0, false},
		{"all in time", sent(2*time.Minute, 1, time.Minute, 2), 2000, 0, false},
		{"after a pause", sent(12*time.Minute, 1, 10*time.Minute, 2), 0, 0, false},
		{"with an anchor, in time", anchored(sent(2*time.Minute, 1, time.Minute, 2), 100), 2000, 1100, false},
		{"with an anchor, after a pause", anchored(sent(12*time.Minute, 1, 10*time.Minute, 2), 100), 1100, 1100, false},
		{"with an anchor, after hours", anchored(sent(3*time.Hour, 1, 2*time.Hour, 2), 100), 0, 0, false},
		{"an entry of an hour that is read", hour(sent(22*time.Minute, 1, 10*time.Minute, 2)), 1000, 1000, false},
		{"one that was gone after a pause", hour(lost(sent(22*time.Minute, 1, 10*time.Minute, 2), 400)), 0, 0, true},
		{"one of which at least half was read", hour(lost(sent(22*time.Minute, 1, 10*time.Minute, 2), 500)), 0, 0, false},
		{"one that was not read in time, as the prompt was changed", hour(lost(sent(11*time.Minute, 1, 10*time.Minute, 2), 0)), 0, 0, false},
		{"sums over samplings tell nothing of it", sums(hour(lost(sent(22*time.Minute, 1, 10*time.Minute, 2), 0))), 1000, 1000, false},
	} {
		h := Observe(&Prompt{Messages: messages, Requests: tt.sends, Now: at})
		if h.Readable != tt.readable || h.lasting != tt.lasting || h.gone != tt.gone {
			t.Errorf("%s: %d readable, %d lasting, gone %v; want %d, %d, %v", tt.name, h.Readable, h.lasting, h.gone, tt.readable, tt.lasting, tt.gone)
		}
	}
	thought := transport.Message{Role: "assistant", Content: []transport.Block{block(t, `{"type":"thinking","thinking":"","signature":"s"}`)}}
	turns := Prompt{Messages: []transport.Message{messages[0], thought, {Role: "user", Content: []transport.Block{transport.ToolResult("a")}}, messages[1], messages[2]}, Requests: sent(2*time.Minute, 1, time.Minute, 3), Now: at}
	turns.Model.Thinking.Kept = models.Unsupported
	if h := Observe(&turns); h.Readable != 1000 || h.turn != 1 {
		t.Errorf("a model that drops thinking reads up to the input of the turn before: %d", h.Readable)
	}
	turns.Messages = turns.Messages[:4]
	if h := Observe(&turns); h.Readable != 3000 {
		t.Errorf("but in the same turn all: %d", h.Readable)
	}
	if h := Observe(&Prompt{Messages: messages, Requests: []memory.Request{{At: at, Messages: 1, Prompt: 9}}, Now: at}); h.reads.all.times != 0 {
		t.Errorf("nothing was cached, so nothing is about to be read: %+v", h.reads)
	}
	price := models.Price{Input: 1, CacheWrite5m: 10, CacheWrite1h: 100, CacheRead: 1000}
	one := []memory.Request{{At: at, Messages: 1, Prompt: 10, Read: 1, Written5m: 2, Written1h: 3}}
	if h := Observe(&Prompt{Model: models.Model{Prices: []models.Price{price}}, Requests: one, Now: at}); h.spent != 4+1000+20+300 || h.insured != 270 {
		t.Errorf("%v was spent, %v of it for an hour", h.spent, h.insured)
	}
}

// With the thinking of the turn before goes what was cached behind its input.
func TestDropThinking(t *testing.T) {
	thought := transport.Message{Role: "assistant", Content: []transport.Block{transport.Text("a"), block(t, `{"type":"thinking","thinking":"","signature":"s"}`)}}
	redacted := transport.Message{Role: "assistant", Content: []transport.Block{block(t, `{"type":"redacted_thinking","data":"x"}`)}}
	plain := transport.Message{Role: "assistant", Content: []transport.Block{transport.Text("a")}}
	for _, tt := range []struct {
		name            string
		turn, place     int
		lasting         int64
		second          transport.Message
		cached, lastsAt int64
	}{
		{"thinking behind the input", 1, 2, 800, thought, 900, 800},
		{"hidden thinking", 1, 2, 800, redacted, 900, 800},
		{"an entry of an hour behind it", 1, 2, 901, thought, 900, 0},
		{"no thinking", 1, 2, 901, plain, 2000, 901},
		{"thinking that was not sent yet", 1, 1, 901, thought, 2000, 901},
		{"thinking before the input", 2, 2, 901, thought, 2000, 901},
		{"a log that is shorter now", 5, 7, 901, thought, 2000, 901},
	} {
		h := History{turn: tt.turn, turnTokens: 900, place: tt.place, cached: 2000, lasting: tt.lasting}
		h.dropThinking([]transport.Message{transport.UserText("q"), tt.second})
		if h.cached != tt.cached || h.lasting != tt.lastsAt {
			t.Errorf("%s: %d cached, %d lasting; want %d, %d", tt.name, h.cached, h.lasting, tt.cached, tt.lastsAt)
		}
	}
}

// The chance of a pause is what was seen and, with little weight, what was told.
func TestLikely(t *testing.T) {
	type habit = struct{ times, pauses int }
	for _, tt := range []struct {
		name string
		h    History
		c    Options
		want float64
	}{
		{"nothing known", History{}, Options{}, 1.0 / 64},
		{"seen", History{otherwise: habit{3, 1}}, Options{}, (1 + 0.5/64) / 3.5},
		{"told", History{}, Options{Pause: 10 * time.Minute}, 0.9},
		{"told after six", History{}, Options{Pause: 10 * time.Minute, PauseEvery: 6}, 0.15},
		{"told and seen", History{otherwise: habit{6, 0}}, Options{Pause: 10 * time.Minute, PauseEvery: 6}, 0.9 / 12},
		{"told of one that nothing survives", History{}, Options{Pause: 2 * time.Hour}, 0},
		{"told of one that everything survives", History{}, Options{Pause: time.Minute}, 0},
		{"just paused", History{paused: true, otherwise: habit{2, 1}}, Options{}, 0.5},
		{"just paused, as often", History{paused: true, otherwise: habit{2, 1}, afterPause: habit{1, 0}}, Options{}, 0.25 / 1.5},
	} {
		if got := tt.h.likely(tt.c); got < tt.want-1e-12 || got > tt.want+1e-12 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	for d, want := range map[time.Duration]bool{0: false, 5*time.Minute - 5*time.Second - 1: false, 5*time.Minute - 5*time.Second: true, time.Hour - 5*time.Second - 1: true, time.Hour - 5*time.Second: false} {
		if o := (Options{Pause: d}); o.survivable() != want {
			t.Errorf("a pause of %v can be survived: %v", d, !want)
		}
	}
}
