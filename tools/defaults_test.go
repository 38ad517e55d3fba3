package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
)

func TestDefaultsAreApplied(t *testing.T) {
	type sub struct {
		Size  int    `json:"size,omitempty" jsonschema:"default=7"`
		Next  *sub   `json:"next,omitempty"`
		Order string `json:"order,omitempty" jsonschema:"enum=up,enum=down,default=up"`
	}
	type in struct {
		Query string         `json:"query"`
		Limit int            `json:"limit,omitempty" jsonschema:"minimum=1,maximum=50,default=10"`
		Exact *bool          `json:"exact,omitempty" jsonschema:"default=true"`
		Tags  []string       `json:"tags,omitempty" jsonschema:"default=a,default=b"`
		Sub   *sub           `json:"sub,omitempty"`
		Subs  []sub          `json:"subs,omitempty"`
		Map   map[string]sub `json:"map,omitempty"`
		Maybe *float64       `json:"maybe,omitempty" jsonschema:"nullable,default=1.5"`
	}
	var got string
	tool := tools.Func("t", "", func(_ context.Context, v in) (string, error) {
		raw, _ := json.Marshal(v)
		got = string(raw)
		return "", nil
	})
	const rest = `,"limit":10,"exact":true,"tags":["a","b"]`
	for _, test := range []struct{ input, want string }{
		{`{"query":"x"}`, `{"query":"x"` + rest + `,"maybe":1.5}`},
		{`{"query":"x","limit":3,"exact":false,"tags":[],"maybe":2}`, `{"query":"x","limit":3,"exact":false,"maybe":2}`},
		{`{"query":"x","limit":null}`, `{"query":"x"` + rest + `,"maybe":1.5}`},
		{`{"query":"x","sub":{}}`, `{"query":"x"` + rest + `,"sub":{"size":7,"order":"up"},"maybe":1.5}`},
		{`{"query":"x","sub":{"size":1,"next":{"next":{"order":"down"}}}}`, `{"query":"x"` + rest + `,"sub":{"size":1,"next":{"size":7,"next":{"size":7,"order":"down"},"order":"up"},"order":"up"},"maybe":1.5}`},
		{`{"query":"x","subs":[{},{"size":2,"order":"down"}]}`, `{"query":"x"` + rest + `,"subs":[{"size":7,"order":"up"},{"size":2,"order":"down"}],"maybe":1.5}`},
		{`{"query":"x","subs":[{},{"size":2}],"map":{"k":{}}}`, `{"query":"x"` + rest + `,"subs":[{"size":7,"order":"up"},{"size":2,"order":"up"}],"map":{"k":{"size":7,"order":"up"}},"maybe":1.5}`},
	} {
		if _, err := call(t.Context(), tool, test.input); err != nil || got != test.want {
			t.Errorf("%s:\ngot  %s %v\nwant %s", test.input, got, err, test.want)
		}
		normal, err := tool.Normalize(json.RawMessage(test.input))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := tool.Normalize(normal); err != nil || string(again) != string(normal) {
			t.Errorf("normalized twice: %s, %v, first %s", again, err, normal)
		}
		if _, err := tool.Call(t.Context(), normal); err != nil || got != test.want {
			t.Errorf("%s, called without Prepare: %s %v", normal, got, err)
		}
	}
	if _, err := tool.Call(t.Context(), json.RawMessage(`{"query":"x"}`)); err != nil || !strings.Contains(got, `"limit":10`) {
		t.Errorf("a call that nobody prepared: %s %v", got, err)
	}
}

func TestDefaultsThatDoNotFit(t *testing.T) {
	for _, tool := range []*tools.FuncTool{
		tools.Func("t", "", none[struct {
			Limit int `json:"limit,omitempty" jsonschema:"minimum=1,default=0"`
		}]),
		tools.Func("t", "", none[struct {
			Limit string `json:"limit,omitempty" jsonschema:"pattern=^a,default=b"`
		}]),
		tools.Func("t", "", none[struct {
			In []struct {
				Limit string `json:"limit,omitempty" jsonschema:"enum=a,default=b"`
			} `json:"in"`
		}]),
	} {
		if _, err := tool.Definition(); err == nil || !strings.Contains(err.Error(), `property "limit": its default`) {
			t.Errorf("error is %v", err)
		}
	}
}

// TestDecodeErrorsHavePaths: what only the decoder can tell is told with its
// place.
func TestDecodeErrorsHavePaths(t *testing.T) {
	type level struct {
		At []wordly `json:"at"`
	}
	type in struct {
		Small  []int8            `json:"small,omitempty"`
		Big    map[string]uint64 `json:"big,omitempty"`
		Days   []ownTime         `json:"days,omitempty"`
		Words  map[wordly]int    `json:"words,omitempty"`
		Deep   []*level          `json:"deep,omitempty"`
		Since  *stampTime        `json:"since,omitempty"`
		Wait   []time.Month      `json:"wait,omitempty"`
		Hidden json.RawMessage   `json:"hidden,omitempty"`
	}
	tool := tools.FuncWith("t", "", none[in], tools.Options{NoRepair: true})
	for _, test := range []struct{ input, want string }{
		{`{"small":[1,2.0],"big":{"a":1,"b":18446744073709551616}}`, "- big.b: expected a value that fits uint64, got number 18446744073709551616"},
		{`{"days":["2026-01-31","2026-13-01"]}`, `- days[1]: parsing time`},
		{`{"words":{"yes":1,"no":2}}`, "- words.no: not a word"},
		{`{"deep":[{"at":[]},{"at":["yes","no"]}]}`, "- deep[1].at[1]: not a word"},
		{`{"since":"text"}`, "- since: expected a date-time such as"},
	} {
		_, err := call(t.Context(), tool, test.input)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want one with %q", test.input, err, test.want)
		}
	}
}

// wordly takes one word.
type wordly string

func (w *wordly) UnmarshalText(b []byte) error {
	if string(b) != "yes" {
		return errNotAWord
	}
	*w = wordly(b)
	return nil
}

var errNotAWord = errors.New("not a word")

func (w wordly) MarshalText() ([]byte, error) { return []byte(w), nil }
