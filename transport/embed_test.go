package transport_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A block with a payload embedded is the block that parsing its bytes makes.
func TestEmbed(t *testing.T) {
	long := []byte(strings.Repeat("payload", 100))
	for _, tt := range []struct {
		name, text string
		data       []byte
		places     int
	}{
		{"p1", `{"type":"image","source":{"type":"base64","data":"p1"}}`, long, 1},
		{"p1", `{"type":"image","source":{"type":"base64","data":"p1"},"cache_control":{"type":"ephemeral"}}`, long, 1},
		{"p1", `{"type":"tool_result","content":[{"type":"image","cache_control":{"type":"ephemeral","ttl":"1h"},"source":{"data":"p1"}},{"type":"text","text":"p1"}]}`, long, 2},
		{"p1", `{"type":"text","text":"no \"p1 or p1\" or p12"}`, long, 0},
		{"image", `{"type":"image","source":{"type":"base64","data":"x"}}`, long, 1},
		{"key", `{"type":"text","key":{"ttl":"1h"}}`, must(base64.StdEncoding.DecodeString("type")), 1},
		{"key", `{"type":"text","key":"p1"}`, long, 1},
	} {
		payloads := []rawjson.Payload{{Name: tt.name, Data: tt.data}}
		b, err := transport.ParseBlock([]byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		got := b.Embed(payloads)
		quoted := `"` + base64.StdEncoding.EncodeToString(tt.data) + `"`
		text := tt.text
		if tt.places > 0 {
			text = strings.ReplaceAll(text, `"`+tt.name+`"`, quoted)
		}
		want, err := transport.ParseBlock([]byte(text))
		if err != nil && got.Type() != "" {
			t.Fatal(err)
		}
		if err == nil && (!bytes.Equal(got.Raw(), want.Raw()) || got.Type() != want.Type() || got.Marked() != want.Marked() || !slices.Equal(slices.Collect(got.Marks()), slices.Collect(want.Marks()))) {
			t.Errorf("%s with %s embedded: %s, %s, marked: %v", tt.text, tt.name, got.Type(), got.Raw(), got.Marked())
		}
		if payloads[0].Places != tt.places {
			t.Errorf("%s: %d places of %s", tt.text, payloads[0].Places, tt.name)
		}
		if string(b.Raw()) != tt.text {
			t.Errorf("the block itself was changed: %s", b.Raw())
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
