package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

// A schema refers to itself only: one that comes from elsewhere doesn't have this
// machine's files read, or pages fetched.
func TestSchemasReadNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.json")
	if err := os.WriteFile(file, []byte(`{"type":"integer"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{
		`{"type":"object","properties":{"a":{"$ref":"file://FILE"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"FILE"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"https://example.com/s.json"}}}`,
		`{"type":"object","properties":{"a":{"$dynamicRef":"file://FILE"}}}`,
		`{"$id":"file://FILE","type":"object","properties":{"a":{"$ref":"s2.json"}}}`,
	} {
		ran := false
		tool := tools.Raw("x", "d", json.RawMessage(strings.ReplaceAll(schema, "FILE", file)), func(context.Context, json.RawMessage) (tools.Result, error) { ran = true; return tools.Text(""), nil })
		var bad *tools.ArgumentError
		if _, err := call(t.Context(), tool, `{"a":1}`); err == nil || errors.As(err, &bad) || ran {
			t.Errorf("%s: %v", schema, err)
		}
	}
	q := tools.Question{Schema: json.RawMessage(`{"type":"object","properties":{"a":{"$ref":"file://` + file + `"}}}`)}
	if err := q.Check(json.RawMessage(`{"a":1}`)); err == nil {
		t.Error("a question whose schema refers to a file")
	}
}
