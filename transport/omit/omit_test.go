package omit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/view"
)

func block(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func message(t *testing.T, role transport.Role, blocks ...string) transport.Message {
	m := transport.Message{Role: role}
	for _, b := range blocks {
		m.Content = append(m.Content, block(t, b))
	}
	return m
}

const (
	picture  = `{"type":"image","source":{"type":"file","file_id":"file_1"}}`
	words    = `{"type":"text","text":"hi"}`
	thinking = `{"type":"thinking","thinking":"hm","signature":"c2ln"}`
	call     = `{"type":"tool_use","id":"a","name":"f","input":{}}`
	result   = `{"type":"tool_result", "content": [ {"type":"text","text":"\u00e9"}, {"type":"image","source":{"type":"url","url":"u"}} ], "tool_use_id":"a" }`
)

func request(t *testing.T) *transport.Request {
	return &transport.Request{
		Container:  []byte(`{"id":"container_1","skills":[{"type":"anthropic","skill_id":"pdf"}]}`),
		MCPServers: []byte(`[{"name":"a","url":"https://a"},{"name":"b","url":"https://b"}]`),
		Messages: []transport.Message{
			message(t, transport.RoleUser, picture, words),
			message(t, transport.RoleAssistant, thinking, call),
			message(t, transport.RoleUser, result),
			message(t, transport.RoleAssistant, `{"type":"mcp_tool_listing","mcp_server_name":"a","tools":[]}`, words),
			message(t, transport.RoleSystem, `{"type":"tool_removal","tool":{"type":"mcp_toolset_reference","server_name":"a"}}`),
		},
	}
}

func show(r *transport.Request) string {
	var b strings.Builder
	for _, m := range r.Messages {
		b.Write(m.AppendJSON(nil))
		b.WriteByte('\n')
	}
	return b.String()
}

// Everything but what is left out keeps its bytes.
func TestRequest(t *testing.T) {
	r := request(t)
	before := show(r)
	for _, tt := range []struct {
		omission omit.Omission
		old, new string // what changes in the messages
	}{
		{omit.Omission{Blocks: []omit.Place{{Message: 0, Block: 0}}}, picture + ",", ""},
		{omit.Omission{Blocks: []omit.Place{{Message: 0, Block: 0}}, Text: "gone"}, picture, `{"type":"text","text":"gone"}`},
		{omit.Omission{Blocks: []omit.Place{{Message: 1, Block: 0}}, Text: "gone"}, thinking + ",", ""},
		{omit.Omission{Blocks: []omit.Place{{Message: 2, Block: 0, Inner: 2}}}, `[ {"type":"text","text":"\u00e9"}, {"type":"image","source":{"type":"url","url":"u"}} ]`, `[{"type":"text","text":"\u00e9"}]`},
		{omit.Omission{Blocks: []omit.Place{{Message: 2, Block: 0, Inner: 2}, {Message: 2, Block: 0, Inner: 1}}}, `[ {"type":"text","text":"\u00e9"}, {"type":"image","source":{"type":"url","url":"u"}} ]`, `[]`},
	} {
		got, err := tt.omission.Request(r)
		if err != nil {
			t.Errorf("%+v: %v", tt.omission, err)
			continue
		}
		if want := strings.Replace(before, tt.old, tt.new, 1); show(got) != want || want == before {
			t.Errorf("%+v: got\n%swant\n%s", tt.omission, show(got), want)
		}
	}
	got, err := omit.Omission{MCPServers: []string{"a"}, Containers: []string{"container_1"}, Text: "gone"}.Request(r)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.MCPServers) != `[{"name":"b","url":"https://b"}]` || string(got.Container) != `{"skills":[{"type":"anthropic","skill_id":"pdf"}]}` {
		t.Errorf("servers %s, container %s", got.MCPServers, got.Container)
	}
	if s := show(got); strings.Contains(s, string(view.TypeMCPToolListing)) || strings.Contains(s, "tool_removal") || len(got.Messages) != len(r.Messages) {
		t.Errorf("what is said of the server's tools stays:\n%s", s)
	}
	if show(r) != before {
		t.Error("the request itself was changed")
	}
}

// What others refer to, and what isn't there, can't be left out.
func TestRefuses(t *testing.T) {
	for _, tt := range []struct {
		places []omit.Place
		want   string
	}{
		{[]omit.Place{{Message: 1, Block: 1}}, "tool_use has to stay"},
		{[]omit.Place{{Message: 2, Block: 0}}, "tool_result has to stay"},
		{[]omit.Place{{Message: 3, Block: 1}}, "text has to stay"},
		{[]omit.Place{{Message: 9, Block: 1}}, "there are 5 messages"},
		{[]omit.Place{{Message: -1, Block: 0}}, "there are 5 messages"},
		{[]omit.Place{{Message: 0, Block: 7}}, "has 2 blocks"},
		{[]omit.Place{{Message: 0, Block: -7}}, "has 2 blocks"},
		{[]omit.Place{{Message: 2, Block: 0, Inner: 3}}, "has 2 blocks"},
		{[]omit.Place{{Message: 0, Block: 1, Inner: 1}}, "no content of blocks"},
		{[]omit.Place{{Message: 0, Block: 0}, {Message: 0, Block: 1}}, "no empty one"},
	} {
		if _, err := (omit.Omission{Blocks: tt.places}).Request(request(t)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.places, err, tt.want)
		}
	}
}

// Find offers nothing that would not help, and nothing for what it doesn't know.
func TestFindNothing(t *testing.T) {
	for _, err := range []error{
		nil,
		errors.New("File not found: file_1"),
		&transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "max_tokens: Field required"},
		&transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "messages.0.content.0.cache_control.ttl: bad"},
		&transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "messages.1.content.1.input: bad"},
		&transport.Error{Status: 404, Type: transport.ErrNotFound, Message: "model: claude-nonesuch"},
		&transport.Error{Status: 529, Type: transport.ErrOverloaded, Message: "Overloaded"},
		&transport.Error{Status: 500, Type: transport.ErrAPI, Message: "Internal server error", InStream: true},
	} {
		if got := omit.Find(err, request(t)); got != nil {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// On models that bind thinking to what came before, all of it behind the first place
// goes too; elsewhere it stays.
func TestBoundThinking(t *testing.T) {
	for model, want := range map[string]string{
		"claude-opus-5-5":   "[messages.0.content.0 messages.1.content.0]",
		"claude-sonnet-4-5": "[messages.0.content.0]",
	} {
		r := request(t)
		r.Model = model
		err := &transport.Error{Status: 404, Type: transport.ErrNotFound, Message: "File not found: file_1"}
		got := omit.Find(err, r)
		if got == nil {
			t.Fatal("nothing was found")
		}
		var places []string
		for _, p := range got.Omission.Blocks {
			places = append(places, p.String())
		}
		if s := "[" + strings.Join(places, " ") + "]"; s != want || got.Guessed {
			t.Errorf("%s: %v", model, s)
		}
	}
}
