// Package loopguard stops a model that makes the same tool call over and over.
package loopguard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// Gate returns a gate that denies the nth call in a row of one tool with the same
// arguments in a run. The result tells the model to do something else. A call of
// another tool, or with other arguments, restarts the count. n must be at least 2; a
// smaller n means 3.
func Gate(n int) agent.Gate {
	if n < 2 {
		n = 3
	}
	return func(_ context.Context, req agent.ToolRequest) agent.Decision {
		if req.Log == nil {
			return agent.Decision{}
		}
		written := req.Written // as in the log, without a schema's defaults
		if written == nil {
			written = req.Call.Input
		}
		want, row := key(req.Call.Name, written), 0
		newest := req.Log.State().Response
		for _, r := range req.Log.Records(0) {
			switch r.Kind {
			case memory.KindRun:
				row = 0
			case memory.KindResponse:
				for _, c := range r.Response.ToolCalls() {
					if r.Response == newest && c.ID == req.Call.ID {
						break // this is the call, if the model is not still writing it
					}
					if row++; key(c.Name, c.Input) != want {
						row = 0
					}
				}
			}
		}
		row++
		if row < n {
			return agent.Decision{}
		}
		return agent.Decision{
			Permission: agent.Deny, Rule: "loopguard",
			Reason: fmt.Sprintf("this is call %d in a row of %s with the same arguments, and it would bring nothing new. Do something else, or say what keeps you from going on.", row, req.Call.Name),
		}
	}
}

// key tells calls apart, whatever white space is in the arguments.
func key(name string, input []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, input) != nil {
		return name + " " + string(input)
	}
	return name + " " + b.String()
}
