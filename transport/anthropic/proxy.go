package anthropic

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// A proxyError is a proxy that refused to connect to the service.
type proxyError struct {
	proxy  string // host and port
	status int
}

func (e *proxyError) Error() string {
	s := fmt.Sprintf("the proxy %s refused the connection: %d %s", e.proxy, e.status, http.StatusText(e.status))
	switch e.status {
	case http.StatusProxyAuthRequired:
		return s + "; give the proxy's user and password in HTTPS_PROXY, as http://user:password@host:port"
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return s + "; the proxy's rules must allow this host, or name it in NO_PROXY to reach it without the proxy"
	}
	return s
}

// Permanent reports that the proxy would refuse again.
func (e *proxyError) Permanent() bool { return e.status >= 400 && e.status < 500 }

// proxyAnswered makes an error of a proxy's refusal. net/http's own names neither
// the proxy nor the status.
func proxyAnswered(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy: proxy.Host, status: resp.StatusCode}
}
