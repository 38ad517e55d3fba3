package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/simulator"
)

// What a tool gives that the service would refuse doesn't get into the log: the
// model is told, and the conversation goes on.
func TestMediaOfToolsThatAreRefused(t *testing.T) {
	raw := func(b transport.Block) func(int) ([]transport.Block, error) {
		return func(int) ([]transport.Block, error) { return []transport.Block{transport.Text("kept"), b}, nil }
	}
	locked := []byte(strings.Replace(string(pdfOf(1)), "/Root 1 0 R", "/Root 1 0 R/Encrypt 9 0 R", 1))
	for _, tt := range []struct {
		name  string
		model string
		turns int
		tool  func(n int) ([]transport.Block, error)
		told  string
		times int
	}{
		{"PDF of 700 pages", "", 1, raw(pdfBlock(t, pdfOf(700))), "700 pages", 1},
		{"PDF of 101 pages on a small model", "claude-haiku-4-5", 1, raw(pdfBlock(t, pdfOf(101))), "101 pages", 1},
		{"PDF of 101 pages on a large one", "", 1, raw(pdfBlock(t, pdfOf(101))), "", 0},
		{"encrypted PDF", "", 1, raw(pdfBlock(t, locked)), "encrypted", 1},
		{"broken PDF", "", 1, raw(pdfBlock(t, pdfOf(5)[:80])), "damaged", 1},
		{"broken picture", "", 1, raw(pictureBlock(t, pngOf(9)[:40])), "damaged", 1},
		{"a JPEG that is none", "", 1, raw(rawBlock(t, strings.Replace(string(pictureBlock(t, pngOf(9)).Raw()), "image/png", "image/jpeg", 1))), "not image/jpeg", 1},
		{"a picture of 8001 pixels", "", 1, raw(pictureBlock(t, pngOf(8001))), "8001", 1},
		{"PDFs of 700 pages in all", "", 7, raw(pdfBlock(t, pdfOf(100))), "700 pages", 1},
		{"PDFs of 800 pages in one result", "", 1, func(int) ([]transport.Block, error) {
			return slices.Repeat([]transport.Block{pdfBlock(t, pdfOf(100))}, 8), nil
		}, "700 pages", 2},
		{"104 pictures on a small model", "claude-haiku-4-5", 52, func(int) ([]transport.Block, error) {
			return []transport.Block{pictureBlock(t, pngOf(4)), pictureBlock(t, pngOf(5))}, nil
		}, "101 pictures", 4},
		{"24 large pictures", "", 24, raw(pictureBlock(t, pngOf(2001))), "more than 20", 4},
		{"five of 8 MB", "", 5, raw(pictureBlock(t, append(pngOf(8), make([]byte, 6<<20)...))), "in base64", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if raceEnabled && tt.name == "five of 8 MB" {
				t.Skip("reads 200 MB in one goroutine")
			}
			n := 0
			look := tools.Func("look", "Looks.", func(context.Context, query) ([]transport.Block, error) { n++; return tt.tool(n) })
			a, _ := live(t, simulator.Loop{Turns: tt.turns}, agent.Options{Model: tt.model, Tools: []tools.Tool{look}})
			res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			for _, r := range res.Log.Records(0) {
				if r.Kind == memory.KindResult && strings.Contains(string(r.Block.Raw()), "left out: ") {
					told += strings.Count(string(r.Block.Raw()), "left out: ")
					if !strings.Contains(string(r.Block.Raw()), tt.told) {
						t.Errorf("the model is told %s", r.Block.Raw())
					}
				}
			}
			if told != tt.times {
				t.Errorf("%d were left out, want %d", told, tt.times)
			}
		})
	}
}

// Results of parallel calls are summed up too, in the order in which they come.
func TestMediaOfParallelCalls(t *testing.T) {
	pdf := pdfBlock(t, pdfOf(90))
	look := tools.Func("look", "Looks.", func(context.Context, query) (transport.Block, error) { return pdf, nil })
	a, _ := live(t, simulator.Loop{Turns: 1, Parallel: 9}, agent.Options{Tools: []tools.Tool{look}})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	all := string(res.Log.Messages()[2].AppendJSON(nil))
	if n := strings.Count(all, `"application/pdf"`); n != 6 || strings.Count(all, "630 pages") != 3 {
		t.Errorf("%d PDFs", n)
	}
}

// Results that come together are held against the limit together.
func TestMediaOfResultsThatComeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		look := func(name string, content transport.Block) tools.Tool {
			return fake{name: name, call: func(context.Context, json.RawMessage) (tools.Result, error) {
				return tools.Result{Content: []transport.Block{content}}, nil
			}}
		}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "long", `{}`), use("b", "longer", `{}`), use("c", "last", `{}`)), reply(t, "end_turn", text("ok"))}}
		a := newAgent(t, s, agent.Options{Tools: []tools.Tool{look("long", pdfBlock(t, pdfOf(300))), look("longer", pdfBlock(t, pdfOf(400))), look("last", transport.Text("nothing"))}})
		run := a.NewRun(agent.Input{Prompt: "go"})
		for ev, err := range run.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Type == agent.EventToolStart && ev.Call.ID == "c" {
				synctest.Wait() // for the ends of the others, which are recorded at once
			}
		}
		results := string(run.Log().Messages()[2].AppendJSON(nil))
		if n := strings.Count(results, `"application/pdf"`); n != 1 || !strings.Contains(results, "left out") {
			t.Errorf("%d PDFs, of 700 pages in all", n)
		}
	})
}

// An input that the service would refuse is not appended to the log, alone or beside
// what is there.
func TestMediaOfInputs(t *testing.T) {
	ctx := context.Background()
	a, _ := live(t, nil, agent.Options{})
	small, _ := live(t, nil, agent.Options{Model: "claude-haiku-4-5"})
	input := func(blocks ...transport.Block) agent.Input {
		return agent.Input{Messages: []transport.Message{{Role: transport.RoleUser, Content: blocks}}}
	}
	for _, tt := range []struct {
		name string
		a    *agent.Agent
		in   agent.Input
		is   error
	}{
		{"700 pages", a, input(pdfBlock(t, pdfOf(700))), media.ErrTooLarge},
		{"700 pages in two", a, input(pdfBlock(t, pdfOf(300)), pdfBlock(t, pdfOf(400))), media.ErrTooLarge},
		{"700 pages in two messages", a, agent.Input{Messages: append(input(pdfBlock(t, pdfOf(400))).Messages, input(pdfBlock(t, pdfOf(300))).Messages...)}, media.ErrTooLarge},
		{"101 pages", small, input(pdfBlock(t, pdfOf(101))), media.ErrTooLarge},
		{"broken", a, input(pictureBlock(t, pngOf(9)[:40])), media.ErrDamaged},
		{"no PDF", a, input(pdfBlock(t, []byte("hello"))), media.ErrFormat},
	} {
		res, err := tt.a.Run(ctx, tt.in)
		if !errors.Is(err, tt.is) || res.Log.Len() != 0 {
			t.Errorf("%s: %v, %d records", tt.name, err, res.Log.Len())
		}
	}
	res, err := a.Run(ctx, input(pdfBlock(t, pdfOf(400))))
	if err != nil {
		t.Fatal(err)
	}
	in := input(pdfBlock(t, pdfOf(300)))
	in.Log = res.Log
	if _, err = a.Run(ctx, in); !errors.Is(err, media.ErrTooLarge) {
		t.Errorf("beside what is there: %v", err)
	}
	if _, err = a.Run(ctx, agent.Input{Log: res.Log, Prompt: "go on"}); err != nil {
		t.Error(err)
	}
	if err := memory.Enqueue(ctx, new(memory.RAM), "s", transport.Message{Role: transport.RoleUser, Content: []transport.Block{pdfBlock(t, pdfOf(601))}}); !errors.Is(err, media.ErrTooLarge) {
		t.Errorf("601 pages through the inbox: %v", err)
	}
}

// Where the program says so the oldest make room for the newest, before anything
// is refused: a run that looks at 60 large screens goes on.
func TestOldPicturesMakeRoom(t *testing.T) {
	for _, model := range []string{"claude-opus-5-5", "claude-haiku-4-5"} {
		n, asked := 0, 0
		look := tools.Func("look", "Looks.", func(context.Context, query) ([]transport.Block, error) {
			n++
			return []transport.Block{transport.Text(fmt.Sprint("screen ", n)), pictureBlock(t, pngOf(2001))}, nil
		})
		a, wire := live(t, simulator.Loop{Turns: 30, Think: true}, agent.Options{Model: model, Tools: []tools.Tool{look}, Context: agent.ContextOptions{
			Omit: func(_ context.Context, e *omit.Error) bool {
				if asked++; !errors.Is(e, media.ErrTooLarge) || !errors.Is(e, transport.ErrInvalidRequest) || e.Guessed {
					t.Errorf("asked about %v", e)
				}
				return true
			},
		}})
		res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
		if err != nil {
			t.Fatal(err)
		}
		if asked != 10 || res.Steps != 31 || len(wire.bodies) != 31 {
			t.Errorf("%s: asked %d times, %d steps, %d requests", model, asked, res.Steps, len(wire.bodies))
		}
		last := string(res.Log.Messages()[len(res.Log.Messages())-2].AppendJSON(nil))
		if !strings.Contains(last, `"image"`) || !strings.Contains(last, "screen 30") {
			t.Error("the newest picture is gone")
		}
	}
}
