package shape

import (
	"strings"
	"testing"
)

// refsIn lists the named objects that a shape leads to.
func refsIn(s shape) []string {
	switch s := s.(type) {
	case ref:
		return []string{string(s)}
	case beta:
		return refsIn(s.is)
	case until:
		return refsIn(s.is)
	case changed:
		return append(refsIn(s.before), refsIn(s.after)...)
	case byRole:
		return refsIn(tagged(s))
	case orNull:
		return refsIn(s.is)
	case list:
		return refsIn(s.of)
	case dict:
		return refsIn(s.of)
	case tagged:
		var all []string
		for _, t := range s {
			all = append(all, refsIn(t.is)...)
		}
		return all
	case either:
		var all []string
		for _, alt := range s {
			all = append(all, refsIn(alt)...)
		}
		return all
	case str:
		if s.pattern != "" && patterns[s.pattern] == nil {
			return []string{"the pattern " + s.pattern}
		}
	}
	return nil
}

func TestTablesAreWhole(t *testing.T) {
	used := map[string]bool{"CreateMessageParams": true, "CountMessageTokensParams": true}
	for name, o := range objects {
		for _, f := range o.fields {
			for _, r := range refsIn(f.is) {
				used[r] = true
				if _, ok := objects[r]; !ok {
					t.Errorf("%s.%s: no object %s", name, f.name, r)
				}
			}
		}
	}
	for name := range objects {
		if !used[name] {
			t.Errorf("%s is not used", name)
		}
	}
	if len(objects) < 150 {
		t.Errorf("only %d objects", len(objects))
	}
}

func TestWords(t *testing.T) {
	none := func(string) bool { return false }
	all := func(string) bool { return true }
	for _, c := range []struct {
		object, raw string
		betas       func(string) bool
		want        string
	}{
		{"InputMessage", `{"role":"user","content":"hi"}`, none, ""},
		{"InputMessage", `{"role":"user","content":7}`, none, "m.content: Input should be a valid list"},
		{"InputMessage", `{"role":"user"}`, none, "m.content: Field required"},
		{"InputMessage", `{"role":"user","content":"hi","clear_at":"never"}`, none, "m.clear_at: Extra inputs are not permitted"},
		{"InputMessage", `{"role":"user","content":"hi","clear_at":"never"}`, all, ""},
		{"InputMessage", `{"role":"user","content":"hi","clear_at":"soon"}`, all, "m.clear_at: Input should be 'next_user_message' or 'never'"},
		{"RequestToolUseBlock", `{"type":"tool_use","id":"a","name":"f","input":[]}`, none, "m.input: Input should be a valid dictionary"},
		{"ThinkingConfigEnabled", `{"type":"enabled","budget_tokens":1.5}`, none, "m.budget_tokens: Input should be a valid integer, got a number with a fractional part"},
		{"ThinkingConfigEnabled", `{"type":"enabled","budget_tokens":"2000"}`, none, "m.budget_tokens: Input should be a valid integer"},
		{"ThinkingConfigAdaptive", `{"type":"adaptive","display":"updates"}`, none, "m.display: Input should be 'summarized' or 'omitted'"},
		{"ThinkingConfigAdaptive", `{"type":"adaptive","display":"updates"}`, all, ""},
		{"WebSearchTool_20250305", `{"type":"web_search_20250305","name":"web_search","max_uses":0}`, none, "m.max_uses: Input should be greater than 0"},
		{"ContainerParams", `{"skills":[` + strings.Repeat(`{"type":"custom","skill_id":"s"},`, 20) + `{"type":"custom","skill_id":"s"}]}`, none, "m.skills: List should have at most 20 items after validation, not 21"},
		{"RequestWebFetchToolResultBlock", `{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_fetch_tool_result_error","error_code":"unavailable"}}`, none, ""},
	} {
		if got := Check(c.object, "m", []byte(c.raw), Terms{Version: "2023-06-01", Beta: c.betas}); got != c.want {
			t.Errorf("%s %s:\n got %q\nwant %q", c.object, c.raw, got, c.want)
		}
	}
}
