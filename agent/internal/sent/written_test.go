package sent

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// What an endpoint lacks words for is said otherwise or left out, and the counts of
// messages go with it, those beyond the last one too.
func TestWriteCounts(t *testing.T) {
	block := func(raw string) transport.Block {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	change := transport.Message{Role: transport.RoleSystem, Content: []transport.Block{block(`{"type":"tool_removal","tool_name":"f"}`)}}
	both := transport.Message{Role: transport.RoleSystem, Content: []transport.Block{change.Content[0], transport.Text("said")}}
	summary := transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{block(`{"type":"compaction","content":"summed up"}`)}}
	blank := transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{block(`{"type":"compaction","content":" "}`)}}
	system := transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("rule")}}
	user := transport.UserText("hi")
	all := Lacks{true, true, true}
	for _, tt := range []struct {
		name     string
		lacks    Lacks
		messages []transport.Message
		want     string
		changed  bool
		count    []int // of 0, 1, … messages of the log, and one more than it has
		inLog    []int // of 0, 1, … of what they became
	}{
		{"nothing lacks", Lacks{}, []transport.Message{system, user}, "system:rule user:hi", false, []int{0, 1, 2, 3}, []int{0, 1, 2}},
		{"nothing is lacked", all, []transport.Message{user, user}, "user:hi user:hi", false, []int{0, 1, 2, 3}, []int{0, 1, 2}},
		{"system", Lacks{System: true}, []transport.Message{user, system}, "user:hi user:rule", true, []int{0, 1, 2, 3}, []int{0, 1, 2}},
		{"a change of tools", Lacks{ToolChanges: true}, []transport.Message{user, change, user}, "user:hi user:hi", true, []int{0, 1, 1, 2, 2}, []int{0, 2, 3}},
		{"a change at the beginning", Lacks{ToolChanges: true}, []transport.Message{change, user}, "user:hi", true, []int{0, 0, 1, 1}, []int{1, 2}},
		{"a change that says something", Lacks{ToolChanges: true}, []transport.Message{both, system}, "system:said system:rule", true, []int{0, 1, 2, 3}, []int{0, 1, 2}},
		{"a rule where no tools change", Lacks{ToolChanges: true}, []transport.Message{user, system}, "user:hi system:rule", false, []int{0, 1, 2, 3}, []int{0, 1, 2}},
		{"a change as a user's", Lacks{System: true}, []transport.Message{both, change}, "user:said", true, []int{0, 1, 1, 1}, []int{0, 2}},
		{"a summary", Lacks{Summaries: true}, []transport.Message{summary, user}, "user:summed up user:hi", true, []int{0, 1, 2, 3}, []int{0, 1, 2}},
		{"a summary further on", Lacks{Summaries: true}, []transport.Message{user, summary}, "user:hi assistant:", false, []int{0, 1, 2, 3}, []int{0, 1, 2}},
		{"a blank summary", Lacks{Summaries: true}, []transport.Message{blank}, "assistant:", false, []int{0, 1, 2}, []int{0, 1}},
	} {
		before := slices.Clone(tt.messages)
		c := Write(tt.messages, tt.lacks)
		var said []string
		for _, m := range c.Messages {
			words := ""
			for _, b := range m.Content {
				words += text(b)
			}
			said = append(said, string(m.Role)+":"+words)
		}
		if got := strings.Join(said, " "); got != tt.want || c.Changed != tt.changed {
			t.Errorf("%s: %s, changed %v; want %s", tt.name, got, c.Changed, tt.want)
		}
		for i, m := range before {
			if tt.messages[i].Role != m.Role || len(tt.messages[i].Content) != len(m.Content) {
				t.Errorf("%s: the log's message %d was changed", tt.name, i)
			}
		}
		for n, want := range tt.count {
			if got := c.Count(n); got != want && n <= len(tt.messages) || got != want && c.ends != nil {
				t.Errorf("%s: the first %d are %d, want %d", tt.name, n, got, want)
			}
		}
		for n, want := range tt.inLog {
			if got := c.InLog(n); got != want {
				t.Errorf("%s: %d are the first %d of the log, want %d", tt.name, n, got, want)
			}
		}
	}
	c := Write([]transport.Message{user, change, user}, Lacks{ToolChanges: true})
	in := memory.State{Messages: 3, Sent: 2, Before: 1, Requests: []memory.Request{{Messages: 3}}}
	s := in
	if c.Adjust(&s); s.Messages != 2 || s.Sent != 1 || s.Before != 1 || s.Requests[0].Messages != 2 || in.Requests[0].Messages != 3 {
		t.Errorf("%+v of %+v", s, in)
	}
}

func text(b transport.Block) string {
	_, rest, _ := strings.Cut(string(b.Raw()), `"text":"`)
	words, _, _ := strings.Cut(rest, `"`)
	return words
}

// The names of what lacks are kept in the log, so that they don't change.
func TestNamesOfLacks(t *testing.T) {
	for want, l := range map[string]Lacks{"": {}, "system": {System: true}, "tool_changes": {ToolChanges: true}, "summaries": {Summaries: true}, "system tool_changes summaries": {true, true, true}} {
		if got := strings.Join(l.Names(), " "); got != want || lacking(l.Names()) != l {
			t.Errorf("%+v is %q, which is %+v", l, got, lacking(l.Names()))
		}
	}
}

// A Writer comes to what Write does, however the list has changed since, and doesn't
// go through what it has seen.
func TestWriterAgreesWithWrite(t *testing.T) {
	change, err := transport.ParseBlock([]byte(`{"type":"tool_removal","tool_name":"f"}`))
	if err != nil {
		t.Fatal(err)
	}
	kinds := []transport.Message{
		transport.UserText("hi"),
		{Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("yes")}},
		{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("rule")}},
		{Role: transport.RoleSystem, Content: []transport.Block{change}},
	}
	say := func(c Conversation) string {
		var out []byte
		for _, m := range c.Messages {
			out = m.AppendJSON(out)
		}
		return fmt.Sprintf("%s %v %v", out, c.Changed, c.ends)
	}
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		kinds := kinds[:1+rnd.IntN(len(kinds))] // at first there is little to change
		lacks := Lacks{rnd.IntN(2) == 0, rnd.IntN(2) == 0, true}
		var w Writer
		var list []transport.Message
		var before Conversation
		said := say(before)
		for step := range 30 {
			switch n := rnd.IntN(20); {
			case n == 0:
				list = slices.Clone(list) // of a fork
			case n == 1 && len(list) > 0:
				list = list[: len(list)-1 : len(list)-1] // a turn was taken back
			case n == 2:
				lacks.System = !lacks.System
			}
			for range rnd.IntN(4) {
				list = append(list, kinds[rnd.IntN(len(kinds))])
			}
			c := w.Write(slices.Clip(list), lacks)
			if got, want := say(c), say(Write(list, lacks)); got != want {
				t.Fatalf("seed %d, step %d: %s\nwant %s", seed, step, got, want)
			}
			if say(before) != said {
				t.Fatalf("seed %d, step %d: what was written the last time has changed", seed, step)
			}
			if cap(c.Messages) != len(c.Messages) {
				t.Fatal("who appends to what was written writes over what comes next")
			}
			before, said = c, say(c)
		}
	}

	list := []transport.Message{kinds[0], kinds[1], kinds[0]}
	var w Writer
	w.Write(list[:2], Lacks{System: true})
	list[1] = kinds[2] // which no log does
	if w.Write(list, Lacks{System: true}).Changed {
		t.Error("a message was looked at twice")
	}
}
