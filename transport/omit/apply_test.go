package omit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
	"github.com/whorl-go/whorl/transport/omit"
)

func tool(t *testing.T, raw string) transport.ToolDefinition { return requesttest.Tool(t, raw) }

// TestConfiguration holds what is left out of the fields of a request.
func TestConfiguration(t *testing.T) {
	const a, b = `{"name":"a","url":"https://a"}`, `{"name":"b","url":"https://b"}`
	for _, tt := range []struct {
		name               string
		container, servers string
		omission           omit.Omission
		wantContainer      string
		wantServers        string
	}{
		{"a container", `"c1"`, "", omit.Omission{Containers: []string{"c0", "c1"}}, "", ""},
		{"another container", `"c10"`, "", omit.Omission{Containers: []string{"c1"}}, `"c10"`, ""},
		{"a container without skills", `{"id":"c1"}`, "", omit.Omission{Containers: []string{"c1"}}, "", ""},
		{"a container with null for skills", `{"id":"c1","skills":null}`, "", omit.Omission{Containers: []string{"c1"}}, "", ""},
		{"a container with skills", `{"skills":[1],"id":"c1"}`, "", omit.Omission{Containers: []string{"c1"}}, `{"skills":[1]}`, ""},
		{"a container without an id", `{"skills":[1]}`, "", omit.Omission{Containers: []string{""}}, `{"skills":[1]}`, ""},
		{"no container", "", "", omit.Omission{Containers: []string{""}}, "", ""},
		{"servers stay", `"c1"`, "[" + a + " , " + b + "]", omit.Omission{Containers: []string{"c1"}}, "", "[" + a + " , " + b + "]"},
		{"the first server", "", "[" + a + "," + b + "]", omit.Omission{MCPServers: []string{"a"}}, "", "[" + b + "]"},
		{"no server", "", "[" + a + "," + b + "]", omit.Omission{MCPServers: []string{"c"}}, "", "[" + a + "," + b + "]"},
		{"all servers", "", "[" + a + "," + b + "]", omit.Omission{MCPServers: []string{"b", "a"}}, "", ""},
	} {
		r := &transport.Request{Container: []byte(tt.container), MCPServers: []byte(tt.servers)}
		tt.omission.Configuration(r)
		if string(r.Container) != tt.wantContainer || string(r.MCPServers) != tt.wantServers {
			t.Errorf("%s: container %s, servers %s; want %s and %s", tt.name, r.Container, r.MCPServers, tt.wantContainer, tt.wantServers)
		}
	}
}

// TestToolsets holds that a server's toolset goes with it, and that the caller's own
// tools stay as they are.
func TestToolsets(t *testing.T) {
	tools := []transport.ToolDefinition{
		tool(t, `{"type":"mcp_toolset","mcp_server_name":"a"}`),
		tool(t, `{"name":"a","input_schema":{"type":"object"}}`),
		tool(t, `{"type":"mcp_toolset","mcp_server_name":"b"}`),
	}
	r := &transport.Request{Tools: tools}
	without, err := omit.Omission{MCPServers: []string{"a"}}.Request(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(without.Tools) != 2 || string(without.Tools[0].Raw()) != string(tools[1].Raw()) || string(without.Tools[1].Raw()) != string(tools[2].Raw()) {
		t.Errorf("the tools are %v", without.Tools)
	}
	if len(r.Tools) != 3 || rawTool(r, 0) != `{"type":"mcp_toolset","mcp_server_name":"a"}` || rawTool(r, 2) != `{"type":"mcp_toolset","mcp_server_name":"b"}` {
		t.Errorf("the caller's tools are %v", r.Tools)
	}
}

func rawTool(r *transport.Request, i int) string { return string(r.Tools[i].Raw()) }

// TestMessages holds what is left of messages.
func TestMessages(t *testing.T) {
	const (
		other    = `{"type":"tool_removal","tool":{"type":"mcp_toolset_reference","server_name":"b"}}`
		addition = `{"type":"tool_addition","tool":{"type":"mcp_toolset_reference","server_name":"a"}}`
		listing  = `{"type":"mcp_tool_listing","mcp_server_name":"b","tools":[]}`
		gone     = `{"type":"text","text":"gone"}`
		hit      = `{"type":"search_result","title":"t","source":"s","content":[]}`
		text     = `{"type":"text","text":"\u00e9"}`
		byURL    = `{"type":"image","source":{"type":"url","url":"u"}}`
	)
	resultOf := func(content string) string {
		return `{"type":"tool_result", "content": ` + content + `, "tool_use_id":"a" }`
	}
	at := func(m, b, inner int) omit.Place { return omit.Place{Message: m, Block: b, Inner: inner} }
	for _, tt := range []struct {
		name     string
		role     transport.Role
		before   []string
		omission omit.Omission
		after    []string
		err      string
	}{
		{"a place that is given twice", "user", []string{resultOf("[" + text + "," + byURL + "]")}, omit.Omission{Blocks: []omit.Place{at(0, 0, 2), at(0, 0, 2)}}, []string{resultOf("[" + text + "]")}, ""},
		{"in any order", "user", []string{picture, words, hit}, omit.Omission{Blocks: []omit.Place{at(0, 2, 0), at(0, 0, 0)}}, []string{words}, ""},
		{"text in a result", "user", []string{resultOf("[" + text + "," + byURL + "," + text + "]")}, omit.Omission{Blocks: []omit.Place{at(0, 0, 2)}, Text: "gone"}, []string{resultOf("[" + text + "," + gone + "," + text + "]")}, ""},
		{"the first of a result", "user", []string{resultOf("[" + byURL + "," + text + "," + hit + "]")}, omit.Omission{Blocks: []omit.Place{at(0, 0, 1)}}, []string{resultOf("[" + text + "," + hit + "]")}, ""},
		{"a result without blocks", "user", []string{resultOf(`"text"`)}, omit.Omission{Blocks: []omit.Place{at(0, 0, 1)}}, nil, "no content of blocks"},
		{"a result without content", "user", []string{`{"type":"tool_result","tool_use_id":"a"}`}, omit.Omission{Blocks: []omit.Place{at(0, 0, 1)}}, nil, "no content of blocks"},
		{"a document with content", "user", []string{`{"type":"document","content":[` + text + `]}`}, omit.Omission{Blocks: []omit.Place{at(0, 0, 1)}}, nil, "no content of blocks"},
		{"a reference in a result", "user", []string{resultOf(`[{"type":"tool_reference","tool_name":"f"}]`)}, omit.Omission{Blocks: []omit.Place{at(0, 0, 1)}}, nil, "messages.0.content.0.content.0: a block of type tool_reference can't be left out"},
		{"one block behind the last", "user", []string{picture, words}, omit.Omission{Blocks: []omit.Place{at(0, 2, 0)}}, nil, "messages.0.content.2: the message has 2 blocks"},
		{"one message behind the last", "user", []string{picture, words}, omit.Omission{Blocks: []omit.Place{at(1, 0, 0)}}, nil, "messages.1.content.0: there are 1 messages"},
		{"all of the model's message", "assistant", []string{thinking}, omit.Omission{Blocks: []omit.Place{at(0, 0, 0)}, Text: "gone"}, nil, ""},
		{"a picture of the model", "assistant", []string{picture}, omit.Omission{Blocks: []omit.Place{at(0, 0, 0)}}, nil, "type image can't be left out of a message of role assistant"},
		{"thinking of a user", "user", []string{thinking}, omit.Omission{Blocks: []omit.Place{at(0, 0, 0)}}, nil, "type thinking can't be left out of a message of role user"},
		{"another server's tools", "system", []string{other, addition}, omit.Omission{MCPServers: []string{"a"}}, []string{other}, ""},
		{"an added server", "system", []string{addition}, omit.Omission{MCPServers: []string{"a"}, Text: "gone"}, []string{gone}, ""},
		{"all of the system's message", "system", []string{addition}, omit.Omission{MCPServers: []string{"a"}}, nil, "leave out all of message 0"},
		{"another server's list", "assistant", []string{listing, words}, omit.Omission{MCPServers: []string{"a"}}, []string{listing, words}, ""},
		{"a place and a server", "assistant", []string{listing, thinking, words}, omit.Omission{MCPServers: []string{"b"}, Blocks: []omit.Place{at(0, 1, 0)}}, []string{words}, ""},
		{"blocks without a server", "system", []string{`{"type":"tool_removal","tool":{"type":"tool_reference","tool_name":"f"}}`}, omit.Omission{Containers: []string{"c"}}, []string{`{"type":"tool_removal","tool":{"type":"tool_reference","tool_name":"f"}}`}, ""},
	} {
		messages := []transport.Message{message(t, tt.role, tt.before...)}
		got, err := tt.omission.Messages(messages)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if s, want := show(&transport.Request{Messages: got}), show(&transport.Request{Messages: []transport.Message{message(t, tt.role, tt.after...)}}); s != want {
			t.Errorf("%s: %s, want %s", tt.name, s, want)
		}
		if s, want := show(&transport.Request{Messages: messages}), show(&transport.Request{Messages: []transport.Message{message(t, tt.role, tt.before...)}}); s != want {
			t.Errorf("%s: the caller's messages are %s", tt.name, s)
		}
	}
	messages := request(t).Messages
	if got, err := (omit.Omission{MCPServers: []string{"c"}, Containers: []string{"x"}}).Messages(messages); err != nil || &got[0] != &messages[0] {
		t.Errorf("nothing is left out, and the messages were copied (%v)", err)
	}
}

// TestPlaceText holds that a place comes back from its text, and nothing else does.
func TestPlaceText(t *testing.T) {
	for text, want := range map[string]omit.Place{
		"messages.0.content.0":            {},
		"messages.4.content.1":            {Message: 4, Block: 1},
		"messages.4.content.10.content.0": {Message: 4, Block: 10, Inner: 1},
		"messages.12.content.0.content.7": {Message: 12, Inner: 8},
	} {
		var o omit.Omission
		if err := json.Unmarshal([]byte(`{"blocks":["`+text+`"]}`), &o); err != nil || len(o.Blocks) != 1 || o.Blocks[0] != want {
			t.Errorf("%s: %+v, %v; want %+v", text, o.Blocks, err, want)
		}
		if data, err := json.Marshal(omit.Omission{Blocks: []omit.Place{want}}); err != nil || string(data) != `{"blocks":["`+text+`"]}` {
			t.Errorf("%+v: %s, %v", want, data, err)
		}
	}
	for _, text := range []string{
		"", "messages", "messages.0", "messages.0.content", "messages.0.content.", "messages.0.content.0.", "messages.0.content.0.content",
		"messages.-1.content.0", "messages.0.content.-1", "messages.0.content.0.content.-1", "messages.x.content.0", "messages.0.content.x",
		"messages.0.content.0.content.x", "messages.00.content.0", "messages.+1.content.0", " messages.0.content.0", "messages.0.content.0.content.0.content.0",
		"system.0.content.0", "messages.0.blocks.0", "messages.99999999999999999999.content.0",
	} {
		p := omit.Place{Message: 3, Block: 2, Inner: 1}
		if err := p.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("%q: %+v, %v", text, p, err)
		} else if p != (omit.Place{Message: 3, Block: 2, Inner: 1}) {
			t.Errorf("%q changed the place to %+v", text, p)
		}
	}
}

// TestIsZero holds that a Text alone leaves out nothing, and each list does.
func TestIsZero(t *testing.T) {
	for _, tt := range []struct {
		omission omit.Omission
		want     bool
	}{
		{omit.Omission{}, true},
		{omit.Omission{Text: "gone"}, true},
		{omit.Omission{Blocks: []omit.Place{{}}}, false},
		{omit.Omission{Containers: []string{"c"}}, false},
		{omit.Omission{MCPServers: []string{"a"}}, false},
	} {
		if got := tt.omission.IsZero(); got != tt.want {
			t.Errorf("%+v: %t", tt.omission, got)
		}
	}
}
