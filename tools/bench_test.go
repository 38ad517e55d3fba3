package tools_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

func BenchmarkCall(b *testing.B) {
	tool := tools.Func("search", "", func(context.Context, searchIn) (string, error) { return "found", nil })
	input := json.RawMessage(`{"query":"how are requests retried","limit":10,"tags":["go","http"]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tool.Call(b.Context(), input); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFunc(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tools.Func("search", "", none[searchIn]).Definition(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCallAllocates bounds what checking and decoding cost, apart from the tool itself.
func TestCallAllocates(t *testing.T) {
	tool := tools.Func("search", "", func(context.Context, searchIn) (string, error) { return "found", nil })
	input := json.RawMessage(`{"query":"how are requests retried","limit":10,"tags":["go","http"]}`)
	ctx := context.Background()
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := tool.Call(ctx, input); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 130 {
		t.Errorf("a call allocates %v times", allocs)
	}
}
