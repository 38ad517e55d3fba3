package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestPrintsTheTree(t *testing.T) {
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		t.Setenv(name, "")
	}
	var out, logs bytes.Buffer
	if err := run(t.Context(), &out, slog.New(slog.NewTextHandler(&logs, nil)), true); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), "  "); ok && !strings.Contains(line, " = ") {
			names = append(names, name)
		}
	}
	want := "invoke_agent packer|├─ chat claude-opus-5-5|├─ execute_tool forecast|├─ execute_tool forecast|├─ chat claude-opus-5-5|└─ chat claude-opus-5-5"
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("tree %s\nwant %s\n%s", got, want, &out)
	}
	for _, want := range []string{`whorl.turn.segment = 2`, `["pause_turn"]`, `[name] goes to Oslo`, "rain in Bergen"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
	if !strings.Contains(logs.String(), "trace_id=") || strings.Contains(logs.String(), "Oslo") {
		t.Errorf("logs %s", &logs)
	}
}
