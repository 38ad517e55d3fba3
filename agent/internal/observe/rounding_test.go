package observe

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/whorl-go/whorl/transport"
)

func TestCostAttributesAreRounded(t *testing.T) {
	a, b := 0.1, 0.2
	attrs := appendUsage(nil, transport.Usage{}, Cost{USD: a + b})
	for _, key := range []attribute.Key{keyCostUSD, keyUsageCost} {
		found := false
		for _, kv := range attrs {
			if kv.Key == key {
				found = true
				if got := kv.Value.AsFloat64(); got != 0.3 {
					t.Errorf("%s = %v, want 0.3", key, got)
				}
			}
		}
		if !found {
			t.Errorf("%s is missing", key)
		}
	}
}
