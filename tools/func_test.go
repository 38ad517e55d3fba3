package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func TestDefinitionOnTheWire(t *testing.T) {
	yes := true
	tests := []struct {
		name string
		tool tools.Tool
		want string
	}{
		{"plain", tools.Func("find", `Finds "words" & <tags>`, none[Base]),
			`{"name":"find","description":"Finds \"words\" & <tags>","input_schema":{"properties":{"id":{"type":"integer"},"name":{"type":"string"}},"additionalProperties":false,"type":"object","required":["id","name"]}}`},
		{"no description", tools.Func("find", "", none[Empty]),
			`{"name":"find","input_schema":{"properties":{},"additionalProperties":false,"type":"object"}}`},
		{"all options", tools.FuncWith("find", "d", none[Base], tools.Options{
			InputExamples: []any{Base{ID: 1 << 60, Name: "<n>"}}, AllowedCallers: []string{"direct", "code_execution_20260120"},
			EagerInputStreaming: &yes, CacheControl: &transport.CacheControl{TTL: transport.TTL1h},
			Schema: json.RawMessage(`{"type":"object","properties":{"id":{"type":"integer"},"name":{}},"additionalProperties":false}`)}),
			`{"name":"find","description":"d","input_schema":{"type":"object","properties":{"id":{"type":"integer"},"name":{}},"additionalProperties":false},"input_examples":[{"id":1152921504606846976,"name":"<n>"}],"allowed_callers":["direct","code_execution_20260120"],"eager_input_streaming":true,"cache_control":{"type":"ephemeral","ttl":"1h"}}`},
		{"deferred", tools.RawWith("find", "d", nil, nothing, tools.Options{DeferLoading: true}),
			`{"name":"find","description":"d","input_schema":{"type":"object"},"defer_loading":true}`},
		{"defined by Anthropic", tools.RawWith("str_replace_based_edit_tool", "", nil, nothing, tools.Options{Type: "text_editor_20250728", Members: json.RawMessage(`{"max_characters":9}`)}),
			`{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":9}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			def, err := test.tool.Definition()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(def.Raw()); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

type searchIn struct {
	Query  string   `json:"query" jsonschema_description:"words to look for"`
	Limit  int      `json:"limit,omitempty" jsonschema:"minimum=1,maximum=50"`
	Sort   string   `json:"sort,omitempty" jsonschema:"enum=newest,enum=oldest"`
	Tags   []string `json:"tags,omitempty" jsonschema:"minLength=2,maxItems=2"`
	Filter *struct {
		Since time.Time `json:"since"`
		Size  int8      `json:"size,omitempty"`
	} `json:"filter,omitempty"`
	Data []byte `json:"data,omitempty"`
}

func TestNamesThatTheServiceRefuses(t *testing.T) {
	type in struct {
		Size int `json:"größe"`
	}
	_, err := tools.Func("t", "", func(context.Context, in) (string, error) { return "", nil }).Definition()
	if err == nil || !strings.Contains(err.Error(), `tool "t": schema: property "größe": the service takes names that match`) {
		t.Error(err)
	}
	_, err = tools.Raw("t", "", json.RawMessage(`{"type":"object","properties":{"in":{"type":"object","properties":{"a b":{}}}}}`),
		func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Result{}, nil }).Definition()
	if err != nil {
		t.Errorf("further in it takes others: %v", err)
	}
}

func TestKeysOfMapsAreChecked(t *testing.T) {
	tool := tools.Func("t", "", func(context.Context, struct {
		Lines map[int]string `json:"lines"`
	}) (string, error) {
		return "", nil
	})
	if _, err := tool.Call(t.Context(), json.RawMessage(`{"lines":{"1":"a","b":"c"}}`)); err == nil || !strings.Contains(err.Error(), "lines: expected names that match ^-?(0|[1-9][0-9]*)$, got `b`") {
		t.Error(err)
	}
}

// The validator looks at members in any order, and keeps the place of a bad name in
// memory that it uses again: whichever comes next, the model is told the right place.
func TestAKeyOfAMapIsToldWithItsPlace(t *testing.T) {
	type pages struct {
		Lines map[int]string           `json:"lines"`
		Other map[string]int           `json:"other"`
		Deep  []map[string]map[int]int `json:"deep"`
	}
	tool := tools.Func("t", "", func(context.Context, pages) (string, error) { return "", nil })
	for range 50 {
		_, err := tool.Call(t.Context(), json.RawMessage(`{"lines":{"x":"a"},"other":{"x":1},"deep":[{"a":{"1":1}},{"b":{"y":1},"c":{"y":2,"3":3}}]}`))
		var bad *tools.ArgumentError
		if !errors.As(err, &bad) {
			t.Fatal(err)
		}
		var places []string
		for _, p := range bad.Problems {
			places = append(places, p.Path)
		}
		if got := strings.Join(places, " "); got != "deep[1].b deep[1].c lines" {
			t.Fatal(got, err)
		}
	}
}

func TestBadArguments(t *testing.T) {
	ran := false
	tool := tools.FuncWith("search", "", func(context.Context, searchIn) (string, error) { ran = true; return "ok", nil },
		tools.Options{NoRepair: true})
	tests := []struct {
		input string
		want  []string // problems, "path: message"
	}{
		{`{}`, []string{"query: missing; expected string (words to look for)"}},
		{`{"qeury":"x"}`, []string{": unknown field `qeury`; did you mean `query`?", "query: missing; expected string (words to look for)"}},
		{`{"query":"x","Limit":3}`, []string{": unknown field `Limit`; did you mean `limit`?"}},
		{`{"query":"x","wholly_else":3}`, []string{": unknown field `wholly_else`; the fields are `data`, `filter`, `limit`, `query`, `sort`, `tags`"}},
		{`{"query":3}`, []string{"query: expected string, got 3"}},
		{`{"query":"x","limit":"3"}`, []string{`limit: expected integer, got the string "3"`}},
		{`{"query":"x","limit":0}`, []string{"limit: expected at least 1, got 0"}},
		{`{"query":"x","limit":51}`, []string{"limit: expected at most 50, got 51"}},
		{`{"query":"x","limit":2.5}`, []string{"limit: expected integer, got 2.5"}},
		{`{"query":"x","limit":1e999999999}`, []string{"limit: the number 1e999999999 is out of range"}},
		{`{"query":"x","sort":"newst"}`, []string{"sort: expected one of \"newest\", \"oldest\", got the string \"newst\"; did you mean `newest`?"}},
		{`{"query":"x","tags":["ab","c"]}`, []string{"tags[1]: expected at least 2 characters, got 1"}},
		{`{"query":"x","tags":["ab","cd","ef"]}`, []string{"tags: expected at most 2 items, got 3"}},
		{`{"query":"x","filter":{"since":"yesterday"}}`, []string{`filter.since: expected a date-time such as 2026-01-31T12:00:00Z, got the string "yesterday"`}},
		{`{"query":"x","filter":{"size":200}}`, []string{"filter.since: missing; expected string", "filter.size: expected at most 127, got 200"}},
		{`{"query":"x","filter":[]}`, []string{"filter: expected object, got an array of 0"}},
		{`{"query":"x","data":"%%"}`, []string{"data: expected base64 text: illegal base64 data at input byte 0"}},
		{`{"query":"x","filter":{"since":[1e999999999]}}`, []string{"filter.since[0]: the number 1e999999999 is out of range"}},
		{`{"query":"x","query":"y"}`, []string{"query: given more than once"}},
		{`{"query":"x","filter":{"size":[{"a":1,"a":2}]}}`, []string{"filter.size[0].a: given more than once"}},
		{`{"tags":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, []string{": nested deeper than 200"}},
		{`[1]`, []string{": expected object, got an array of 1"}},
		{`"text"`, []string{`: expected object, got the string "text"`}},
		{`null`, []string{": expected object, got null"}},
		{`{"query":"x"`, []string{": not valid JSON: unexpected EOF"}},
		{`{"query":"x"}{}`, []string{": not valid JSON: more than one value"}},
	}
	for _, test := range tests {
		_, err := tool.Call(t.Context(), json.RawMessage(test.input))
		var bad *tools.ArgumentError
		if !errors.As(err, &bad) {
			t.Errorf("%s: error is %v, want an ArgumentError", test.input, err)
			continue
		}
		var got []string
		for _, p := range bad.Problems {
			got = append(got, p.Path+": "+p.Message)
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s:\ngot  %q\nwant %q", test.input, got, test.want)
		}
		if !strings.Contains(err.Error(), `tool "search"`) {
			t.Errorf("%s: error %q doesn't name the tool", test.input, err)
		}
	}
	if ran {
		t.Error("the function ran in spite of bad arguments")
	}
}

func TestArgumentsAreExact(t *testing.T) {
	type in struct {
		I int64           `json:"i"`
		U uint64          `json:"u"`
		A any             `json:"a"`
		R json.RawMessage `json:"r"`
		N json.Number     `json:"n"`
	}
	var got in
	tool := tools.Func("t", "", func(_ context.Context, v in) (string, error) { got = v; return "", nil })
	input := `{"i":9007199254740993,"u":18446744073709551615,"a":9007199254740993,"r":{"z":1,"a":0.10},"n":12345678901234567890.123}`
	if _, err := tool.Call(t.Context(), json.RawMessage(input)); err != nil {
		t.Fatal(err)
	}
	if got.I != 9007199254740993 || got.U != math.MaxUint64 || got.A != json.Number("9007199254740993") ||
		string(got.R) != `{"z":1,"a":0.10}` || got.N != "12345678901234567890.123" {
		t.Errorf("arguments changed: %+v, raw %s", got, got.R)
	}
}

func TestNumberTooLargeForItsType(t *testing.T) {
	tool := tools.Func("t", "", none[struct {
		Outer struct{ N int64 } `json:"outer"`
	}])
	_, err := tool.Call(t.Context(), json.RawMessage(`{"outer":{"N":9223372036854775808}}`))
	if err == nil || !strings.Contains(err.Error(), "outer.N: expected a value that fits int64, got number 9223372036854775808") {
		t.Errorf("error is %v", err)
	}
}

type celsius string

func TestResults(t *testing.T) {
	gif := []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00D,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")
	image := `{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0lGODlhAQABAIAAAAAAAAAARCwAAAAAAQABAAACAkQBADs="}}`
	var nilBase *Base
	tests := []struct {
		name string
		tool *tools.FuncTool
		want string // the blocks, joined
	}{
		{"string", returning("a <b>"), `{"type":"text","text":"a <b>"}`},
		{"empty string", returning(""), ``},
		{"blank string", returning(" \n"), ``},
		{"named string", returning(celsius("21°")), `{"type":"text","text":"21°"}`},
		{"struct", returning(Base{ID: 1 << 60, Name: "<&>"}), `{"type":"text","text":"{\"id\":1152921504606846976,\"name\":\"<&>\"}"}`},
		{"pointer to struct", returning(&Base{}), `{"type":"text","text":"{\"id\":0,\"name\":\"\"}"}`},
		{"nil pointer", returning(nilBase), ``},
		{"nil any", returning[any](nil), ``},
		{"nothing", returning(struct{}{}), ``},
		{"number", returning(0.1), `{"type":"text","text":"0.1"}`},
		{"bool", returning(false), `{"type":"text","text":"false"}`},
		{"slice", returning([]int{1, 2}), `{"type":"text","text":"[1,2]"}`},
		{"nil slice", returning([]int(nil)), `{"type":"text","text":"[]"}`},
		{"nil map", returning(map[string]int(nil)), `{"type":"text","text":"{}"}`},
		{"map", returning(map[string]int{"b": 1, "a": 2}), `{"type":"text","text":"{\"a\":2,\"b\":1}"}`},
		{"bytes", returning([]byte("raw")), `{"type":"text","text":"raw"}`},
		{"raw JSON", returning(json.RawMessage(`{"a": 1}`)), `{"type":"text","text":"{\"a\": 1}"}`},
		{"time", returning(time.Unix(0, 0).UTC()), `{"type":"text","text":"\"1970-01-01T00:00:00Z\""}`},
		{"block", returning(transport.Text("x")), `{"type":"text","text":"x"}`},
		{"blocks", returning([]transport.Block{transport.Text("x"), transport.Text(""), transport.Text("y")}), `{"type":"text","text":"x"}{"type":"text","text":"y"}`},
		{"result", returning(tools.Text("x")), `{"type":"text","text":"x"}`},
		{"image", returning(tools.Image{Data: gif}), image},
		{"images", returning([]tools.Image{{Data: gif}, {URL: "https://x.example/a.png"}}), image + `{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}}`},
		{"contents", returning([]tools.Content{tools.Image{FileID: "file_1"}, nil, tools.Document{Text: "t", Title: "T", Citations: true}}),
			`{"type":"image","source":{"type":"file","file_id":"file_1"}}{"type":"document","source":{"type":"text","media_type":"text/plain","data":"t"},"title":"T","citations":{"enabled":true}}`},
		{"search result", returning(tools.SearchResult{Source: "a.go", Title: "A", Texts: []string{"p", " "}}),
			`{"type":"search_result","source":"a.go","title":"A","content":[{"type":"text","text":"p"}]}`},
		{"error with an image", returning(tools.Result{IsError: true, Content: []transport.Block{mustBlock(tools.Image{URL: "https://x.example"}), transport.Text("no")}}),
			`{"type":"text","text":"[image left out: an error can hold text only]"}{"type":"text","text":"no"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := test.tool.Call(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, b := range r.Content {
				got.Write(b.Raw())
			}
			if got.String() != test.want {
				t.Errorf("got  %s\nwant %s", &got, test.want)
			}
		})
	}
}

func TestResultsThatFail(t *testing.T) {
	sick := errors.New("disk on fire")
	tests := []struct {
		name string
		tool *tools.FuncTool
		want string
	}{
		{"error", tools.Func("t", "", func(context.Context, Empty) (string, error) { return "half", sick }), "disk on fire"},
		{"error as the value", returning[error](sick), "disk on fire"},
		{"not a number", returning(math.NaN()), "the tool ran, but its result can't be encoded"},
		{"image of an unknown kind", returning(tools.Image{Data: []byte("text")}), "it is text/plain"},
		{"image of nothing", returning(tools.Image{}), "0 sources given"},
		{"document of two sources", returning(tools.Document{Text: "x", URL: "y"}), "together with another source"},
		{"document of text as data", returning(tools.Document{Data: []byte("x")}), "must be a PDF"},
		{"search result without a source", returning(tools.SearchResult{}), "must not be empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := test.tool.Call(t.Context(), json.RawMessage(`{}`))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if len(r.Content) != 0 {
				t.Errorf("content %v next to an error", r.Content)
			}
		})
	}
}

func returning[Out any](v Out) *tools.FuncTool {
	return tools.Func("t", "", func(context.Context, Empty) (Out, error) { return v, nil })
}

func mustBlock(c tools.Content) transport.Block {
	b, err := c.Block()
	if err != nil {
		panic(err)
	}
	return b
}
