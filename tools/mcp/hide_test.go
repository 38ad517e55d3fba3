package mcp

import (
	"fmt"
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
