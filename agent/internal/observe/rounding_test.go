package observe

import (
	"maps"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/whorl-go/whorl/transport"
)

// A sum of floats is shown as it would be written, on a model call by both names, on
// a run by ours only: others sum gen_ai.usage.cost over spans.
func TestCostAttributesAreRounded(t *testing.T) {
	a, b := 0.1, 0.2
	cost := Cost{USD: a + b}
	obs := New(Options{Request: new(transport.Request)})
	for _, tt := range []struct {
		name  string
		attrs []attribute.KeyValue
		want  map[attribute.Key]bool
	}{
		{"a run", obs.appendUsage(nil, transport.Usage{}, cost, true), map[attribute.Key]bool{keyCostUSD: true}},
		{"a model call", obs.describeChat(nil, new(transport.Response), cost, nil), map[attribute.Key]bool{keyCostUSD: true, keyUsageCost: true}},
		{"a model call of an unknown price", obs.describeChat(nil, new(transport.Response), Cost{Incomplete: true}, nil), nil},
	} {
		got := map[attribute.Key]bool{}
		for _, kv := range tt.attrs {
			if kv.Key != keyCostUSD && kv.Key != keyUsageCost {
				continue
			}
			got[kv.Key] = true
			if v := kv.Value.AsFloat64(); v != 0.3 {
				t.Errorf("%s: %s = %v, want 0.3", tt.name, kv.Key, v)
			}
		}
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: has %v, want %v", tt.name, got, tt.want)
		}
	}
}
