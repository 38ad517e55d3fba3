package editing

import (
	"testing"

	"github.com/whorl-go/whorl/transport/models"
)

func TestToolUses(t *testing.T) {
	opus, _ := models.Lookup("claude-opus-5-5")
	const want = `{"edits":[{"type":"clear_tool_uses_20250919","trigger":{"type":"input_tokens","value":100000},"keep":{"type":"tool_uses","value":3},"clear_at_least":{"type":"input_tokens","value":84444},"exclude_tools":["notes"]}]}`
	if got := string(ToolUses{Exclude: []string{"notes"}}.For(opus)); got != want {
		t.Errorf("%s", got)
	}
}
