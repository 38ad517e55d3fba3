package agenttest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// firstDifference finds the first place where request b doesn't go on from
// request a, in the order in which the service renders a prompt. It is ok if
// there is none.
func firstDifference(a, b *transport.Request) (where, what string, ok bool) {
	switch {
	case a.Model != b.Model:
		return "model", fmt.Sprintf("%s, was %s", b.Model, a.Model), false
	case a.Speed != b.Speed:
		return "speed", fmt.Sprintf("%q, was %q", b.Speed, a.Speed), false
	}
	ta, tb := inPrompt(a.Tools), inPrompt(b.Tools)
	for i := range max(len(ta), len(tb)) {
		switch {
		case i >= len(tb):
			return toolPlace(i, ta[i]), "removed", false
		case i >= len(ta):
			return toolPlace(i, tb[i]), "added", false
		case ta[i].Name() != tb[i].Name():
			return toolPlace(i, tb[i]), fmt.Sprintf("was %q", ta[i].Name()), false
		}
		if what := changed(ta[i].Raw(), tb[i].Raw()); what != "" {
			return toolPlace(i, tb[i]), what, false
		}
	}
	for i := range max(len(a.System), len(b.System)) {
		where := fmt.Sprintf("system[%d]", i)
		switch {
		case i >= len(b.System):
			return where, "removed", false
		case i >= len(a.System):
			return where, "added", false
		}
		if what := changed(a.System[i].Raw(), b.System[i].Raw()); what != "" {
			return where, what, false
		}
	}
	for name, pair := range parameters(a, b) {
		if pair[0] != pair[1] {
			return name, fmt.Sprintf("%s, was %s", orNone(pair[1]), orNone(pair[0])), false
		}
	}
	for i := range a.Messages {
		where := fmt.Sprintf("messages[%d]", i)
		if i >= len(b.Messages) {
			return where, "removed", false
		}
		if x, y := a.Messages[i].Role, b.Messages[i].Role; x != y {
			return where, fmt.Sprintf("role %s, was %s", y, x), false
		}
		ca, cb := a.Messages[i].Content, b.Messages[i].Content
		for j := range max(len(ca), len(cb)) {
			where := fmt.Sprintf("%s.content[%d]", where, j)
			switch {
			case j >= len(cb):
				return where, string(ca[j].Type()) + " removed", false
			case j >= len(ca):
				return where, string(cb[j].Type()) + " added", false
			case ca[j].Type() != cb[j].Type():
				return where, fmt.Sprintf("%s, was %s", cb[j].Type(), ca[j].Type()), false
			}
			if what := changed(ca[j].Raw(), cb[j].Raw()); what != "" {
				return where + " " + string(ca[j].Type()), what, false
			}
		}
	}
	return "", "", true
}

// inPrompt leaves out the tools that are no part of the prefix.
func inPrompt(tools []transport.ToolDefinition) []transport.ToolDefinition {
	return slices.DeleteFunc(slices.Clone(tools), transport.ToolDefinition.Deferred)
}

func toolPlace(i int, t transport.ToolDefinition) string {
	return fmt.Sprintf("tools[%d] %q", i, t.Name())
}

// changed names the first member that differs between two objects, marks for the
// cache apart, or is "".
func changed(a, b []byte) string {
	if bytes.Equal(a, b) {
		return ""
	}
	before, now := members(a), members(b)
	for _, m := range now {
		if v := rawjson.Get(a, m.key); v == nil {
			return m.key + " added"
		} else if !bytes.Equal(v, m.value) {
			return m.key + " changed" + near(v, m.value)
		}
	}
	for _, m := range before {
		if rawjson.Get(b, m.key) == nil {
			return m.key + " removed"
		}
	}
	return "" // other white space, or members in another order
}

type member struct {
	key   string
	value []byte
}

func members(raw []byte) []member {
	var list []member
	for k, v := range rawjson.Members(raw) {
		if k != "cache_control" {
			list = append(list, member{k, v})
		}
	}
	return list
}

// near shows where two values part, if they begin alike.
func near(a, b []byte) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	const around = 24
	if n < around {
		return ""
	}
	show := func(v []byte) string {
		return fmt.Sprintf("%q", string(v[n-around/2:min(len(v), n+around/2)]))
	}
	return fmt.Sprintf(" at byte %d: …%s…, was …%s…", n, show(b), show(a))
}

// parameters are what loses the messages if it changes (wire §8.5), as
// text, by the name of the parameter and in its order.
func parameters(a, b *transport.Request) func(func(string, [2]string) bool) {
	return func(yield func(string, [2]string) bool) {
		for _, p := range []struct {
			name string
			of   func(*transport.Request) any
		}{
			{"tool_choice", func(r *transport.Request) any { return r.ToolChoice }},
			{"thinking", func(r *transport.Request) any { return r.Thinking }},
			{"output_config", func(r *transport.Request) any { return r.OutputConfig }},
		} {
			if !yield(p.name, [2]string{text(p.of(a)), text(p.of(b))}) {
				return
			}
		}
	}
}

func text(v any) string {
	raw, err := rawjson.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw))
}

func orNone(s string) string {
	if s == "null" {
		return "none"
	}
	return s
}
