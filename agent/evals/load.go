package evals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/nearest"
)

// Load reads cases from files. A *.json file holds a list of cases, or one case; a
// *.txtar file holds one case, named after the file. The patterns are those of fs.Glob;
// a pattern that matches nothing is an error. Keep the file of Suite.Baseline where no
// pattern matches it, such as in a folder of its own.
//
// A case in JSON:
//
//	{
//	  "name": "refund", "tags": ["money"],
//	  "prompt": "I want my money back.", "turns": ["Order 7."],
//	  "stubs": {"refund": "done"}, "approve": ["refund"],
//	  "checks": {
//	    "contains": ["refund"], "lacks": ["sorry"], "matches": "order 7", "equals": "…", "json": {"total": 3},
//	    "calls": {"order": "in order", "calls": [{"name": "find_order", "input": {"id": 7}}]},
//	    "never": ["send_mail"], "asks_before": ["refund"], "no_errors": true, "grounded": true, "max_steps": 4,
//	    "max_cost_usd": 0.05, "max_tokens": 9000, "min_cache_read": 0.5, "rubric": "It is polite."
//	  }
//	}
//
// In a txtar file the sections "prompt", "turn" (several), "stub/NAME", "equals" and
// "rubric" are texts. The section "checks" is the JSON of "checks", and "case" is the
// JSON of all other members.
func Load(fsys fs.FS, patterns ...string) ([]Case, error) {
	var cases []Case
	for _, pattern := range patterns {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, fmt.Errorf("evals: the pattern %q: %w", pattern, err)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("evals: the pattern %q matches no file", pattern)
		}
		for _, name := range names {
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, fmt.Errorf("evals: %w", err)
			}
			list, err := parseCases(name, data)
			if err != nil {
				return nil, fmt.Errorf("evals: %w", err)
			}
			cases = append(cases, list...)
		}
	}
	return cases, nil
}

// A FileError is an error in a file of cases.
type FileError struct {
	File string
	Line int // counted from 1; 0 if the error concerns the whole file
	Err  error
}

// Error returns the message, with the file and the line.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

type fileCase struct {
	Name    string            `json:"name"`
	Tags    []string          `json:"tags"`
	Prompt  string            `json:"prompt"`
	Turns   []string          `json:"turns"`
	Repeat  int               `json:"repeat"`
	Stubs   map[string]string `json:"stubs"`
	Approve []string          `json:"approve"`
	Checks  fileChecks        `json:"checks"`
}

type fileChecks struct {
	Equals       *string         `json:"equals"`
	Contains     []string        `json:"contains"`
	Lacks        []string        `json:"lacks"`
	Matches      string          `json:"matches"`
	JSON         json.RawMessage `json:"json"`
	Calls        *fileCalls      `json:"calls"`
	Never        []string        `json:"never"`
	AsksBefore   []string        `json:"asks_before"`
	NoErrors     bool            `json:"no_errors"`
	Grounded     bool            `json:"grounded"`
	MaxSteps     int             `json:"max_steps"`
	MaxCostUSD   float64         `json:"max_cost_usd"`
	MaxTokens    int64           `json:"max_tokens"`
	MinCacheRead float64         `json:"min_cache_read"`
	Rubric       string          `json:"rubric"`
}

type fileCalls struct {
	Order Order      `json:"order"`
	Calls []fileCall `json:"calls"`
}

type fileCall struct {
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"`
}

func parseCases(name string, data []byte) ([]Case, error) {
	if path.Ext(name) == ".txtar" {
		c, err := parseArchive(name, data)
		return []Case{c}, err
	}
	if isBaseline(data) {
		return nil, &FileError{File: name, Err: errors.New("this is a baseline, as Suite.Update writes it, and no case; keep it in another folder, or choose cases by another pattern")}
	}
	var list []fileCase
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		list = make([]fileCase, 1)
		if err := strict(name, data, 0, &list[0]); err != nil {
			return nil, err
		}
	} else if err := strict(name, data, 0, &list); err != nil {
		return nil, err
	}
	var cases []Case
	for i, f := range list {
		if f.Name == "" && len(list) == 1 {
			f.Name = strings.TrimSuffix(path.Base(name), path.Ext(name))
		}
		c, err := f.build()
		if err != nil {
			return nil, &FileError{File: name, Err: fmt.Errorf("case %d (%q): %w", i+1, f.Name, err)}
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// isBaseline reports whether data is a file that [writeBaseline] has written.
func isBaseline(data []byte) bool {
	var b struct {
		Version int             `json:"version"`
		Cases   json.RawMessage `json:"cases"`
	}
	return json.Unmarshal(data, &b) == nil && b.Version > 0 && b.Cases != nil
}

// An archived is a file of a txtar archive: what stands behind a line "-- name --".
type archived struct {
	name string
	line int // of its first line
	text string
}

func parseArchive(name string, data []byte) (Case, error) {
	var list []archived
	for i, line := range strings.SplitAfter(string(data), "\n") {
		bare := strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(bare, "-- ") && strings.HasSuffix(bare, " --") && len(bare) > 6 {
			list = append(list, archived{name: strings.TrimSpace(bare[3 : len(bare)-3]), line: i + 2})
		} else if len(list) > 0 {
			list[len(list)-1].text += line
		}
	}
	f := fileCase{Name: strings.TrimSuffix(path.Base(name), ".txtar"), Stubs: make(map[string]string)}
	for _, s := range list {
		text := strings.TrimRight(s.text, "\r\n")
		var err error
		switch stub, isStub := strings.CutPrefix(s.name, "stub/"); {
		case isStub:
			f.Stubs[stub] = text
		case s.name == "prompt":
			f.Prompt = text
		case s.name == "turn":
			f.Turns = append(f.Turns, text)
		case s.name == "equals":
			f.Checks.Equals = &text
		case s.name == "rubric":
			f.Checks.Rubric = text
		case s.name == "checks":
			err = strict(name, []byte(s.text), s.line-1, &f.Checks)
		case s.name == "case":
			err = strict(name, []byte(s.text), s.line-1, &f)
		default:
			err = &FileError{name, s.line - 1, fmt.Errorf("there is no section %q%s", s.name, meant(s.name, []string{"prompt", "turn", "equals", "rubric", "checks", "case", "stub/NAME"}))}
		}
		if err != nil {
			return Case{}, err
		}
	}
	c, err := f.build()
	if err != nil {
		return Case{}, &FileError{File: name, Err: err}
	}
	return c, nil
}

func (f fileCase) build() (Case, error) {
	c := Case{Name: f.Name, Tags: f.Tags, Turns: f.Turns, Repeat: f.Repeat, Input: agent.Input{Prompt: f.Prompt}}
	if f.Prompt == "" {
		return c, fmt.Errorf("there is no prompt")
	}
	for tool, text := range f.Stubs {
		if c.Stubs == nil {
			c.Stubs = make(map[string]Stub)
		}
		c.Stubs[tool] = Answer(text)
	}
	if f.Approve != nil {
		c.Approve = func(_ context.Context, p agent.PendingCall) (agent.Decision, error) {
			if slices.Contains(f.Approve, p.Name) {
				return agent.Decision{Permission: agent.Allow}, nil
			}
			return agent.Decision{Permission: agent.Deny, Reason: "the case doesn't approve it"}, nil
		}
	}
	k := f.Checks
	add := func(there bool, check func() Check) {
		if there {
			c.Checks = append(c.Checks, check())
		}
	}
	add(k.Equals != nil, func() Check { return Equals(*k.Equals) })
	add(len(k.Contains) > 0, func() Check { return Contains(k.Contains...) })
	add(len(k.Lacks) > 0, func() Check { return Lacks(k.Lacks...) })
	add(k.Matches != "", func() Check { return Matches(k.Matches) })
	add(k.JSON != nil, func() Check { return JSON(string(k.JSON)) })
	if k.Calls != nil {
		order := k.Calls.Order
		if order == "" {
			order = InOrder
		}
		switch order {
		case Exact, InOrder, All, Only, Same:
		default:
			return c, fmt.Errorf("there is no order %q%s", order, meant(string(order), []string{"exact", "in order", "all", "only", "same"}))
		}
		var calls []Call
		for _, fc := range k.Calls.Calls {
			calls = append(calls, Call{Name: fc.Name, Input: string(fc.Input)})
		}
		c.Checks = append(c.Checks, Calls(order, calls...))
	}
	add(len(k.Never) > 0, func() Check { return Never(k.Never...) })
	add(len(k.AsksBefore) > 0, func() Check { return AsksBefore(k.AsksBefore...) })
	add(k.NoErrors, NoErrors)
	add(k.Grounded, Grounded)
	add(k.MaxSteps > 0, func() Check { return StepsAtMost(k.MaxSteps) })
	add(k.MaxCostUSD > 0, func() Check { return CostAtMost(k.MaxCostUSD) })
	add(k.MaxTokens > 0, func() Check { return TokensAtMost(k.MaxTokens) })
	add(k.MinCacheRead > 0, func() Check { return CacheReadAtLeast(k.MinCacheRead) })
	add(k.Rubric != "", func() Check { return Rubric(k.Rubric) })
	return c, nil
}

// strict decodes JSON whose members all have to be known. The line that an error names
// is counted from the line before data.
func strict(file string, data []byte, line int, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		at := 0
		switch e := err.(type) {
		case *json.SyntaxError:
			at = int(e.Offset)
		case *json.UnmarshalTypeError:
			at, err = int(e.Offset), kindError(e)
		}
		return &FileError{file, line + 1 + bytes.Count(data[:min(at, len(data))], []byte("\n")), err}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	return known(d, reflect.TypeOf(v).Elem(), func(err error) error {
		return &FileError{file, line + 1 + bytes.Count(data[:d.InputOffset()], []byte("\n")), err}
	})
}

// kindError says which member has the wrong kind of value, in JSON's words.
func kindError(e *json.UnmarshalTypeError) error {
	wanted := e.Type.Kind().String()
	switch e.Type.Kind() {
	case reflect.Slice:
		wanted = "a list, in [ ]"
	case reflect.Struct, reflect.Map:
		wanted = "an object, in { }"
	case reflect.String:
		wanted = "a string"
	case reflect.Bool:
		wanted = "true or false"
	case reflect.Int, reflect.Int64, reflect.Float64:
		wanted = "a number"
	}
	if e.Field == "" {
		return fmt.Errorf("a case is %s, not %s", wanted, e.Value)
	}
	return fmt.Errorf("%q is %s, not %s", e.Field, wanted, e.Value)
}

// known reads a value and fails at the first member that its type hasn't.
func known(d *json.Decoder, t reflect.Type, wrong func(error) error) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	tok, err := d.Token()
	if err != nil {
		return wrong(err)
	}
	switch {
	case tok == json.Delim('['):
		for d.More() {
			elem := t
			if t.Kind() == reflect.Slice && t != reflect.TypeFor[json.RawMessage]() {
				elem = t.Elem()
			}
			if err := known(d, elem, wrong); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case tok == json.Delim('{'):
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return wrong(err)
			}
			member := reflect.TypeFor[json.RawMessage]()
			if t.Kind() == reflect.Struct {
				var names []string
				found := false
				for i := range t.NumField() {
					name := t.Field(i).Tag.Get("json")
					names = append(names, name)
					if name == key {
						member, found = t.Field(i).Type, true
					}
				}
				if !found {
					return wrong(fmt.Errorf("there is no member %q%s", key, meant(key.(string), names)))
				}
			}
			if err := known(d, member, wrong); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	if err != nil {
		return wrong(err)
	}
	return nil
}

// meant is the name that was meant, as the end of a sentence, or those there are.
func meant(name string, names []string) string {
	if n := nearest.Name(name, names); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return "; there are " + strings.Join(names, ", ")
}
