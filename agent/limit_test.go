package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// The limit counts over all text blocks of a result, and no limit means none.
func TestResultLimitCountsOverBlocks(t *testing.T) {
	for _, tt := range []struct{ limit, least, most int }{{1000, 900, 1000}, {1200, 1100, 1200}, {-1, 5 * 600, 5 * 600}} {
		t.Run(fmt.Sprint(tt.limit), func(t *testing.T) {
			s := &script{replies: []any{reply(t, "tool_use", use("a", "t", `{}`)), reply(t, "end_turn", text("ok"))}}
			tool := fake{name: "t", call: func(context.Context, json.RawMessage) (tools.Result, error) {
				var res tools.Result
				for range 5 {
					res.Content = append(res.Content, transport.Text(strings.Repeat("z", 600)))
				}
				return res, nil
			}}
			res, err := newAgent(t, s, agent.Options{Limits: agent.Limits{ResultBytes: tt.limit}}, tool).Run(context.Background(), agent.Input{Prompt: "go"})
			if err != nil {
				t.Fatal(err)
			}
			raw := string(res.Log.Messages()[2].Content[0].Raw())
			if n := strings.Count(raw, "z"); n < tt.least || n > tt.most {
				t.Errorf("%d bytes of text reached the model, want %d to %d: %s", n, tt.least, tt.most, raw)
			}
			if cut := strings.Contains(raw, "[cut:"); cut != (tt.limit > 0) {
				t.Errorf("limit %d: cut %v", tt.limit, cut)
			}
		})
	}
}
