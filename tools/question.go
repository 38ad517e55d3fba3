package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// maxAnswer is [Question].MaxBytes if that is 0.
const maxAnswer = 1 << 20

// Check reports whether value is an answer that the question allows. The error is
// an [*AnswerError] that says what is wrong, or reports a mistake in the question.
func (q *Question) Check(value json.RawMessage) error {
	most := q.MaxBytes
	if most <= 0 {
		most = maxAnswer
	}
	if len(value) > most {
		return wrongAnswer("it has %d bytes, more than %d: keep it elsewhere and answer with a reference to it, or raise MaxBytes of the question", len(value), most)
	}
	if !rawjson.Valid(value) {
		return wrongAnswer("it is not JSON; quote a text as a JSON string")
	}
	if len(q.Choices) > 0 {
		err := q.checkChoice(value)
		if err == nil || !q.Open {
			return err
		}
	}
	if q.Schema == nil {
		return nil
	}
	schema, err := compileAnswer(q.Schema)
	if err != nil {
		return fmt.Errorf("question %q: its %w", q.Key, err)
	}
	problems := schema.check(append(append([]byte(`{"value":`), value...), '}'))
	for i := range problems {
		problems[i].Path = strings.TrimPrefix(strings.TrimPrefix(problems[i].Path, "value"), ".")
	}
	if len(problems) > 0 {
		return &AnswerError{Problems: problems}
	}
	return nil
}

// compileAnswer prepares the checking of {"value":…}, of which a schema of any type
// is that of the value: tools take objects only.
func compileAnswer(raw json.RawMessage) (*inputSchema, error) {
	if tooDeep(raw) {
		return nil, fmt.Errorf("schema: nested deeper than %d", maxDepth)
	}
	doc, err := decodeExact(raw)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if _, ok := doc.(map[string]any); !ok {
		return nil, errors.New("schema: not a JSON object")
	}
	moved, err := rawjson.Marshal(map[string]any{"type": "object", "required": []string{"value"}, "properties": map[string]any{"value": moveReferences(doc)}})
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return compileGiven(moved)
}

// moveReferences makes the references of a schema those of one below
// #/properties/value.
func moveReferences(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if to, ok := value.(string); ok && (key == "$ref" || key == "$dynamicRef") && (to == "#" || strings.HasPrefix(to, "#/")) {
				v[key] = "#/properties/value" + to[1:]
			} else {
				v[key] = moveReferences(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = moveReferences(v[i])
		}
	}
	return v
}

func (q *Question) checkChoice(value json.RawMessage) error {
	values := []json.RawMessage{value}
	if q.Several {
		values = nil // or the first would be read into value's own bytes
		if err := json.Unmarshal(value, &values); err != nil {
			return wrongAnswer("it is not a list of the choices' values")
		}
	}
	for i, v := range values {
		same := func(other json.RawMessage) bool { return sameJSON(other, v) }
		switch {
		case !slices.ContainsFunc(q.Choices, func(c Choice) bool { return same(c.Value) }):
			return wrongAnswer("%s is none of the choices: %s", shorten(string(v)), q.choices())
		case slices.ContainsFunc(values[:i], same):
			return wrongAnswer("%s was chosen twice", shorten(string(v)))
		}
	}
	return nil
}

// choices lists the first of the choices' values.
func (q *Question) choices() string {
	var b bytes.Buffer
	for i, c := range q.Choices {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 20 {
			b.WriteString("…")
			break
		}
		b.WriteString(shorten(string(c.Value)))
	}
	return b.String()
}

func wrongAnswer(format string, args ...any) error {
	return &AnswerError{Problems: []Problem{{Message: fmt.Sprintf(format, args...)}}}
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
