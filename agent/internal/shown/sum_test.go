package shown

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/omit"
)

const picture = `{"type":"image","source":{"type":"url","url":"https://x.test/i.png"}}`

func block(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the next request shows is the log's messages, and the results of calls that are
// open beside others: counted once, however often it is asked.
func TestSum(t *testing.T) {
	picture := block(t, picture)
	resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"b","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	result := func(id string, b ...transport.Block) memory.Record {
		c := transport.ToolCall{ID: id}
		return memory.Record{Kind: memory.KindResult, Block: c.Answer(b...)}
	}
	user := func(b ...transport.Block) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleUser, Content: b}}
	}
	var pictures [8]media.Total // of so many pictures
	for i := range 7 {
		pictures[i+1] = pictures[i].Plus(OfMessage(transport.Message{Content: []transport.Block{picture}}))
	}
	if pictures[1] == (media.Total{}) || pictures[2] == pictures[1] {
		t.Fatalf("%+v", pictures)
	}
	log := memory.NewLog()
	var s Sum
	response := 0
	for i, step := range []struct {
		rec  memory.Record
		want int
	}{
		{user(transport.Text("q")), 0},
		{user(picture, transport.Text(`"source"`)), 1},
		{memory.Record{Kind: memory.KindResponse, Response: resp}, 1},
		{result("b", picture, transport.Text("x"), picture), 3},
		{result("a", transport.Text("none")), 3},
		{user(picture), 4},
		{memory.Record{Kind: memory.KindResponse, Response: resp}, 4},
		{result("a", picture), 5},
		{result("b", picture), 6},
	} {
		if err := log.Append(t.Context(), step.rec); err != nil {
			t.Fatal(err)
		}
		if step.rec.Kind == memory.KindResponse {
			response = i
		}
		for range 2 {
			if got := s.Of(log, response); got != pictures[step.want] {
				t.Errorf("behind record %d: %+v, want %d pictures", i, got, step.want)
			}
		}
	}
	// What is left out, or summed up, is shown no more.
	fork, err := log.ForkAt(2)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Of(fork, 0); got != pictures[1] {
		t.Errorf("of a shorter log: %+v", got)
	}
	s.Of(log, response)
	gone := omit.Omission{Blocks: []omit.Place{{Message: 1, Block: 0}}}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindOmission, Omission: &gone}); err != nil {
		t.Fatal(err)
	}
	if got := s.Of(log, response); got != pictures[5] {
		t.Errorf("behind an omission: %+v", got)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindSummary, Message: transport.UserText("so far"), Replaces: len(log.Messages())}); err != nil {
		t.Fatal(err)
	}
	if got := s.Of(log, response); got != (media.Total{}) {
		t.Errorf("behind a summary: %+v", got)
	}
}

func TestOfMessage(t *testing.T) {
	picture, doc := block(t, picture), block(t, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQK"}}`)
	of := func(b ...transport.Block) media.Total { return OfMessage(transport.Message{Content: b}) }
	one, file := of(picture), of(doc)
	for i, tt := range []struct{ got, want media.Total }{
		{of(), media.Total{}},
		{of(transport.Text(`{"type":"image","source":1}`)), media.Total{}},
		{of(picture, doc), one.Plus(file)},
		{of(transport.ToolResult("a", picture, doc)), one.Plus(file)},
		{of(transport.ToolResult("a", transport.Text("x"))), media.Total{}},
	} {
		if fmt.Sprint(tt.got) != fmt.Sprint(tt.want) {
			t.Errorf("%d: %+v, want %+v", i, tt.got, tt.want)
		}
	}
	if one == (media.Total{}) || file == (media.Total{}) || one == file {
		t.Errorf("a picture is %+v, a PDF %+v", one, file)
	}
}
