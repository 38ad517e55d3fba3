package agui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// A client may call its own messages as this package calls those that it makes; see
// TestBadInput for ids that would be those of other messages.
func TestIDsLikeOurs(t *testing.T) {
	for _, name := range []string{"u%d", "u1-%d"} {
		for start := range 4 {
			numbered(t, name, start)
		}
	}
}

func numbered(t *testing.T, name string, start int) {
	t.Helper()
	c := newClient(t, newStage(t, stage.Options{}))
	for i, said := range []string{"one", "two", "three"} {
		quoted, _ := json.Marshal(said)
		c.messages = append(c.messages, Message{ID: fmt.Sprintf(name, 2*i+start), Role: "user", Content: quoted})
		c.run()
	}
	again := newClient(t, c.s)
	again.run()
	got := told(again.messages)
	for _, said := range []string{"one", "two", "three"} {
		if strings.Count(got, "You said: "+said) != 1 {
			t.Errorf("%s: %q is lost or landed twice:\n%s", name, said, got)
		}
	}
}
