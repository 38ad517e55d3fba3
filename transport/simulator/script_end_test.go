package simulator_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// A script that is too short is a mistake of the test: it is told at once, instead of
// after the client's retries.
func TestScriptThatIsUsedUpIsNotRetried(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script()})
	req, err := http.NewRequest("POST", sim.URL()+"/v1/messages", strings.NewReader(
		`{"model":"claude-opus-5-5","max_tokens":10,"messages":[{"role":"user","content":"Hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "any")
	req.Header.Set("anthropic-version", "2023-06-01")
	req.Header.Set("content-type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 500 || resp.Header.Get("x-should-retry") != "false" {
		t.Errorf("%s, x-should-retry: %q", resp.Status, resp.Header.Get("x-should-retry"))
	}
}
