package models

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// The sums over all strict tools are those that the service refuses (rows 104 to
// 107 of docs/wire.md §7).
func TestCheckStrict(t *testing.T) {
	many := func(n int, parameter, required string) func(int) string {
		return func(i int) string {
			var p, r []string
			for j := range n {
				p = append(p, fmt.Sprintf(`"p%d":%s`, j, parameter))
				r = append(r, fmt.Sprintf(`"p%d"`, j))
			}
			if required == "" {
				r = nil
			}
			return fmt.Sprintf(`{"name":"t%d","strict":true,"input_schema":{"type":"object","properties":{%s},"required":[%s],"additionalProperties":false}}`,
				i, strings.Join(p, ","), strings.Join(r, ","))
		}
	}
	const text, union, choice = `{"type":"string"}`, `{"type":["string","null"]}`, `{"anyOf":[{"type":"string"},{"type":"integer"}]}`
	inner := `{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}}`
	// The parameters of definitions count too.
	defined := func(key string) func(int) string {
		return func(i int) string {
			return strings.Replace(many(1, `{"$ref":"#/`+key+`/d"}`, "all")(i), `"additionalProperties":false}`,
				`"additionalProperties":false,"`+key+`":{"d":{"type":"object","properties":{"a":`+text+`,"b":`+text+`,"c":`+text+`,"d":`+text+`,"e":`+text+`}}}}`, 1)
		}
	}
	// Tools of different sizes: the error names the one that a change helps most.
	sizes := func(parameter, required string, n ...int) func(int) string {
		return func(i int) string { return many(n[i], parameter, required)(i) }
	}
	tests := []struct {
		name  string
		tools int
		tool  func(int) string
		want  string
	}{
		{"20 tools", 20, many(1, text, "all"), ""},
		{"21 tools", 21, many(1, text, "all"), "21 strict tools"},
		{"21 that aren't strict", 21, func(i int) string { return fmt.Sprintf(`{"name":"t%d","input_schema":{"type":"object"}}`, i) }, ""},
		{"24 optional in 2", 2, many(12, text, ""), ""},
		{"26 optional in 2", 2, many(13, text, ""), `26 optional parameters of strict tools: model m doesn't take it; a request may have 24, and one tool fewer: make some of the 13 of tool "t0" required`},
		{"24 in one", 1, many(24, text, ""), "24 optional"},
		{"23 in one", 1, many(23, text, ""), ""},
		{"most optional in the middle", 3, sizes(text, "", 8, 12, 9), `make some of the 12 of tool "t1" required`},
		{"24 in the first of two", 2, sizes(text, "", 24, 0), `make some of the 24 of tool "t0" required`},
		{"most unions in the middle", 3, sizes(union, "all", 5, 9, 6), `give some of the 9 of tool "t1" one type`},
		{"16 unions in 2", 2, many(8, union, "all"), ""},
		{"18 unions in 2", 2, many(9, choice, "all"), `give some of the 9 of tool "t0" one type`},
		{"16 unions in one", 1, many(16, union, "all"), "16 parameters of several types"},
		{"optional below lists", 5, many(5, inner, "all"), "25 optional"},
		{"optional in $defs", 5, defined("$defs"), "25 optional"},
		{"optional in definitions", 5, defined("definitions"), "25 optional"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := transport.Request{Model: "m", MaxTokens: 1, Messages: []transport.Message{transport.UserText("x")}}
			for i := range tt.tools {
				def, err := transport.ParseToolDefinition([]byte(tt.tool(i)))
				if err != nil {
					t.Fatal(err)
				}
				r.Tools = append(r.Tools, def)
			}
			if err := (Model{}).Check(&r); tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
