package anthropic

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// A hider takes keys out of texts: the client's, and those that its Transport adds to
// requests, as one of a cloud does.
type hider struct {
	own   secret.Redactor
	added redacting // nil if the Transport adds none that is known
}

type redacting interface{ Redactor() secret.Redactor }

func (h hider) redactor() secret.Redactor {
	if h.added == nil {
		return secret.Redactor{}
	}
	return h.added.Redactor()
}

func (h hider) String(s string) string { return h.redactor().String(h.own.String(s)) }

func (h hider) Bytes(b []byte) []byte { return h.redactor().Bytes(h.own.Bytes(b)) }

func (h hider) Err(err error) error { return h.redactor().Err(h.own.Err(err)) }

// hideSecrets takes the client's keys out of an error: some gateways and
// debugging proxies repeat what they were sent. It returns e.
func (c *Client) hideSecrets(e *transport.Error) *transport.Error {
	e.Message = c.hide.String(e.Message)
	e.Type = transport.ErrorType(c.hide.String(string(e.Type)))
	e.Code = c.hide.String(e.Code)
	e.RequestID = c.hide.String(e.RequestID)
	e.Raw = c.hide.Bytes(e.Raw)
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

var errProxy = &permanentError{errors.New("the address of the proxy, in HTTPS_PROXY or HTTP_PROXY, is not a URL: give one such as http://host:3128, or unset it")}

// A permanentError is one that a retry won't fix.
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
