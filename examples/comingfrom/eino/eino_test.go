package eino

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
)

// scripted is a model that says what is next in it, and keeps what it was sent.
type scripted struct {
	replies []*schema.Message
	sent    [][]*schema.Message
}

func (s *scripted) Generate(_ context.Context, in []*schema.Message, _ ...model.Option) (*schema.Message, error) {
	s.sent = append(s.sent, in)
	next := s.replies[0]
	s.replies = s.replies[1:]
	return next, nil
}

func (s *scripted) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	m, err := s.Generate(ctx, in, opts...)
	return schema.StreamReaderFromArray([]*schema.Message{m}), err
}

func (s *scripted) WithTools([]*schema.ToolInfo) (model.ToolCallingChatModel, error) { return s, nil }

func call(id, city string) *schema.Message {
	return schema.AssistantMessage("", []schema.ToolCall{{ID: id, Function: schema.FunctionCall{Name: "weather", Arguments: `{"city":"` + city + `"}`}}})
}

func TestAnswer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "conversation")
	m := &scripted{replies: []*schema.Message{call("a", "Lissabon"), call("b", "Lisbon"), schema.AssistantMessage("Take one.", nil), schema.AssistantMessage("Still rain.", nil)}}
	for i, want := range []string{"Take one.", "Still rain."} {
		got, err := answer(t.Context(), m, "Be short.", file, []string{"Do I need an umbrella?", "And tomorrow?"}[i])
		if err != nil || got != want {
			t.Fatalf("question %d: %q, %v", i, got, err)
		}
	}
	var told []string
	for _, sent := range m.sent[len(m.sent)-1] {
		told = append(told, string(sent.Role)+" "+sent.Content)
	}
	want := "system Be short.|user Do I need an umbrella?|assistant |tool error: |assistant |tool 18 °C|assistant Take one.|user And tomorrow?"
	for i, begin := range strings.Split(want, "|") {
		if i >= len(told) || !strings.HasPrefix(told[i], begin) && !strings.Contains(told[i], begin) {
			t.Errorf("message %d: want %q in %q", i, begin, told)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
