package anthropic

import (
	"net/http"
	"testing"

	"github.com/whorl-go/whorl/transport/secret"
)

// The betas of one request are no other's: the header that all share stays as it is.
func TestBetasAreOfOneRequest(t *testing.T) {
	c, err := New(Options{APIKey: secret.New("k"), Betas: []string{"always"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	made := func(betas string) http.Header {
		t.Helper()
		req, err := c.request(t.Context(), &call{method: http.MethodPost, path: messagesPath, betas: betas})
		if err != nil {
			t.Fatal(err)
		}
		return req.Header
	}
	with, without := made("once"), made("")
	if with.Get("Anthropic-Beta") != "once" || without.Get("Anthropic-Beta") != "" || c.header().Get("Anthropic-Beta") != "" {
		t.Errorf("%q, then %q, and all requests %q", with.Get("Anthropic-Beta"), without.Get("Anthropic-Beta"), c.header().Get("Anthropic-Beta"))
	}
}
