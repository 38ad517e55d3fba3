package cassette

import (
	"fmt"
	"os"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// TestMain lets the cassette be recorded without a key, from the simulator:
//
//	WHORL_CASSETTE=record go test ./examples/cassette
func TestMain(m *testing.M) {
	if os.Getenv("WHORL_CASSETTE") != "record" || os.Getenv("ANTHROPIC_API_KEY") != "" {
		os.Exit(m.Run())
	}
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("rain", map[string]string{"city": "Lisbon"})),
		simulator.Do(simulator.Call("rain", map[string]string{"city": "Porto"})),
		simulator.Say("Yes: rain is likely in Lisbon today (80 %). In Porto it is 20 %, so you could go without one there."),
	)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("ANTHROPIC_BASE_URL", sim.URL())
	os.Setenv("ANTHROPIC_API_KEY", "any")
	code := m.Run()
	sim.Close()
	os.Exit(code)
}
