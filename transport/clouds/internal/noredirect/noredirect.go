// Package noredirect makes the HTTP clients by which the clouds' libraries fetch tokens.
package noredirect

import (
	"net/http"
	"time"
)

// Client returns a client that follows no redirect: where that points to would get the
// signed assertion, the secret or the refresh token, and would give a token of its own.
func Client() *http.Client {
	client := &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(to *http.Request, _ []*http.Request) error {
		return redirected(to.URL.Scheme + "://" + to.URL.Host)
	}}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		client.Transport = t.Clone()
	}
	return client
}

// redirected is where an endpoint redirects to.
type redirected string

func (r redirected) Error() string {
	return "the token endpoint redirects to " + string(r) + ", which is not followed, as it would get the credentials"
}

// NonRetriable has Azure's library not try again.
func (redirected) NonRetriable() {}
