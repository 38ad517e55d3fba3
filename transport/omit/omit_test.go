package omit_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/view"
)

func message(t *testing.T, role transport.Role, blocks ...string) transport.Message {
	m := transport.Message{Role: role}
	for _, b := range blocks {
		m.Content = append(m.Content, requesttest.Block(t, b))
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
		{[]omit.Place{{Message: 1, Block: 1}}, "tool_use can't be left out"},
		{[]omit.Place{{Message: 2, Block: 0}}, "tool_result can't be left out"},
		{[]omit.Place{{Message: 3, Block: 1}}, "text can't be left out"},
		{[]omit.Place{{Message: 9, Block: 1}}, "there are 5 messages"},
		{[]omit.Place{{Message: -1, Block: 0}}, "there are 5 messages"},
		{[]omit.Place{{Message: 0, Block: 7}}, "has 2 blocks"},
		{[]omit.Place{{Message: 0, Block: -7}}, "has 2 blocks"},
		{[]omit.Place{{Message: 2, Block: 0, Inner: 3}}, "has 2 blocks"},
		{[]omit.Place{{Message: 0, Block: 1, Inner: 1}}, "no content of blocks"},
		{[]omit.Place{{Message: 0, Block: 0}, {Message: 0, Block: 1}}, "an empty message"},
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

// What a refusal names goes, and nothing that only resembles it or came before it.
func TestNoMoreThanNamed(t *testing.T) {
	const other = `{"type":"document","source":{"type":"file","file_id":"file_10"}}`
	for _, tt := range []struct {
		status  int
		words   string
		blocks  string
		servers string
	}{
		{404, "File not found: file_1", "[messages.2.content.1 messages.3.content.0 messages.4.content.0]", "[]"},
		{404, "File not found: file_10", "[messages.0.content.0 messages.1.content.0 messages.2.content.2 messages.3.content.0]", "[]"},
		{400, "messages.2.content.2.document.source.file_id: File not found", "[messages.2.content.2 messages.3.content.0]", "[]"},
		{400, "Connection to MCP server 'files-2' failed", "[messages.1.content.0 messages.3.content.0]", "[files-2]"},
		{400, "Connection to MCP server 'files' failed", "[messages.1.content.0 messages.3.content.0]", "[files]"},
	} {
		r := &transport.Request{
			Model:      "claude-opus-5-5",
			MCPServers: []byte(`[{"name":"files","url":"https://a"},{"name":"files-2","url":"https://b"}]`),
			Messages: []transport.Message{
				message(t, transport.RoleUser, other),
				message(t, transport.RoleAssistant, thinking, words),
				message(t, transport.RoleUser, words, picture, other),
				message(t, transport.RoleAssistant, thinking, words),
				message(t, transport.RoleUser, picture),
			},
		}
		got := omit.Find(transport.ParseError(tt.status, []byte(`{"error":{"message":"`+tt.words+`"}}`)), r)
		if got == nil {
			t.Errorf("%s: nothing was found", tt.words)
			continue
		}
		if o := got.Omission; fmt.Sprint(o.Blocks) != tt.blocks || fmt.Sprint(o.MCPServers) != tt.servers || got.Guessed {
			t.Errorf("%s: %v and %v, guessed %v; want %s and %s", tt.words, o.Blocks, o.MCPServers, got.Guessed, tt.blocks, tt.servers)
		}
	}
}

func pngOf(side, more int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		panic(err)
	}
	return append(b.Bytes(), make([]byte, more)...)
}

func pdfOf(pages int) []byte {
	return fmt.Appendf(nil, "%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count %d>>endobj\n3 0 obj<</Type/Page>>endobj\ntrailer<</Root 1 0 R>>\n%%%%EOF", pages)
}

// Of what is too much in all the oldest go, as few as will do. The words are those of
// the service; without them the same follows from the request.
func TestSums(t *testing.T) {
	show := func(kind string, data []byte) string {
		typ, mediaType := "document", "application/pdf"
		if kind == "picture" {
			typ, mediaType = "image", "image/png"
		}
		return `{"type":"` + typ + `","source":{"type":"base64","media_type":"` + mediaType + `","data":"` + base64.StdEncoding.EncodeToString(data) + `"}}`
	}
	pdf := func(pages int) string { return show("pdf", pdfOf(pages)) }
	picture := func(side int) string { return show("picture", pngOf(side, 0)) }
	heavy := show("picture", pngOf(8, 6<<20)) // 8 MB in base64
	many := func(n int, block string) []string { return slices.Repeat([]string{block}, n) }
	for _, tt := range []struct {
		name, model string
		blocks      []string
		status      int
		words       string
		want        []int // of the messages
		after       bool  // told only once the service has refused it
	}{
		{"pages", "claude-opus-5-5", []string{pdf(300), pdf(250), pdf(100)}, 400, "messages.2.content.0.pdf.source.base64.data: A maximum of 600 PDF pages may be provided.", []int{0}, false},
		{"one PDF too long, and one that is not", "claude-opus-5-5", []string{pdf(100), pdf(700)}, 400, "messages.1.content.0.pdf.source.base64.data: A maximum of 600 PDF pages may be provided.", []int{1}, false},
		{"pages of a small model", "claude-haiku-4-5", []string{pdf(60), pdf(60)}, 400, "messages.1.content.0.pdf.source.base64.data: A maximum of 100 PDF pages may be provided.", []int{0}, false},
		{"a gateway's own limit", "claude-opus-5-5", []string{pdf(15), pdf(15)}, 400, "A maximum of 20 PDF pages may be provided.", []int{0}, true},
		{"pictures", "claude-haiku-4-5", many(103, picture(4)), 400, "messages: Too many images (103). The maximum is 100.", []int{0, 1, 2}, false},
		{"large beside many", "claude-opus-5-5", append(many(30, picture(4)), picture(2001)), 400, "messages.30.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels", []int{30}, false},
		{"many large ones", "claude-opus-5-5", many(22, picture(2001)), 400, "messages.0.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels", []int{0, 1}, false},
		{"large ones, and few", "claude-opus-5-5", many(20, picture(2001)), 400, "messages.3.content.0.image.source.base64.data: image exceeds 5 MB maximum", []int{3}, true},
		{"bytes", "claude-opus-5-5", many(5, heavy), 413, "Request exceeds the maximum size", []int{0, 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &transport.Request{Model: tt.model}
			for _, b := range tt.blocks {
				r.Messages = append(r.Messages, message(t, transport.RoleUser, b))
			}
			over := omit.Over(r)
			if (over == nil) != tt.after {
				t.Errorf("before it is sent: %v", over)
			}
			refused := omit.Find(transport.ParseError(tt.status, []byte(`{"error":{"message":"`+tt.words+`"}}`)), r)
			for _, e := range []*omit.Error{over, refused} {
				if e == nil {
					continue
				}
				var got []int
				for _, p := range e.Omission.Blocks {
					got = append(got, p.Message)
				}
				if !slices.Equal(got, tt.want) || e.Guessed {
					t.Errorf("%v: %v, want %v", e, got, tt.want)
				}
			}
			if refused == nil {
				t.Error("nothing was found")
			}
			if over != nil && (!errors.Is(over, media.ErrTooLarge) || !errors.Is(over, transport.ErrInvalidRequest)) {
				t.Errorf("%v matches nothing", over)
			}
		})
	}
}
