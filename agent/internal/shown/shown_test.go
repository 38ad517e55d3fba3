package shown

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// What a Sum was told to be plain isn't looked at, and isn't held when its message is
// there; all else is counted, with calls that are still open and behind an edit.
func TestPlain(t *testing.T) {
	parse := func(raw string) transport.Block {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var pixel bytes.Buffer
	if err := png.Encode(&pixel, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	picture := parse(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + base64.StdEncoding.EncodeToString(pixel.Bytes()) + `"}}`)
	calls, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"tool_use","id":"a","name":"t","input":{}},{"type":"tool_use","id":"b","name":"t","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	add := func(r memory.Record) {
		t.Helper()
		if err := log.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	var told, asked Sum
	same := func(where string, want int) {
		t.Helper()
		if got, other := told.Of(log, 1), asked.Of(log, 1); got.Pictures != want || other.Pictures != want {
			t.Errorf("%s: %d and %d pictures, want %d", where, got.Pictures, other.Pictures, want)
		}
	}
	add(memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleUser, Content: []transport.Block{picture}}})
	add(memory.Record{Kind: memory.KindResponse, Response: calls})
	first := transport.ToolResult("a", transport.Text(`a "source" of "image"`))
	told.Plain(first)
	told.Plain(transport.Block{})
	add(memory.Record{Kind: memory.KindResult, Block: first})
	same("one open", 1)
	add(memory.Record{Kind: memory.KindResult, Block: transport.ToolResult("b", picture, picture)})
	if len(told.plain) != 1 {
		t.Fatalf("%d blocks are known", len(told.plain))
	}
	same("both there", 3)
	if len(told.plain) != 0 || told.plain[:1][0] != nil {
		t.Error("a result is held that is in a message")
	}

	// The bytes are the log's own, or a search would be needed after all.
	wrong := new(Sum)
	wrong.Plain(log.Messages()[2].Content[1])
	if n := wrong.Of(log, 1).Pictures; n != 1 {
		t.Errorf("%d pictures are counted where a result was told to be plain", n)
	}
}
