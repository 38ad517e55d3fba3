package memory_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// Inputs of both roles come in any order, between responses of any kind. A system
// message with content always stands behind a user message or the result of a
// server tool, and in front of a response or at the end (wire §2.6); none is
// lost, and what a response was made from stays as it was.
func TestSystemMessagesStandWhereTheyMay(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		log := memory.NewLog()
		given, forks := 0, 0
		var answered []transport.Message // what the newest answer that stands was made from
		for range 30 {
			s := log.State()
			switch n := rng.IntN(10); {
			case n < 3 || len(log.Messages()) == 0:
				given++
				mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.UserText(fmt.Sprint("u", given))})
			case n < 6:
				given++
				m := transport.SystemText(fmt.Sprint("s", given))
				if n == 3 {
					m.ClearAt = "next_user_message"
				}
				mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: m})
			case len(s.Open) > 0:
				mustAppend(t, log, memory.Record{Kind: memory.KindResult, Block: s.Open[0].Answer(transport.Text("r"))})
			case n == 6:
				log, forks = log.Fork(), forks+1
			case s.Input || s.Pending || s.Response == nil || s.Response.StopReason == transport.StopToolUse:
				before := log.Messages()
				r := answer(t, []string{
					`"end_turn","content":[{"type":"text","text":"a"}]`,
					`"tool_use","content":[{"type":"tool_use","id":"` + fmt.Sprint("t", seed, log.Len()) + `","name":"f","input":{}}]`,
					`"end_turn","content":[{"type":"server_tool_use","id":"v","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"v","content":[]}]`,
					`"refusal","content":[]`,
					`"end_turn","content":[]`,
				}[rng.IntN(5)])
				mustAppend(t, log, memory.Record{Kind: memory.KindResponse, Response: r})
				if now := log.Messages(); len(now) > len(before) {
					answered = before
				}
			}
			messages := log.Messages()
			for i, m := range answered {
				if m.Text() != messages[i].Text() || m.Role != messages[i].Role {
					t.Fatalf("seed %d: message %d changed from %q to %q", seed, i, m.Text(), messages[i].Text())
				}
			}
			checkPlaces(t, seed, messages)
		}
		for len(log.State().Open) > 0 {
			mustAppend(t, log, memory.Record{Kind: memory.KindResult, Block: log.State().Open[0].Answer()})
		}
		mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.UserText("last")})
		found := 0
		for _, m := range log.Messages() {
			if m.Role != transport.RoleAssistant && m.Text() != "" && m.Text() != "last" {
				found++
			}
		}
		if found != given {
			t.Fatalf("seed %d: %d of %d inputs are there", seed, found, given)
		}
		checkPlaces(t, seed, log.Messages())
	}
}

func mustAppend(t *testing.T, log *memory.Log, r memory.Record) {
	t.Helper()
	if err := log.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func answer(t *testing.T, stopAndContent string) *transport.Response {
	t.Helper()
	r, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"m","usage":{},"stop_reason":` + stopAndContent + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func checkPlaces(t *testing.T, seed uint64, messages []transport.Message) {
	t.Helper()
	before := -1 // the newest message that is not of the system
	for i, m := range messages {
		if m.Role != transport.RoleSystem {
			if i > 0 && messages[i-1].Role == transport.RoleSystem && m.Role != transport.RoleAssistant {
				t.Fatalf("seed %d: a %s message stands behind system message %d", seed, m.Role, i-1)
			}
			before = i
			continue
		}
		if before < 0 {
			t.Fatalf("seed %d: system message %d stands first", seed, i)
		}
		if b := messages[before]; b.Role == transport.RoleAssistant && b.Content[len(b.Content)-1].Type() != view.TypeWebSearchToolResult {
			t.Fatalf("seed %d: system message %d stands behind a response", seed, i)
		}
	}
}

// A paused turn may have calls to answer, and is not cut off by that.
func TestCallsOfAPausedTurnAreNotCut(t *testing.T) {
	log := memory.NewLog()
	mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")})
	const calls = `,"content":[{"type":"tool_use","id":"t","name":"f","input":{}}]`
	mustAppend(t, log, memory.Record{Kind: memory.KindResponse, Response: answer(t, `"pause_turn"`+calls)})
	if s := log.State(); s.Counts.Cuts != 0 || s.Open[0].Cut {
		t.Errorf("paused: %+v, cut %v", s.Counts, s.Open[0].Cut)
	}
	mustAppend(t, log, memory.Record{Kind: memory.KindResult, Block: transport.ToolResult("t")})
	mustAppend(t, log, memory.Record{Kind: memory.KindResponse, Response: answer(t, `"max_tokens"`+calls)})
	if s := log.State(); s.Counts.Cuts != 1 || !s.Open[0].Cut {
		t.Errorf("cut off: %+v, cut %v", s.Counts, s.Open[0].Cut)
	}
}
