package uistream

import (
	"encoding/base64"
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
	c.messages = append(c.messages, Message{ID: fmt.Sprintf("mine-%d", c.said), Role: "user", Parts: []Part{{Type: "file", MediaType: "image/png", URL: "data:image/png;base64," + data}}})
}

// A page without history that says what was said before, in a chat that has gone on since,
// says something new.
func TestSaidAgainWithoutHistory(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	for _, said := range []string{"hello", "think"} {
		c.say(said)
		c.send(nil)
	}
	page := newClient(t, c.s)
	page.say("hello")
	page.send(nil)
	c.load()
	if got := told(c.messages); strings.Count(got, "user:") != 3 || strings.Count(got, "You said: hello") != 2 {
		t.Errorf("a message is lost:\n%s", got)
	}
}

// Two pages of a chat say something at the same place: what differs only in its pictures
// is not the same.
func TestOtherPicture(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("hello")
	c.send(nil)
	other := newClient(t, c.s)
	other.messages, other.said = append([]Message{}, c.messages...), 7
	c.picture(stage.Pixel())
	c.send(nil)
	other.picture(otherPixel())
	other.send(nil)
	c.load()
	if got := told(c.messages); strings.Count(got, "user:") != 3 || !strings.Contains(got, otherPixel()) {
		t.Errorf("a picture is lost:\n%s", got)
	}
}
