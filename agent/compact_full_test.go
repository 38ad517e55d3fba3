package agent

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// A conversation is summarized while the window still has room for the answer and for
// the summary, not when it is full.
func TestRoomIsLeftForAnswerAndSummary(t *testing.T) {
	m := models.Model{Limits: models.Limits{ContextTokens: 200_000}}
	req := &transport.Request{MaxTokens: 32_000}
	for size, want := range map[int64]bool{152_000: false, 152_001: true, 199_999: true, 100: false} {
		if got := full(m, req, size); got != want {
			t.Errorf("%d tokens of 200,000, with an answer of 32,000: %v", size, got)
		}
	}
	if full(models.Model{}, req, 1<<40) {
		t.Error("a window of unknown size is full")
	}
}
