package models_test

import (
	"fmt"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

func ExampleModel_Cost() {
	m, _ := models.Lookup("claude-sonnet-5-5")
	usd, known := m.Cost(transport.Usage{InputTokens: 1_000, CacheReadInputTokens: 50_000, OutputTokens: 2_000}, time.Time{})
	fmt.Printf("$%.3f %v\n", usd, known)
	// Output: $0.027 true
}
