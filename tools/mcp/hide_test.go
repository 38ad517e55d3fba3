package mcp

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// The newest tokens are hidden, whichever came before them; one that comes again is no
// new one.
func TestNewestTokensAreHidden(t *testing.T) {
	s := new(sentTokens)
	token := func(n int) string { return fmt.Sprintf("token-number-%02d", n) }
	for n := range maxSentTokens + 3 {
		s.add(token(n))
		s.add(token(n))
	}
	if len(s.list) != maxSentTokens {
		t.Errorf("%d tokens are kept", len(s.list))
	}
	for n := range maxSentTokens + 3 {
		shown := strings.Contains(s.current().String("denied for "+token(n)), token(n))
		if shown != (n < 3) {
			t.Errorf("%s is shown: %v", token(n), shown)
		}
	}
	if got := (*sentTokens)(nil).current().String(token(1)); got != token(1) {
		t.Errorf("without tokens: %q", got)
	}
}

// What of a server's address may be a key is in no text.
func TestKeysOfAnAddressAreHidden(t *testing.T) {
	const key = "k3yk3yk3yk3yk3y7"
	for _, address := range []string{"https://example.com/s/" + key + "/mcp", "https://" + key + "@example.com/", "https://ann:" + key + "@example.com/", "https://example.com/?a=1&b=" + key} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		h := hiderOf(u)
		if got := h.text("denied for " + key); strings.Contains(got, key) {
			t.Errorf("%s: %s", address, got)
		}
		if got := h.error(fmt.Errorf("denied for %s", key)); strings.Contains(fmt.Sprintf("%v %+v", got, got), key) {
			t.Errorf("%s: %v", address, got)
		}
	}
}
