package tools_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// TestDefinitionsFitTheAPI checks definitions against the description of the
// API, which is messages-openapi.json in the folder WHORL_REFERENCE, or in
// ../shared/reference seen from the project's root.
func TestDefinitionsFitTheAPI(t *testing.T) {
	dir := os.Getenv("WHORL_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "reference")
	}
	file, err := os.Open(filepath.Join(dir, "messages-openapi.json"))
	if err != nil {
		t.Skipf("no description of the API: %v; set WHORL_REFERENCE", err)
	}
	defer file.Close()
	doc, err := validator.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("https://api.invalid/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://api.invalid/openapi.json#/components/schemas/BetaToolUnion")
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	set := []wireTest{
		{name: "all options", tool: tools.FuncWith("find", "d", none[Base], tools.Options{
			InputExamples: []any{Base{}}, AllowedCallers: []string{"direct"}, EagerInputStreaming: &yes, CacheControl: &transport.CacheControl{TTL: transport.TTL1h}})},
		{name: "strict and deferred", tool: tools.FuncWith("find", "", none[Base], tools.Options{Strict: true, DeferLoading: true})},
		{name: "bash", tool: tools.RawWith("bash", "", nil, nothing, tools.Options{Type: "bash_20250124"})},
		{name: "memory", tool: tools.RawWith("memory", "", nil, nothing, tools.Options{Type: "memory_20250818", Strict: true})},
		{name: "text editor", tool: tools.RawWith("str_replace_based_edit_tool", "", nil, nothing, tools.Options{Type: "text_editor_20250728", Members: json.RawMessage(`{"max_characters":100}`)})},
	}
	for _, e := range corpus {
		schema, err := tools.ReflectSchema(e.typ)
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, wireTest{name: e.name, tool: tools.Raw("t", "", schema, nothing)})
	}
	for _, test := range append(set, serverTools()...) {
		if test.name == "search of the future" {
			continue
		}
		def, err := test.tool.Definition()
		if test.name == "fields named as schema keywords" || test.name == "odd names" {
			if err == nil || !strings.Contains(err.Error(), "the service takes names that match") {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var value any
		if err := json.Unmarshal(def.Raw(), &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %s: %v", test.name, def.Raw(), err)
		}
	}
}
