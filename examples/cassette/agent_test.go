// Package cassette shows how a program tests its agent: on exchanges with the
// service that were recorded once, without a network and a key.
package cassette

import (
	"context"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/cassette"
)

type place struct {
	City string `json:"city"`
}

func rain(ctx context.Context, p place) (string, error) {
	return map[string]string{"Lisbon": "80 %", "Porto": "20 %"}[p.City], nil
}

// region test
func TestUmbrella(t *testing.T) {
	a, err := agent.New(agent.Options{
		Client: cassette.Open(t, "testdata/umbrella.json").Client(),
		Model:  "claude-opus-5-5",
		Tools:  []tools.Tool{tools.Func("rain", "Tells how likely rain is in a city today.", rain)},
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), "Do I need an umbrella in Lisbon? If so, would Porto be better?").Result()
	if err != nil {
		t.Fatal(err)
	}
	if res.Steps != 3 || !strings.Contains(res.Text, "Porto") {
		t.Errorf("after %d steps: %s", res.Steps, res.Text)
	}
}

// endregion
