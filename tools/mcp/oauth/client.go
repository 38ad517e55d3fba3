package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

const maxRedirects = 10

// issuerClient is a client for requests to issuers, with proofs of p if that is not nil.
// It doesn't take a request with credentials to where it is redirected, and leaves no
// https. If home is not nil, it makes requests for tokens there only.
func issuerClient(user *http.Client, p *prover, home *home) *http.Client {
	if user == nil {
		user = http.DefaultClient
	}
	own := *user
	if p != nil {
		base := own.Transport
		if base == nil {
			base = http.DefaultTransport
		}
		own.Transport = &proving{base: base, prover: p, issuer: true}
	}
	if home != nil {
		base := own.Transport
		if base == nil {
			base = http.DefaultTransport
		}
		own.Transport = &homely{base, home}
	}
	own.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		from := via[len(via)-1].URL
		switch {
		case via[0].Method != http.MethodGet && via[0].Method != http.MethodHead:
			return fmt.Errorf("%s://%s redirects a request with credentials to %s://%s, which is not followed", from.Scheme, from.Host, req.URL.Scheme, req.URL.Host)
		case from.Scheme == "https" && req.URL.Scheme != "https":
			return fmt.Errorf("https://%s redirects to %s://%s, which is not followed", from.Host, req.URL.Scheme, req.URL.Host)
		case len(via) >= maxRedirects:
			return fmt.Errorf("%s redirects %d times", via[0].URL.Host, len(via))
		case user.CheckRedirect != nil:
			return user.CheckRedirect(req, via)
		}
		return nil
	}
	return &own
}

// A home is the origin that has given tokens for a secret of the program. A server that
// names another issuer later, since it was taken over or was always another's, doesn't get
// the secret there.
type home struct {
	mu     sync.Mutex
	origin string // empty before there was a token
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// is sets the home, if it isn't set.
func (h *home) is(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.origin == "" {
		h.origin = originOf(address)
	}
}

type homely struct {
	base http.RoundTripper
	home *home
}

// RoundTrip implements [http.RoundTripper].
func (t *homely) RoundTrip(req *http.Request) (*http.Response, error) {
	t.home.mu.Lock()
	origin := t.home.origin
	t.home.mu.Unlock()
	if origin != "" && isForm(req) && originOf(req.URL.String()) != origin {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, fmt.Errorf("the server names an issuer whose tokens come from %s, and they came from %s before: the program's secret isn't sent there; if that is right, set Issuer", originOf(req.URL.String()), origin)
	}
	return t.base.RoundTrip(req)
}

// isForm reports whether a request is one for a token.
func isForm(req *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	return req.Method == http.MethodPost && kind == "application/x-www-form-urlencoded"
}

// An issuerMetadata is what an issuer says of itself (RFC 8414 §2) that a program without
// a user needs.
type issuerMetadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
}

const maxMetadataBytes = 1 << 20

// findIssuer reads the metadata of an issuer: those of RFC 8414, or of OpenID Connect.
func findIssuer(ctx context.Context, client *http.Client, issuer string) (*issuerMetadata, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the issuer %q is not a URL", issuer)
	}
	root, path := u.Scheme+"://"+u.Host, strings.TrimRight(u.Path, "/")
	places := []string{root + "/.well-known/oauth-authorization-server" + path, root + "/.well-known/openid-configuration" + path}
	if path != "" {
		places = append(places, root+path+"/.well-known/openid-configuration")
	}
	for _, place := range places {
		m, err := readMetadata(ctx, client, place)
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		if strings.TrimSuffix(m.Issuer, "/") != strings.TrimSuffix(issuer, "/") {
			return nil, fmt.Errorf("the metadata of the issuer %s are those of %q", issuer, m.Issuer)
		}
		return m, checkAddress(m.TokenEndpoint)
	}
	return nil, fmt.Errorf("the issuer %s has no metadata", issuer)
}

// readMetadata is nil where there are none.
func readMetadata(ctx context.Context, client *http.Client, place string) (*issuerMetadata, error) {
	if err := checkAddress(place); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer drain(resp)
	switch {
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers with HTTP %d", place, resp.StatusCode)
	}
	m := &issuerMetadata{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxMetadataBytes)).Decode(m); err != nil {
		return nil, fmt.Errorf("the metadata at %s can't be read: %w", place, err)
	}
	return m, nil
}

// checkAddress takes an address that credentials may be sent to: by https, or on this
// machine.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("the issuer names an address that is not a URL")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("the address %s://%s is neither https nor on this machine", u.Scheme, u.Host)
}
