package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func TestBigResultsAreSpilled(t *testing.T) {
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("line %d: größer", i))
	}
	big := strings.Join(lines, "\n")
	dump := tools.Func("dump", "Dumps.", func(context.Context, struct{}) ([]transport.Block, error) {
		img, err := tools.Image{URL: "https://pages.example/a.png"}.Block()
		return []transport.Block{transport.Text(big), img}, err
	})
	small := echo("small")
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "dump", `{}`), use("b", "small", `{"x":1}`)),
		reply(t, "tool_use", use("c", "read_result", `{"id":"2-a","find":"LINE 4711:","length":300}`), use("d", "read_result", `{"id":"zz"}`), use("e", "read_result", `{"id":"2-a","offset":999999}`)),
		reply(t, "end_turn", text("done")),
	}}
	opts := agent.Options{Context: agent.ContextOptions{Spill: &agent.Spill{Over: 10_000, Preview: 400}}}
	if _, err := newAgent(t, s, opts, dump, small).Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.requests[0].Tools); n != 3 || s.requests[0].Tools[2].Name() != "read_result" {
		t.Errorf("%d tools", n)
	}
	shown := string(s.requests[1].Messages[2].AppendJSON(nil))
	for _, want := range []string{
		fmt.Sprintf("This result has %d bytes in 5000 lines. Bytes 0 to 300", len(big)), `read on with read_result, id \"2-a\"`,
		"line 0: größer", "line 4999: größer", `"type":"image"`, `{\"x\":1}`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in %.900s", want, shown)
		}
	}
	if len(shown) > 2000 {
		t.Errorf("%d bytes are shown", len(shown))
	}
	read := string(s.requests[2].Messages[4].AppendJSON(nil))
	for _, want := range []string{"line 4711: größer", `no shortened result has the id \"zz\"`, fmt.Sprintf("The result ends at byte %d.", len(big))} {
		if !strings.Contains(read, want) {
			t.Errorf("%q is not in %.900s", want, read)
		}
	}

	// It is there after a restart, and in a fork.
	again, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	s.replies = []any{reply(t, "tool_use", use("f", "read_result", `{"id":"2-a","offset":20}`)), reply(t, "end_turn", text("ok"))}
	res, err := newAgent(t, s, opts, dump, small).Run(t.Context(), agent.Input{Log: again.Fork(), Prompt: "more"})
	if err != nil {
		t.Fatal(err)
	}
	m := res.Log.Messages()
	if got := string(m[len(m)-2].AppendJSON(nil)); !strings.Contains(got, "[bytes 20 to 8212 of") && !strings.Contains(got, "[bytes 20 to 8211 of") {
		t.Errorf("%.200s", got)
	}
}

func TestSpillNeedsItsName(t *testing.T) {
	_, err := agent.New(agent.Options{Client: &script{}, Model: "m", Context: agent.ContextOptions{Spill: &agent.Spill{}}, Tools: []tools.Tool{echo("read_result")}})
	if err == nil || !strings.Contains(err.Error(), "read_result") {
		t.Errorf("%v", err)
	}
}

// A text is found where it stands, also behind letters that have another number of
// bytes in the other case.
func TestFindBehindOddLetters(t *testing.T) {
	big := strings.Repeat("İ", 3000) + " the Needle here " + strings.Repeat("x", 3000)
	dump := tools.Func("dump", "", func(context.Context, struct{}) (string, error) { return big, nil })
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "dump", `{}`)),
		reply(t, "tool_use", use("b", "read_result", `{"id":"2-a","find":"NEEDLE","length":300}`)),
		reply(t, "end_turn", text("done")),
	}}
	opts := agent.Options{Context: agent.ContextOptions{Spill: &agent.Spill{Over: 1000, Preview: 100}}}
	if _, err := newAgent(t, s, opts, dump).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if got := string(s.requests[2].Messages[4].AppendJSON(nil)); !strings.Contains(got, "the Needle here") {
		t.Errorf("read_result gives %.300s", got)
	}
}

// What a tool says went wrong stays an error, with all its words.
func TestErrorsAreNotSpilled(t *testing.T) {
	long := strings.Repeat("it is wrong, ", 100)
	fails := fake{name: "fails", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Result{IsError: true, Content: []transport.Block{transport.Text(long)}}, nil
	}}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "fails", `{}`)), reply(t, "end_turn", text("done"))}}
	opts := agent.Options{Context: agent.ContextOptions{Spill: &agent.Spill{Over: 100, Preview: 20}}}
	if _, err := newAgent(t, s, opts, fails).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if got := string(s.requests[1].Messages[2].AppendJSON(nil)); !strings.Contains(got, long) || !strings.Contains(got, `"is_error":true`) {
		t.Errorf("the model is shown %.300s", got)
	}
}

// What the model reads on in is shown whole, however small Over is: else it would never
// get to see it. Over is 16,384 where it is not given.
func TestWhatIsReadIsNotSpilled(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	for over, at := range map[int]int{100: 4, 0: 2} { // the message with what was read on in, or with the result itself
		big := fake{name: "big", call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Text(long), nil }}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "big", `{}`)), reply(t, "tool_use", use("b", "read_result", `{"id":"2-a","length":16384}`)), reply(t, "end_turn", text("done"))}}
		res, err := newAgent(t, s, agent.Options{Context: agent.ContextOptions{Spill: &agent.Spill{Over: over}}}, big).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{2, 4} {
			if has := strings.Contains(string(res.Log.Messages()[i].AppendJSON(nil)), long); has != (i == at) {
				t.Errorf("over %d bytes: message %d shows all of it: %v", over, i, has)
			}
		}
	}
}
