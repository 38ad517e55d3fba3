package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintsTheTree(t *testing.T) {
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
	var out, logs bytes.Buffer
	if err := run(t.Context(), &out, slog.New(slog.NewTextHandler(&logs, nil)), true); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		name := strings.TrimLeft(line, "│├└─ ")
		depth := utf8.RuneCountInString(line[:len(line)-len(name)]) / 3
		if name, _, ok := strings.Cut(name, "  "); ok && !strings.Contains(line, " = ") {
			names = append(names, fmt.Sprint(depth, " ", name))
		}
	}
	slices.Sort(names) // calls that begin at once do so in any order
	want := []string{
		"0 invoke_agent packer",
		"1 chat claude-opus-5-5", "1 chat claude-opus-5-5", "1 chat claude-opus-5-5",
		"1 execute_tool ask_guide", "1 execute_tool forecast", "1 execute_tool forecast",
		"2 invoke_agent guide",
		"3 chat claude-opus-5-5", "3 chat claude-opus-5-5", "3 execute_tool opening_hours",
	}
	if !slices.Equal(names, want) {
		t.Errorf("tree %q\nwant %q\n%s", names, want, &out)
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
