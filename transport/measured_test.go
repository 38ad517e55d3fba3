package transport

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// A request of measured messages is written as one of others is, and refused for
// the same reasons.
func TestMeasuredMessagesAreWrittenAlike(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	marked, _ := ParseBlock([]byte(`{"type":"text","text":"m","cache_control":{"type":"ephemeral"}}`))
	null, _ := ParseBlock([]byte(`{"type":"text","text":"n","cache_control":null}`))
	thinking, _ := ParseBlock([]byte(`{"type":"thinking","thinking":"","signature":"s"}`))
	blocks := []Block{Text("a"), Text("bb"), ToolResult("toolu_1", Text("ccc")), thinking, null, marked, {}}
	written, refused := 0, 0
	for range 3000 {
		r := &Request{Model: "m", MaxTokens: 1, System: []Block{Text("s")}}
		for range rnd.IntN(5) {
			m := Message{Role: RoleUser}
			for range 1 + rnd.IntN(3) {
				b := blocks[rnd.IntN(5)]
				if rnd.IntN(20) == 0 {
					b = blocks[5+rnd.IntN(2)]
				}
				m.Content = append(m.Content, b)
			}
			r.Messages = append(r.Messages, m)
		}
		for range rnd.IntN(4) {
			r.Breakpoints = append(r.Breakpoints, Breakpoint{Part: PartMessages, Index: rnd.IntN(5), Block: rnd.IntN(3), TTL: []TTL{"", TTL1h}[rnd.IntN(2)]})
		}
		measured := *r
		measured.Messages = nil
		for _, m := range r.Messages {
			measured.Messages = append(measured.Messages, m.Measured())
		}
		want, wantErr := r.StreamBody()
		got, err := measured.StreamBody()
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("measured: %v, otherwise %v", err, wantErr)
		}
		if err != nil {
			refused++
			continue
		}
		written++
		if !bytes.Equal(got.Bytes(), want.Bytes()) || got.Len() != int64(len(got.Bytes())) || want.Len() != got.Len() {
			t.Fatalf("measured, %d bytes told:\n%s\notherwise, %d bytes told:\n%s", got.Len(), got.Bytes(), want.Len(), want.Bytes())
		}
	}
	if written < 500 || refused < 500 {
		t.Errorf("%d were written and %d refused: the test says little", written, refused)
	}
}

// What was measured doesn't count for other blocks.
func TestMeasuredMessageWithOtherContent(t *testing.T) {
	m := UserText("one").Measured()
	m.Content = []Block{Text("another one")}
	r := &Request{Model: "m", MaxTokens: 1, Messages: []Message{m}}
	body, err := r.StreamBody()
	if err != nil || body.Len() != int64(len(body.Bytes())) {
		t.Errorf("%d bytes told, %d written: %v", body.Len(), len(body.Bytes()), err)
	}
	m = UserText("one").Measured()
	m.Content = append(m.Content, Text("two"))
	inPlace := Message{Role: RoleUser, Content: append(make([]Block, 0, 4), Text("one"))}.Measured()
	inPlace.Content = append(inPlace.Content, Text("two"))
	r.Messages = []Message{inPlace}
	if body, err = r.StreamBody(); err != nil || body.Len() != int64(len(body.Bytes())) {
		t.Errorf("in place: %d bytes told, %d written: %v", body.Len(), len(body.Bytes()), err)
	}
	r.Messages = []Message{m}
	if body, err = r.StreamBody(); err != nil || body.Len() != int64(len(body.Bytes())) {
		t.Errorf("%d bytes told, %d written: %v", body.Len(), len(body.Bytes()), err)
	}
}
