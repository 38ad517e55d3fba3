package agui

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// otherPixel is a picture that is not [stage.Pixel].
func otherPixel() string {
	raw, _ := base64.StdEncoding.DecodeString(stage.Pixel())
	return base64.StdEncoding.EncodeToString(append(raw, "another"...))
}

// picture is a message of a picture and no text.
func (c *client) picture(data string) {
	c.said++
	c.messages = append(c.messages, Message{ID: fmt.Sprintf("mine-%d", c.said), Role: "user", Content: json.RawMessage(`[{"type":"image","source":{"type":"data","mimeType":"image/png","value":"` + data + `"}}]`)})
}

// Two pages of a chat say something at the same place: what differs only in its pictures
// is not the same.
func TestOtherPicture(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("hello")
	c.run()
	other := newClient(t, c.s)
	other.messages, other.said = append([]Message{}, c.messages...), 7
	c.picture(stage.Pixel())
	c.run()
	other.picture(otherPixel())
	other.run()
	again := newClient(t, c.s)
	again.run()
	if got := told(again.messages); strings.Count(got, "user ") != 3 || !strings.Contains(got, otherPixel()) {
		t.Errorf("a picture is lost:\n%s", got)
	}
	other.run()
	if got := told(other.messages); strings.Count(got, "user ") != 3 {
		t.Errorf("it landed twice:\n%s", got)
	}
}
