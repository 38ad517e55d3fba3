package toolcall

import (
	"encoding/json"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

func TestQuestionOfACall(t *testing.T) {
	for data, want := range map[string][2]string{
		`{"name":"pay","input":{"usd": 5}}`: {"pay", `{"usd": 5}`}, `{"name":"pay"}`: {"pay", ""}, `{"name":7}`: {"", ""}, ``: {"", ""},
	} {
		if name, input := Of(tools.Question{Kind: Kind, Data: json.RawMessage(data)}); name != want[0] || string(input) != want[1] {
			t.Errorf("%s: %q, %s", data, name, input)
		}
	}
	// What isn't surely a denial has to be allowed by somebody who may.
	for value, want := range map[string]bool{`"deny"`: true, ` false `: true, `"allow"`: false, `true`: false, `null`: false, `"Deny"`: false, ``: false} {
		if Denies(json.RawMessage(value)) != want {
			t.Errorf("%q denies: %v", value, !want)
		}
	}
}
