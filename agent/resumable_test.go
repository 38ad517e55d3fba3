package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A call that has noted what it goes on from runs again when it was cut off, and one
// that hasn't does not: its outcome is unknown.
func TestNoteResumable(t *testing.T) {
	for _, note := range []string{tools.NoteResumable, "something else"} {
		t.Run(note, func(t *testing.T) {
			sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
				simulator.Do(simulator.Call("long", map[string]any{})), simulator.Say("Done."))})
			client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.CloseIdleConnections)
			calls := 0
			ctx, cut := context.WithCancel(t.Context())
			a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{
				tools.Func("long", "Takes long.", func(ctx context.Context, _ struct{}) (string, error) {
					calls++
					h, _ := tools.HostOf(ctx)
					notes, err := h.Notes(ctx, note)
					if err != nil || len(notes) > 0 {
						return "went on", err
					}
					if err := h.Note(ctx, note, json.RawMessage(`{"task":"t-1"}`)); err != nil {
						return "", err
					}
					cut()
					<-ctx.Done()
					return "", ctx.Err()
				})}})
			if err != nil {
				t.Fatal(err)
			}
			res, err := a.Run(ctx, agent.Input{Prompt: "Do the long thing."})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("the first run: %v", err)
			}
			res, err = a.Run(t.Context(), agent.Input{Log: res.Log})
			if err != nil || res.Text != "Done." {
				t.Fatalf("the second run: %q, %v", res.Text, err)
			}
			told := string(res.Log.Messages()[2].AppendJSON(nil))
			if want := note == tools.NoteResumable; strings.Contains(told, "went on") != want || (calls == 2) != want {
				t.Errorf("called %d times, the model is told %s", calls, told)
			}
		})
	}
}
