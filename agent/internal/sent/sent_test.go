package sent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

func TestParsePlace(t *testing.T) {
	for s, b := range map[string]transport.Breakpoint{
		"tools.0":                  {Part: transport.PartTools},
		"system.12=1h":             {Part: transport.PartSystem, Index: 12, TTL: transport.TTL1h},
		"messages.3.content.10":    {Part: transport.PartMessages, Index: 3, Block: 10},
		"messages.0.content.1=5m":  {Part: transport.PartMessages, Block: 1, TTL: transport.TTL5m},
		"messages.41.content.0=1h": {Part: transport.PartMessages, Index: 41, TTL: transport.TTL1h},
	} {
		if got := string(AppendPlace([]byte("x"), b)); got != "x"+s {
			t.Errorf("%+v is %s", b, got)
		}
		if got, err := ParsePlace(s); err != nil || got != b {
			t.Errorf("%s is %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "tools", "tools.x", "messages.1.blocks.2", "messages.1.content.x", "messages.1.content", "messages.1.content.2.3", "metadata.0", "Tools.0"} {
		if got, err := ParsePlace(s); err == nil {
			t.Errorf("%q is %+v", s, got)
		}
	}
	if marks, err := Breakpoints(nil); marks != nil || err != nil {
		t.Errorf("%v, %v", marks, err)
	}
	for _, data := range []string{`{"breakpoints":["tools.0","nowhere.1"]}`, `{"breakpoints":7}`} {
		if marks, err := Breakpoints([]byte(data)); err == nil {
			t.Errorf("%s: %v", data, marks)
		}
	}
}

func TestEstimateOf(t *testing.T) {
	for data, want := range map[string]Estimate{
		"": {}, "{}": {}, `{"estimate":{}}`: {}, `{"estimate":"much"}`: {}, `{"estimate":{"input_tokens":3,"output_tokens":"x"}}`: {},
		`{"estimate":{"input_tokens":3}}`: {Input: 3}, `{"thread":"create","estimate":{"input_tokens":3,"output_tokens":4}}`: {Input: 3, Output: 4},
	} {
		if got := EstimateOf([]byte(data)); got != want {
			t.Errorf("%s: %+v", data, got)
		}
	}
	for e, want := range map[Estimate]string{
		{}: `{"thread":"off"}`, {Input: 3}: `{"thread":"off","estimate":{"input_tokens":3}}`, {Output: 4}: `{"thread":"off","estimate":{"output_tokens":4}}`,
	} {
		if got := string(e.AppendTo([]byte(`{"thread":"off"}`))); got != want {
			t.Errorf("%+v: %s", e, got)
		}
	}
}

func TestContainerOf(t *testing.T) {
	for _, tt := range []struct{ container, configured, want string }{
		{"", `{"skills":[1]}`, ""},
		{"c_1", "", `"c_1"`},
		{`c"1`, "", `"c\"1"`},
		{"c_1", `"c_0"`, `"c_1"`},
		{"c_1", `{"id":"c_0"}`, `"c_1"`},
		{"c_1", `{"skills":null,"x":1}`, `"c_1"`},
		{"c_1", `{"id":"c_0","skills":[{"a":1}],"x":2}`, `{"id":"c_1","skills":[{"a":1}],"x":2}`},
		{"c_1", `{"skills":[]}`, `{"id":"c_1","skills":[]}`},
	} {
		if got := string(containerOf(tt.container, []byte(tt.configured))); got != tt.want {
			t.Errorf("%q, %s: %s, want %s", tt.container, tt.configured, got, tt.want)
		}
	}
}

// What an omission leaves out of the configuration is in no later request: one that was
// refused for it would be refused again, without an end.
func TestCarry(t *testing.T) {
	for _, tt := range []struct {
		omitted            omit.Omission
		used               string // container, by the log
		container, servers string
	}{
		{omit.Omission{}, "", `"c_0"`, `[{"name":"a"},{"name":"b"}]`},
		{omit.Omission{}, "c_1", `"c_1"`, `[{"name":"a"},{"name":"b"}]`},
		{omit.Omission{Containers: []string{"c_0"}}, "", "", `[{"name":"a"},{"name":"b"}]`},
		{omit.Omission{Containers: []string{"c_0"}, MCPServers: []string{"a"}}, "c_1", `"c_1"`, `[{"name":"b"}]`},
		{omit.Omission{MCPServers: []string{"a", "b"}}, "", `"c_0"`, ""},
	} {
		r := &transport.Request{Container: []byte(`"c_0"`), MCPServers: []byte(`[{"name":"a"},{"name":"b"}]`)}
		Carry(r, &memory.State{Omitted: tt.omitted, Container: tt.used})
		if string(r.Container) != tt.container || string(r.MCPServers) != tt.servers {
			t.Errorf("%+v behind %q: %s, %s", tt.omitted, tt.used, r.Container, r.MCPServers)
		}
	}
}

// A request is what the log describes: what was recorded in front of its response,
// and what its record says.
func TestRequest(t *testing.T) {
	config := func(model string) memory.Record {
		body, err := (&transport.Request{Model: model, MaxTokens: 100, System: []transport.Block{transport.Text("s")}}).StreamBody()
		if err != nil {
			t.Fatal(err)
		}
		return memory.Record{Kind: memory.KindRun, Data: body.Bytes()}
	}
	response := func(id, data, more string) memory.Record {
		resp, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":%q,"type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}%s}`, id, more)))
		if err != nil {
			t.Fatal(err)
		}
		return memory.Record{Kind: memory.KindResponse, Response: resp, Data: []byte(data)}
	}
	input := func(words string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.UserText(words)}
	}
	log := memory.NewLog()
	if err := log.Append(t.Context(), config("one"), input("q"),
		response("m_1", `{"breakpoints":["messages.0.content.0=1h"],"max_tokens":7,"previous_message_id":"","thread":"create","cache_control":"1h"}`, `,"container":{"id":"c_1","expires_at":"2030-01-01T00:00:00Z"}`), // 2
		memory.Record{Kind: memory.KindRun}, memory.Record{Kind: memory.KindInput, Message: transport.SystemText("rule")}, input("r"),
		response("m_2", `{"thread":"continue","without":["system"],"previous_message_id":"m_1"}`, ""), // 6
		config("two"), input("s"),
		response("m_3", `{"thread":"replay","cache_control":null}`, ""), // 9
		input("t"), response("m_4", `{"thread":"off"}`, "")); err != nil { // 11
		t.Fatal(err)
	}
	for n, want := range map[int]string{
		2:  `model one, 100→7, marks [{2 0 0 1h}], control 1h, previous "", thread &{ 0}, container , user`,
		6:  `model one, 100→100, marks [], control none, previous "m_1", thread &{m_1 2}, container "c_1", user assistant user user`,
		9:  `model two, 100→100, marks [], control none, previous none, thread &{ 0}, container "c_1", user assistant user system assistant user`,
		11: `model two, 100→100, marks [], control none, previous none, thread <nil>, container "c_1", user assistant user system assistant user assistant user`,
	} {
		s, err := Request(log, n)
		if err != nil || !s.Configured {
			t.Errorf("record %d: %v", n, err)
			continue
		}
		r := s.Request
		control, previous := "none", "none"
		if r.CacheControl != nil {
			control = string(r.CacheControl.TTL)
		}
		if r.Diagnostics != nil {
			previous = fmt.Sprintf("%q", r.Diagnostics.PreviousMessageID)
		}
		var marks []string
		for _, b := range r.Breakpoints {
			marks = append(marks, fmt.Sprint(b))
		}
		var roles []string
		for _, m := range r.Messages {
			roles = append(roles, string(m.Role))
		}
		part := fmt.Sprint(transport.PartMessages)
		got := fmt.Sprintf("model %s, 100→%d, marks %v, control %s, previous %s, thread %v, container %s, %s", r.Model, r.MaxTokens, marks, control, previous, r.Thread, r.Container, strings.Join(roles, " "))
		if want = strings.ReplaceAll(want, "{2 0 0 1h}", "{"+part+" 0 0 1h}"); got != want {
			t.Errorf("record %d:\n%s, want\n%s", n, got, want)
		}
	}
	for _, n := range []int{0, 1, 10, 99, -1} {
		if s, err := Request(log, n); err == nil {
			t.Errorf("record %d: %+v", n, s)
		}
	}
	var configs []string
	for n := range log.Len() + 1 {
		var v struct{ Model string }
		_ = json.Unmarshal(NewestConfig(log, n), &v)
		configs = append(configs, v.Model)
	}
	if want := slices.Concat([]string{""}, slices.Repeat([]string{"one"}, 7), slices.Repeat([]string{"two"}, 5)); !slices.Equal(configs, want) {
		t.Errorf("%q, want %q", configs, want)
	}
	bare := memory.NewLog()
	if err := bare.Append(t.Context(), input("q"), response("m", "", "")); err != nil {
		t.Fatal(err)
	}
	if s, err := Request(bare, 1); err != nil || s.Configured || s.Request.Model != "" || len(s.Request.Messages) != 1 || s.Request.Thread != nil {
		t.Errorf("of a log without a configuration: %+v, %v", s, err)
	}
}
