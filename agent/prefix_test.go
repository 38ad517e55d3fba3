package agent_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Invariant 2 over 10,000 random conversations: without marks, the body of each
// request begins with all tools, system blocks and messages of the one before
// it, whatever came between, in forks too, and never more than 4 marks.
func TestPrefixPropertyHolds(t *testing.T) {
	conversations := 10_000
	if testing.Short() {
		conversations = 1000
	}
	if raceEnabled { // all in one goroutine
		conversations = 100
	}
	a := newAgent(t, &script{}, agent.Options{System: "Be brief."}, echo("lookup"), echo("other"))
	requests, forks := 0, 0
	for seed := range uint64(conversations) {
		rng := rand.New(rand.NewPCG(seed, 3))
		log := memory.NewLog()
		add := func(r memory.Record) {
			t.Helper()
			if err := log.Append(t.Context(), r); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		add(memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")})
		var before *transport.Request
		for step := range 2 + rng.IntN(8) {
			req := a.Request(log)
			requests++
			if before != nil {
				checkPrefix(t, seed, before, req)
			}
			if before = req; len(req.Breakpoints) > 4 {
				t.Fatalf("seed %d: %d marks", seed, len(req.Breakpoints))
			}
			stop, content := randomAnswer(rng, step)
			add(memory.Record{Kind: memory.KindResponse, Response: reply(t, stop, content...)})
			if rng.IntN(4) == 0 { // steering, while calls are open or not
				m := transport.UserText(fmt.Sprint("steer ", step))
				if rng.IntN(2) == 0 {
					if m = transport.SystemText("from now on"); rng.IntN(2) == 0 {
						m.ClearAt = "next_user_message"
					}
				}
				add(memory.Record{Kind: memory.KindInput, Message: m})
			}
			open := log.State().Open
			rng.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
			for _, c := range open {
				answer := c.Answer
				if rng.IntN(5) == 0 {
					answer = c.AnswerError
				}
				add(memory.Record{Kind: memory.KindResult, Block: answer(transport.Text(fmt.Sprint("result ", rng.Uint64())))})
			}
			if !log.State().Pending && rng.IntN(3) == 0 {
				add(memory.Record{Kind: memory.KindInput, Message: transport.UserText(fmt.Sprint("more ", step))})
			}
			if rng.IntN(6) == 0 {
				log = log.Fork()
				forks++
			}
		}
	}
	if requests < 5*conversations || forks < conversations/10 {
		t.Errorf("only %d requests and %d forks", requests, forks)
	}
}

// randomAnswer is what a model might say: thinking, text, calls of client and
// server tools, unknown blocks, a paused turn.
func randomAnswer(rng *rand.Rand, step int) (stop string, content []string) {
	if rng.IntN(2) == 0 {
		content = append(content, fmt.Sprintf(`{"type":"thinking","thinking":"","signature":"s%d"}`, rng.Uint64()))
	}
	if rng.IntN(3) > 0 {
		content = append(content, text(strings.Repeat("é<&> ", 1+rng.IntN(9))))
	}
	if rng.IntN(5) == 0 {
		content = append(content, `{"type":"from_next_year","n":9007199254740993}`)
	}
	for i := range rng.IntN(4) {
		id := fmt.Sprintf("srv%d_%d", step, i)
		content = append(content, fmt.Sprintf(`{"type":"server_tool_use","id":%q,"name":"web_search","input":{"b":1,"a":2}}`, id),
			fmt.Sprintf(`{"type":"web_search_tool_result","tool_use_id":%q,"content":[]}`, id))
	}
	switch rng.IntN(5) {
	case 0:
		return "end_turn", append(content, text("so far"))
	case 1:
		return "pause_turn", append(content, text("wait"))
	case 2:
		return "max_tokens", append(content, text("cut"))
	}
	for i := range 1 + rng.IntN(3) {
		content = append(content, use(fmt.Sprintf("c%d_%d", step, i), "lookup", fmt.Sprintf(`{"z":%d, "a":"\u00e9"}`, rng.Uint64())))
	}
	return "tool_use", content
}

func checkPrefix(t *testing.T, seed uint64, before, now *transport.Request) {
	t.Helper()
	bodies := make([][]byte, 2)
	for i, r := range []*transport.Request{before, now} {
		plain := *r
		plain.Breakpoints = nil
		b, err := plain.StreamBody()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		bodies[i] = b.Bytes()
	}
	// The lists stand at the end, messages last, so all of the first body but the
	// two closing brackets is the beginning of the second.
	if cut := len(bodies[0]) - 2; !bytes.HasPrefix(bodies[1], bodies[0][:cut]) {
		t.Fatalf("seed %d: the second request does not go on from the first:\n%s\n%s", seed, bodies[0], bodies[1])
	}
}
