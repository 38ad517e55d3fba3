package anthropic

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/whorl-go/whorl/transport"
)

// secretsIn lists what the headers of a request hold that is nobody's business:
// the headers that the official SDKs redact (wire §1.2).
func secretsIn(h http.Header) []string {
	var secrets []string
	for _, name := range []string{"X-Api-Key", "Api-Key", "Authorization", "Proxy-Authorization", "Cookie", "X-Amz-Security-Token"} {
		for _, v := range h.Values(name) {
			for _, word := range strings.Fields(v) {
				if len(word) >= 8 { // shorter ones are names of schemes, or stand-ins
					secrets = append(secrets, word)
				}
			}
		}
	}
	return secrets
}

// hideSecrets takes the client's keys out of an error: some gateways and
// debugging proxies repeat what they were sent. It returns e.
func (c *Client) hideSecrets(e *transport.Error) *transport.Error {
	for _, s := range c.secrets {
		e.Message = strings.ReplaceAll(e.Message, s, "[key]")
		if bytes.Contains(e.Raw, []byte(s)) {
			e.Raw = bytes.ReplaceAll(e.Raw, []byte(s), []byte("[key]"))
		}
	}
	return e
}

// proxyFromEnvironment is [http.ProxyFromEnvironment] with an error that doesn't
// show the address, which may hold a password.
func proxyFromEnvironment(req *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(req)
	if err != nil {
		return nil, errProxy
	}
	return u, nil
}

var errProxy = &permanentError{errors.New("the address of the proxy, in HTTPS_PROXY or HTTP_PROXY, is not a URL")}

// A permanentError is one that a retry won't mend.
type permanentError struct{ error }

func (e *permanentError) Permanent() bool { return true }

// betasIn lists the values of an anthropic-beta header among a program's own.
func betasIn(h http.Header) []string {
	var betas []string
	for _, v := range h.Values("Anthropic-Beta") {
		for b := range strings.SplitSeq(v, ",") {
			betas = append(betas, strings.TrimSpace(b))
		}
	}
	return betas
}

// isHeaderValue reports whether a header may have the value (RFC 9110, section 5.5).
func isHeaderValue(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
