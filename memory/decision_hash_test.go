package memory_test

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A decision is bound to the arguments by their hash: one without a hash is for none.
func TestDecisionsWithoutTheHash(t *testing.T) {
	resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"tool_use","id":"a","name":"pay","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}, memory.Record{Kind: memory.KindResponse, Response: resp},
		memory.Record{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "a", Hash: "00ff"}}}); err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{"", "00fe", "00FF", "00ff0"} {
		err := log.Append(t.Context(), memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "a", Hash: hash, Approve: true}})
		if err == nil || !strings.Contains(err.Error(), "other arguments") {
			t.Errorf("hash %q: %v", hash, err)
		}
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "a", Hash: "00ff", Approve: true}}); err != nil {
		t.Error(err)
	}
}
