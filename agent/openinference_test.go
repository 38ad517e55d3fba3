package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
)

// OpenInference's converter, as npm has it, reads the spans of a run, by the default
// names and by the latest. It is installed with npm, so this runs only if WHORL_NPM is
// set.
func TestOpenInference(t *testing.T) {
	if os.Getenv("WHORL_NPM") == "" {
		t.Skip("WHORL_NPM is not set: OpenInference's converter is not installed and not run")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "openinference"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm can't install the converter, it is not run: %v\n%s", err, out)
	}
	for _, optIn := range []string{"", "gen_ai_latest_experimental"} {
		t.Run(optIn, func(t *testing.T) {
			t.Setenv("OTEL_SEMCONV_STABILITY_OPT_IN", optIn)
			spans := newSpanLog()
			usage := `{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":1000,"output_tokens":50}`
			a := newAgent(t, &script{replies: []any{
				withUsage(t, "tool_use", usage, `{"type":"thinking","thinking":"hm","signature":"c2ln"}`, text("I ask."), use("a", "echo", `{"n":1}`)),
				withUsage(t, "end_turn", usage, text("done")),
			}}, agent.Options{Name: "helper", System: "Be brief.", Telemetry: agent.Telemetry{TracerProvider: spans.provider, Content: new(agent.TraceContent)}}, echo("echo"))
			if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
				t.Fatal(err)
			}
			var names []string
			var attributes []map[string]any
			for _, s := range spans.GetSpans() {
				m := map[string]any{}
				for _, kv := range s.Attributes {
					m[string(kv.Key)] = kv.Value.AsInterface()
				}
				names, attributes = append(names, strings.Fields(s.Name)[0]), append(attributes, m)
			}
			in, err := json.Marshal(attributes)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, "node", "convert.mjs")
			cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got []map[string]any
			if err := json.Unmarshal(out, &got); err != nil || len(got) != len(names) || len(got) != 4 {
				t.Fatalf("%v: %s", err, out)
			}
			for i, want := range openInference(optIn == "") {
				for key, value := range want {
					if fmt.Sprint(got[i][key]) != value {
						t.Errorf("%s: %s = %v, want %s", names[i], key, got[i][key], value)
					}
				}
			}
		})
	}
}

// openInference is what the converter, of version 0.3.10, makes of the four spans. It
// doesn't know the latest name of cache writes.
func openInference(known bool) []map[string]string {
	written, all := "<nil>", "<nil>"
	if known {
		written, all = "1000", "2000"
	}
	return []map[string]string{
		{
			"openinference.span.kind": "LLM", "llm.model_name": "claude-opus-5-5", "llm.finish_reason": "tool_use", "llm.provider": "anthropic",
			"llm.token_count.prompt": "1110", "llm.token_count.completion": "50", "llm.token_count.prompt_details.cache_read": "100", "llm.token_count.prompt_details.cache_write": written,
			"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.contents.0.message_content.text": "go",
			"llm.output_messages.0.message.contents.0.message_content.type": "reasoning", "llm.output_messages.0.message.contents.1.message_content.text": "I ask.",
			"llm.output_messages.0.message.tool_calls.0.tool_call.id": "a", "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "echo",
			"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": `{"n":1}`,
		},
		{"openinference.span.kind": "TOOL", "tool.name": "echo", "tool_call.id": "a", "tool.parameters": `{"n":1}`, "output.value": `{"n":1}`},
		{
			"openinference.span.kind": "LLM", "llm.finish_reason": "end_turn", "llm.input_messages.0.message.role": "tool", "llm.input_messages.0.message.tool_call_id": "a",
			"llm.output_messages.0.message.contents.0.message_content.text": "done",
		},
		{
			"openinference.span.kind": "AGENT", "agent.name": "helper", "llm.token_count.prompt": "2220", "llm.token_count.completion": "100",
			"llm.token_count.prompt_details.cache_write": all, "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.contents.0.message_content.text": "Be brief.",
			"llm.input_messages.1.message.contents.0.message_content.text": "go", "llm.output_messages.0.message.contents.0.message_content.text": "done",
			"llm.tools.0.tool.json_schema": `{"type":"function","function":{"name":"echo"}}`,
		},
	}
}
