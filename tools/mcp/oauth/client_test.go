package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Credentials are sent by https, or within this machine.
func TestAddressesForCredentials(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://issuer.example/token": true, "https://10.0.0.7/token": true, "http://localhost/token": true, "http://localhost:8080/": true,
		"http://127.0.0.1:8080/": true, "http://127.1.2.3/": true, "http://[::1]:8080/": true,
		"http://issuer.example/token": false, "http://localhost.evil.example/": false, "http://evil-localhost/": false, "http://127.0.0.1.evil.example/": false,
		"http://10.0.0.7/": false, "http://192.168.1.1/": false, "http://169.254.169.254/": false, "http://0.0.0.0/": false, "http://[fe80::1]/": false,
		"ftp://localhost/": false, "file://localhost/etc": false, "javascript://localhost/x": false, "": false, "/token": false, "https:///token": false, "http://%zz/": false,
	} {
		if err := checkAddress(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A request with credentials is never redirected, and one for metadata leaves no https, nor
// goes on for ever; the client's own rule is asked for what is left.
func TestRedirectsOfAnIssuer(t *testing.T) {
	refuses := errors.New("the program's own rule")
	for _, tt := range []struct {
		name, method string
		via          int // redirects before
		from, to     string
		own          error  // of the client's rule
		want         string // in the error; empty for a redirect that is followed
	}{
		{"metadata", "GET", 1, "https://a.example/x", "https://b.example/x", nil, ""},
		{"metadata on this machine", "GET", 1, "http://127.0.0.1/x", "http://127.0.0.1/y", nil, ""},
		{"metadata into https", "HEAD", 1, "http://127.0.0.1/x", "https://a.example/x", nil, ""},
		{"a token", "POST", 1, "https://a.example/x", "https://a.example/y", nil, "redirects a request with credentials"},
		{"a token, by PUT", "PUT", 1, "https://a.example/x", "https://b.example/y", nil, "redirects a request with credentials"},
		{"out of https", "GET", 1, "https://a.example/x", "http://a.example/x", nil, "https://a.example redirects to http://a.example"},
		{"out of https, in HEAD", "HEAD", 2, "https://a.example/x", "http://127.0.0.1/x", nil, "which is not followed"},
		{"nine times", "GET", 9, "https://a.example/x", "https://a.example/y", nil, ""},
		{"in a circle", "GET", 10, "https://a.example/x", "https://a.example/y", nil, "redirects 10 times"},
		{"against the rule", "GET", 1, "https://a.example/x", "https://b.example/x", refuses, "the program's own rule"},
	} {
		client := issuerClient(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return tt.own }}, nil, nil)
		request := func(address string) *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		via := slices.Repeat([]*http.Request{request(tt.from)}, tt.via)
		err := client.CheckRedirect(request(tt.to), via)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := issuerClient(nil, nil, nil).CheckRedirect(request(tt.to), via); (err == nil) != (tt.want == "" || tt.own != nil) {
			t.Errorf("%s, without a client: %v", tt.name, err)
		}
	}
}

type roundTrips func(*http.Request) (*http.Response, error)

func (f roundTrips) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Requests for tokens go to the first origin that has given one: its scheme, host and port.
// What has no secret, such as one for metadata, goes anywhere.
func TestHomeOfASecret(t *testing.T) {
	var went []string
	base := &http.Client{Transport: roundTrips(func(r *http.Request) (*http.Response, error) {
		went = append(went, r.Method+" "+r.URL.String())
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})}
	h := &home{}
	client := issuerClient(base, nil, h)
	const form = "application/x-www-form-urlencoded"
	send := func(method, address, kind string) error {
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader("client_secret=s3cret"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		resp, err := client.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := send("POST", "https://any.example/token", form); err != nil {
		t.Errorf("before there was a token: %v", err)
	}
	h.is("https://a.example/token")
	h.is("https://evil.example/token") // a later one
	for _, tt := range []struct {
		method, address, kind string
		ok                    bool
	}{
		{"POST", "https://a.example/token", form, true},
		{"POST", "https://a.example/another", form + "; charset=utf-8", true},
		{"POST", "https://evil.example/token", form, false},
		{"POST", "https://evil.example/token", form + "; charset=utf-8", false},
		{"POST", "https://evil.example/token", "Application/X-WWW-Form-URLencoded", false},
		{"POST", "http://a.example/token", form, false},
		{"POST", "https://a.example:444/token", form, false},
		{"POST", "https://a.example.evil.example/token", form, false},
		{"POST", "https://evil.example/register", "application/json", true},
		{"GET", "https://evil.example/metadata", "", true},
	} {
		went = nil
		err := send(tt.method, tt.address, tt.kind)
		if (err == nil) != tt.ok || (len(went) == 1) != tt.ok || err != nil && !strings.Contains(err.Error(), "secret isn't sent there") {
			t.Errorf("%s %s (%s): %v, sent %v", tt.method, tt.address, tt.kind, err, went)
		}
	}
}

// An issuer's metadata are its own, whole, and name an address that credentials may go to.
func TestMetadataOfAnIssuer(t *testing.T) {
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	for _, tt := range []struct {
		name   string
		path   string            // of the issuer
		places map[string]string // what stands where; ISSUER is the server
		want   string            // in the error; empty if they are taken
		asked  []string          // the paths, in order
	}{
		{"its own", "", map[string]string{oauth: `{"issuer":"ISSUER","token_endpoint":"ISSUER/token"}`}, "", []string{oauth}},
		{"with a slash", "", map[string]string{oauth: `{"issuer":"ISSUER/","token_endpoint":"ISSUER/token"}`}, "", []string{oauth}},
		{"of OpenID Connect", "", map[string]string{openid: `{"issuer":"ISSUER","token_endpoint":"ISSUER/token"}`}, "", []string{oauth, openid}},
		{"of a tenant", "/t1", map[string]string{oauth + "/t1": `{"issuer":"ISSUER/t1","token_endpoint":"ISSUER/token"}`}, "", []string{oauth + "/t1"}},
		{"of a tenant, in OpenID Connect", "/t1", map[string]string{"/t1" + openid: `{"issuer":"ISSUER/t1","token_endpoint":"ISSUER/token"}`}, "", []string{oauth + "/t1", openid + "/t1", "/t1" + openid}},
		{"of another tenant", "/t1", map[string]string{oauth + "/t1": `{"issuer":"ISSUER/t2","token_endpoint":"ISSUER/token"}`}, "/t2", nil},
		{"of a longer name", "", map[string]string{oauth: `{"issuer":"ISSUER.evil.example","token_endpoint":"ISSUER/token"}`}, "evil.example", nil},
		{"of a shorter name", "/t1", map[string]string{oauth + "/t1": `{"issuer":"ISSUER","token_endpoint":"ISSUER/token"}`}, "are those of", nil},
		{"of nobody", "", map[string]string{oauth: `{"token_endpoint":"ISSUER/token"}`}, `are those of ""`, nil},
		{"of another, with its own behind them", "", map[string]string{oauth: `{"issuer":"https://bank.example","token_endpoint":"ISSUER/token"}`, openid: `{"issuer":"ISSUER","token_endpoint":"ISSUER/token"}`}, "bank.example", []string{oauth}},
		{"tokens by http", "", map[string]string{oauth: `{"issuer":"ISSUER","token_endpoint":"http://issuer.example/token"}`}, "neither https nor", nil},
		{"no tokens", "", map[string]string{oauth: `{"issuer":"ISSUER"}`}, "not a URL", nil},
		{"no metadata", "/t1", nil, "has no metadata", []string{oauth + "/t1", openid + "/t1", "/t1" + openid}},
		{"an issuer that fails", "", map[string]string{oauth: "503", openid: `{"issuer":"ISSUER","token_endpoint":"ISSUER/token"}`}, "HTTP 503", []string{oauth}},
		{"no JSON", "", map[string]string{oauth: `<html>`}, "can't be read", []string{oauth}},
		{"too long", "", map[string]string{oauth: `{"x":"` + strings.Repeat("x", maxMetadataBytes) + `","issuer":"ISSUER","token_endpoint":"ISSUER/token"}`}, "can't be read", nil},
	} {
		var asked []string
		var s *httptest.Server
		s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Path)
			switch text, has := tt.places[r.URL.Path]; {
			case !has:
				http.NotFound(w, r)
			case text == "503":
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				_, _ = io.WriteString(w, strings.ReplaceAll(text, "ISSUER", s.URL))
			}
		}))
		m, err := findIssuer(t.Context(), s.Client(), s.URL+tt.path)
		s.Close()
		switch {
		case tt.want == "" && (err != nil || m.TokenEndpoint != s.URL+"/token"):
			t.Errorf("%s: %+v, %v", tt.name, m, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %+v, %v", tt.name, m, err)
		}
		if tt.asked != nil && !slices.Equal(asked, tt.asked) {
			t.Errorf("%s: asked for %v", tt.name, asked)
		}
	}
	never := &http.Client{Transport: roundTrips(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was asked for", r.URL)
		return nil, io.EOF
	})}
	for _, issuer := range []string{"http://issuer.example", "http://10.0.0.7/x", "issuer.example", ""} {
		if m, err := findIssuer(t.Context(), never, issuer); err == nil {
			t.Errorf("%q: %+v", issuer, m)
		}
	}
}

// Stored tokens of one tenant and server are found under that key only.
func TestKeysOfAStore(t *testing.T) {
	keys := []Key{{"", "https://a.example/"}, {"", "https://a.example"}, {"ann", "https://a.example"}, {"bob", "https://a.example"}, {"ann", "https://a.example/b"},
		{"annhttps://a.example", "https://b.example"}, {"ann", "https://a.examplehttps://b.example"}, {"../ann", "https://a.example"}}
	for name, store := range map[string]Store{"Memory": Memory(), "Dir": Dir(t.TempDir())} {
		for i, key := range keys {
			if err := store.Save(t.Context(), key, fmt.Appendf(nil, "token %d", i)); err != nil {
				t.Fatal(name, err)
			}
		}
		for i, key := range keys {
			if got, err := store.Load(t.Context(), key); err != nil || string(got) != fmt.Sprintf("token %d", i) {
				t.Errorf("%s: %v has %q, %v", name, key, got, err)
			}
		}
		for range 2 { // also where there is none
			if err := store.Save(t.Context(), keys[0], nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for i, key := range keys {
			if got, err := store.Load(t.Context(), key); err != nil || (got == nil) != (i == 0) {
				t.Errorf("%s, without one: %v has %q, %v", name, key, got, err)
			}
		}
	}
}

// The server's key has no query: a key in the endpoint's URL isn't stored, and servers that
// differ in their path have tokens of their own.
func TestKeyOfAServer(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://a.example/mcp?api_key=s3cret": "https://a.example/mcp", "https://u:s3cret@a.example/mcp#x": "https://a.example/mcp",
		"https://a.example:8443/b": "https://a.example:8443/b", "http://a.example": "http://a.example",
	} {
		h, err := New(endpoint, Options{Tenant: "ann"})
		if err != nil || h.key != (Key{"ann", want}) {
			t.Errorf("%s: %+v, %v", endpoint, h.key, err)
		}
		m, err := NewMachine(endpoint, MachineOptions{Assertion: (&IdentityProvider{}).Assertion})
		if err != nil || m.server != want {
			t.Errorf("%s: %v, %v", endpoint, m.server, err)
		}
	}
}

// A request that waits for another one's authorization ends with its context.
func TestWaitingForATurn(t *testing.T) {
	h, err := New("https://a.example/mcp", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the user went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	request := &http.Request{Method: "POST", URL: &url.URL{Scheme: "https", Host: "a.example"}, Header: http.Header{}}
	if err := h.Authorize(ctx, request, &http.Response{StatusCode: 401, Header: http.Header{}, Body: http.NoBody}); !errors.Is(err, gone) {
		t.Errorf("Authorize: %v", err)
	}
	if err := h.Forget(ctx); !errors.Is(err, gone) {
		t.Errorf("Forget: %v", err)
	}
	h.end()
	if err := h.Forget(t.Context()); err != nil {
		t.Errorf("when the other one has ended: %v", err)
	}
}
