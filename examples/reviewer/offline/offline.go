// Package offline is a model without weights for the reviewer. It lists and
// reads the Go files of a folder by the request's tools, applies a few static
// rules to what it has read, and answers in the form that the request asks for.
// It knows nothing but what the tools told it.
package offline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A Model is a [simulator.Model]. The zero Model is ready for use. It keeps
// nothing: all it knows it takes from the request.
type Model struct{}

var _ simulator.Model = Model{}

const (
	readsAtOnce = 8
	// mostTokens is the size of a prompt at which it stops to read.
	mostTokens = 150_000
)

// Respond does one step: it lists, reads on, or reports.
func (Model) Respond(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	for _, name := range []string{"list_files", "read_file"} {
		if !turn.HasTool(name) {
			reply := simulator.Say("I have no tool " + name + " to see the code with.")
			return &reply, nil
		}
	}
	seen := look(turn.Messages)
	if !seen.listed {
		reply := simulator.Do(simulator.Thinking("Let me see which files there are."),
			simulator.Call("list_files", map[string]any{"pattern": "*.go"}))
		return &reply, nil
	}
	var reply simulator.Reply
	for _, path := range seen.paths {
		f := seen.files[path]
		if f != nil && f.whole || turn.PromptTokens > mostTokens || strings.HasSuffix(path, "_test.go") {
			continue
		}
		input := map[string]any{"path": path}
		if f != nil {
			input["from"] = len(f.lines) + 1
		}
		if reply.Content = append(reply.Content, simulator.Call("read_file", input)); len(reply.Content) == readsAtOnce {
			break
		}
	}
	if len(reply.Content) > 0 {
		return &reply, nil
	}
	text, err := report(turn.Format, inspect(seen.files))
	if err != nil {
		return nil, err
	}
	reply = simulator.Say(text)
	return &reply, nil
}

// A source is a file as far as it was read.
type source struct {
	lines []string
	whole bool // there is no more to be had
}

type view struct {
	listed bool
	paths  []string
	files  map[string]*source
}

// look takes from the conversation what the tools have told.
func look(messages []transport.Message) view {
	v := view{files: make(map[string]*source)}
	reads := make(map[string]string) // path by call
	for _, m := range messages {
		for _, b := range m.Content {
			if c, ok := b.ToolCall(); ok && c.Name == "read_file" {
				reads[c.ID] = rawjson.GetString(c.Input, "path")
			}
			if b.Type() != transport.TypeToolResult {
				continue
			}
			text, failed := resultOf(b)
			path, isRead := reads[rawjson.GetString(b.Raw(), "tool_use_id")]
			switch {
			case isRead:
				v.take(path, text, failed)
			case !failed:
				v.listed = true
				for line := range strings.Lines(text) {
					if line = strings.TrimSpace(line); strings.HasSuffix(line, ".go") {
						v.paths = append(v.paths, line)
					}
				}
			default:
				v.listed = true
			}
		}
	}
	return v
}

func resultOf(b transport.Block) (text string, failed bool) {
	content := rawjson.Get(b.Raw(), "content")
	if len(content) > 0 && content[0] == '"' {
		text = rawjson.Unquote(content)
	}
	for part := range rawjson.Elements(content) {
		text += rawjson.GetString(part, "text")
	}
	return text, string(rawjson.Get(b.Raw(), "is_error")) == "true"
}

// take adds numbered lines to a file.
func (v view) take(path, text string, failed bool) {
	f := v.files[path]
	if f == nil {
		f = new(source)
		v.files[path] = f
	}
	before := len(f.lines)
	for line := range strings.SplitSeq(text, "\n") {
		number, code, ok := strings.Cut(line, "\t")
		if n, err := strconv.Atoi(strings.TrimSpace(number)); ok && err == nil && n == len(f.lines)+1 {
			f.lines = append(f.lines, code)
		}
	}
	f.whole = failed || !strings.Contains(text, "\n[cut here: ") || len(f.lines) == before
}

// report writes the problems in the form that the request asks for: an object
// with a list. Members that the form doesn't know are left out. Without a form
// it writes plain lines.
func report(format json.RawMessage, problems []problem) (string, error) {
	if len(format) == 0 {
		var b strings.Builder
		for _, p := range problems {
			fmt.Fprintf(&b, "%s:%d: %s: %s %s\n", p.file, p.line, p.severity, p.message, p.suggestion)
		}
		return b.String(), nil
	}
	var form struct {
		Schema struct {
			Properties map[string]struct {
				Type  string `json:"type"`
				Items struct {
					Properties map[string]json.RawMessage `json:"properties"`
				} `json:"items"`
			} `json:"properties"`
		} `json:"schema"`
	}
	if err := json.Unmarshal(format, &form); err != nil {
		return "", err
	}
	for name, property := range form.Schema.Properties {
		if property.Type != "array" {
			continue
		}
		list := make([]map[string]any, 0, len(problems))
		for _, p := range problems {
			members := map[string]any{"file": p.file, "line": p.line, "severity": p.severity, "message": p.message, "suggestion": p.suggestion}
			for m := range members {
				if _, known := property.Items.Properties[m]; !known {
					delete(members, m)
				}
			}
			list = append(list, members)
		}
		text, err := json.Marshal(map[string]any{name: list})
		return string(text), err
	}
	return "", fmt.Errorf("the form has no list to put findings into: %s", format)
}

// A problem is what a rule finds.
type problem struct {
	file                string
	line                int
	severity            string
	message, suggestion string
}

// inspect applies the rules to the files, in the order of their paths.
func inspect(files map[string]*source) []problem {
	var paths []string
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	r := newRules(paths, files)
	for _, path := range paths {
		r.file(path)
	}
	return r.problems
}
