package flow

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// Two messages say the same if their texts do, however they are cut, and if they have the
// same pictures in the same order: what is not the same is not lost for it.
func TestSame(t *testing.T) {
	picture := func(data string) transport.Block {
		b, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text, a, b := transport.Text, picture("AA"), picture("BB")
	of := func(blocks ...transport.Block) transport.Message {
		return transport.Message{Role: transport.RoleUser, Content: blocks}
	}
	for _, tt := range []struct {
		name string
		x, y transport.Message
		want bool
	}{
		{"one text", of(text("hi")), of(text("hi")), true},
		{"a text in two", of(text("h"), text("i")), of(text("hi")), true},
		{"another text", of(text("hi")), of(text("ho")), false},
		{"a picture before the text and behind it", of(a, text("hi")), of(text("hi"), a), true},
		{"another picture", of(text("hi"), a), of(text("hi"), b), false},
		{"a picture more", of(text("hi")), of(text("hi"), a), false},
		{"a second picture", of(a, text("hi")), of(a, text("hi"), a), false},
		{"pictures in another order", of(a, b), of(b, a), false},
	} {
		if Same(tt.x, tt.y) != tt.want || Same(tt.y, tt.x) != tt.want {
			t.Errorf("%s: %v and %v, want %v", tt.name, Same(tt.x, tt.y), Same(tt.y, tt.x), tt.want)
		}
	}
}
