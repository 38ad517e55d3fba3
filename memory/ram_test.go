package memory_test

import (
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/storetest"
)

func TestRAM(t *testing.T) {
	storetest.Run(t, func(*testing.T) memory.Store { return new(memory.RAM) })
}

func BenchmarkRAM(b *testing.B) {
	storetest.Bench(b, func(*testing.B) memory.Store { return new(memory.RAM) })
}
