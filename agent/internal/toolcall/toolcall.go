// Package toolcall knows the question by which a call that a tool makes waits for an
// approval: the agent and package astool ask it, and those who answer read it.
package toolcall

import (
	"encoding/json"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Kind is the kind of such a question.
const Kind = "approval"

// Of returns the tool that is to be called, and its arguments; both are empty where the
// question doesn't say.
func Of(q tools.Question) (name string, input json.RawMessage) {
	return rawjson.GetString(q.Data, "name"), rawjson.Get(q.Data, "input")
}

// Denies reports whether an answer to such a question leaves the call out.
func Denies(value json.RawMessage) bool {
	switch string(rawjson.Trim(value)) {
	case `"deny"`, "false":
		return true
	}
	return false
}
