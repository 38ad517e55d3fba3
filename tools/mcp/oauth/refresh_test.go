package oauth

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport/secret"
)

// expired is a grant whose access token is of no use any more.
func expired(kind string) grant {
	return grant{Access: "access-token-1", Refresh: "refresh-token-1", Type: kind, Expiry: time.Now().Add(-time.Hour), Scopes: []string{"mcp"},
		ClientID: "robot", ClientSecret: "registered-secret", TokenURL: "https://issuer.example/token", AuthStyle: 1}
}

// refreshing is a handler with a stored grant, whose issuer answers by hand.
func refreshing(t *testing.T, o Options, g any, answer func(r *http.Request, form url.Values) (status int, body string, err error)) (*Handler, Store) {
	t.Helper()
	store := cmp.Or(o.Tokens, Memory())
	o.Tokens = store
	o.Client = &http.Client{Transport: roundTrips(func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		form, _ := url.ParseQuery(string(body))
		status, text, err := answer(r, form)
		if err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	})}
	h, err := New("https://a.example/mcp", o)
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := g.(string)
	if !ok {
		b, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(b)
	}
	if err := store.Save(t.Context(), h.key, []byte(raw)); err != nil {
		t.Fatal(err)
	}
	return h, store
}

func (h *Handler) access(ctx context.Context) (string, error) {
	ts, err := h.TokenSource(ctx)
	if err != nil || ts == nil {
		return "", err
	}
	token, err := ts.Token()
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

func stored(t *testing.T, h *Handler) grant {
	t.Helper()
	raw, err := h.options.Tokens.Load(t.Context(), h.key)
	var g grant
	if err != nil || json.Unmarshal(raw, &g) != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return g
}

// What an issuer answers to a refresh decides: a new token is kept, with the refresh token
// that is good from then on; a refusal leads to the user; and where it can't be known
// whether it is one, the call fails, without a secret in its error, and goes on later.
func TestWhatComesOfARefresh(t *testing.T) {
	const said = `"error_description":"access-token-1 refresh-token-1 registered-secret options-secret"`
	for _, tt := range []struct {
		name           string
		status         int
		body           string
		err            error
		access, issued string // what is used, and the refresh token that is kept
		want           string // in the error
	}{
		{"a new refresh token", 200, `{"access_token":"a2","token_type":"Bearer","expires_in":3600,"refresh_token":"r2"}`, nil, "a2", "r2", ""},
		{"the same refresh token", 200, `{"access_token":"a2","token_type":"Bearer","expires_in":3600}`, nil, "a2", "refresh-token-1", ""},
		{"refused", 400, `{"error":"invalid_grant"}`, nil, "", "refresh-token-1", ""},
		{"refused for the client", 401, `{"error":"invalid_client"}`, nil, "", "refresh-token-1", ""},
		{"the issuer fails", 500, `{"error":"server_error",` + said + `}`, nil, "", "refresh-token-1", "can't be refreshed now"},
		{"the issuer is away", 503, said, nil, "", "refresh-token-1", "can't be refreshed now"},
		{"no connection", 0, "", errors.New("no route; sent " + said), "", "refresh-token-1", "can't be refreshed now"},
		{"no token", 200, `{` + said + `}`, nil, "", "refresh-token-1", "can't be refreshed now"},
	} {
		asked := 0
		h, _ := refreshing(t, Options{ClientID: "robot", ClientSecret: secret.New("options-secret")}, expired("Bearer"), func(r *http.Request, form url.Values) (int, string, error) {
			asked++
			if r.URL.String() != "https://issuer.example/token" || form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != "refresh-token-1" || form.Get("client_secret") != "registered-secret" {
				t.Errorf("%s: asked %s with %v", tt.name, r.URL, form)
			}
			return tt.status, tt.body, tt.err
		})
		got, err := h.access(t.Context())
		if got != tt.access || asked != 1 || tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %q, %v, asked %d times", tt.name, got, err, asked)
		}
		for _, s := range []string{"access-token-1", "refresh-token-1", "registered-secret", "options-secret"} {
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), s) {
				t.Errorf("%s: %s is in the error: %v", tt.name, s, err)
			}
		}
		g := stored(t, h)
		if g.Refresh != tt.issued || g.Access != cmp.Or(tt.access, "access-token-1") || g.ClientSecret != "registered-secret" || g.TokenURL != "https://issuer.example/token" {
			t.Errorf("%s: stored %+v", tt.name, g)
		}
	}
}

// Requests side by side that find the token expired ask once, since the refresh token is
// good once.
func TestOneRefreshForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h, _ := refreshing(t, Options{}, expired("Bearer"), func(*http.Request, url.Values) (int, string, error) {
			asked++ // by one at a time
			time.Sleep(time.Second)
			return 200, fmt.Sprintf(`{"access_token":"a%d","token_type":"Bearer","expires_in":3600,"refresh_token":"r2"}`, asked+1), nil
		})
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				var got string
				var err error
				if n%2 == 0 {
					got, err = h.access(t.Context())
				} else { // one that the server has refused
					r := &http.Request{Method: "POST", URL: &url.URL{Scheme: "https", Host: "a.example", Path: "/mcp"}, Header: http.Header{"Authorization": {"Bearer access-token-1"}}}
					if err = h.Authorize(t.Context(), r, &http.Response{StatusCode: 401, Header: http.Header{}, Body: http.NoBody}); err == nil {
						got, err = h.access(t.Context())
					}
				}
				if got != "a2" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		all.Wait()
		if asked != 1 {
			t.Errorf("the issuer was asked %d times", asked)
		}
	})
}

// A refresh has an end, though the issuer doesn't answer, and the next request has its turn.
func TestIssuerThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := true
		h, _ := refreshing(t, Options{}, expired("Bearer"), func(r *http.Request, _ url.Values) (int, string, error) {
			if silent {
				<-r.Context().Done()
				return 0, "", r.Context().Err()
			}
			return 200, `{"access_token":"a2","token_type":"Bearer","expires_in":3600}`, nil
		})
		began := time.Now()
		if got, err := h.access(t.Context()); err == nil || time.Since(began) != refreshTime {
			t.Errorf("%q, %v after %v", got, err, time.Since(began))
		}
		silent = false
		if got, err := h.access(t.Context()); got != "a2" || err != nil {
			t.Errorf("the next one: %q, %v", got, err)
		}

		m, err := NewMachine("https://a.example/mcp", MachineOptions{ClientID: "robot", ClientSecret: secret.New("s"), Client: &http.Client{Transport: roundTrips(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}})
		if err != nil {
			t.Fatal(err)
		}
		m.tokenURL = "https://issuer.example/token"
		began = time.Now()
		if _, err := m.TokenSource(t.Context()); err == nil || time.Since(began) != refreshTime {
			t.Errorf("a machine: %v after %v", err, time.Since(began))
		}
	})
}

// What another process has stored in the meantime is used: in the place of a refresh, and
// after a refusal of the refresh token that it has used.
func TestRefreshedByAnotherProcess(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after func(*grant) // what is stored before the request, and while it is made
		access        string
		asked         int
	}{
		{"before", func(g *grant) { g.Access, g.Refresh, g.Expiry = "theirs", "r2", time.Now().Add(time.Hour) }, nil, "theirs", 0},
		{"before, and used up", func(g *grant) { g.Access, g.Refresh = "theirs", "r2" }, nil, "a2", 1},
		{"in the meantime", nil, func(g *grant) { g.Access, g.Refresh, g.Expiry = "theirs", "r2", time.Now().Add(time.Hour) }, "theirs", 1},
		{"in the meantime, and used up", nil, func(g *grant) { g.Access, g.Refresh = "theirs", "r2" }, "a2", 2},
		{"in the meantime, without a refresh token", nil, func(g *grant) { g.Access, g.Refresh = "theirs", "" }, "", 1},
	} {
		asked := 0
		var h *Handler
		change := func(f func(*grant)) {
			g := stored(t, h)
			f(&g)
			raw, err := json.Marshal(g)
			if err == nil {
				err = h.options.Tokens.Save(t.Context(), h.key, raw)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		h, _ = refreshing(t, Options{}, expired("Bearer"), func(_ *http.Request, form url.Values) (int, string, error) {
			asked++
			if form.Get("refresh_token") == "r2" {
				return 200, `{"access_token":"a2","token_type":"Bearer","expires_in":3600}`, nil
			}
			if tt.after != nil {
				change(tt.after)
			}
			return 400, `{"error":"invalid_grant"}`, nil
		})
		if _, err := h.load(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if tt.before != nil {
			change(tt.before)
		}
		if got, err := h.access(t.Context()); err != nil || got != tt.access || asked != tt.asked {
			t.Errorf("%s: %q, %v, asked %d times", tt.name, got, err, asked)
		}
	}
}

// What is stored is used if it is whole, and if it is bound to a key where it has to be.
// All else counts as nothing, so that the user authorizes again.
func TestStoredGrants(t *testing.T) {
	pkcs := func(curve elliptic.Curve) []byte {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	key := pkcs(elliptic.P256())
	with := func(kind string, key []byte) grant {
		g := expired(kind)
		g.Expiry, g.Key = time.Now().Add(time.Hour), key
		return g
	}
	for _, tt := range []struct {
		name string
		dpop bool
		kept any
		used bool
	}{
		{"a token", false, with("Bearer", nil), true},
		{"something else", false, "not JSON", false},
		{"another thing", false, `["a"]`, false},
		{"a bound token", true, with("DPoP", key), true},
		{"a bound token, in other letters", true, with("dpop", key), true},
		{"a bound token without its key", true, with("DPoP", nil), false},
		{"a bound token with a key of another curve", true, with("DPoP", pkcs(elliptic.P384())), false},
		{"a bound token with what is no key", true, with("DPoP", []byte("key")), false},
		{"a token that isn't bound", true, with("Bearer", nil), false},
		{"a token that isn't bound, with a key", true, with("Bearer", key), false},
	} {
		h, _ := refreshing(t, Options{DPoP: tt.dpop}, tt.kept, nil)
		got, err := h.access(t.Context())
		if err != nil || (got == "access-token-1") != tt.used || h.prover.isBound(got) != (tt.used && tt.dpop) {
			t.Errorf("%s: %q, %v, bound: %v", tt.name, got, err, h.prover.isBound(got))
		}
	}
}

// A refreshed token that isn't bound to the key is neither used nor kept.
func TestRefreshedWithoutTheKey(t *testing.T) {
	key, err := (&prover{}).stored()
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]bool{"DPoP": true, "Bearer": false} {
		g := expired("DPoP")
		g.Key = key
		h, _ := refreshing(t, Options{DPoP: true}, g, func(r *http.Request, _ url.Values) (int, string, error) {
			if said(t, r) == nil {
				t.Error("the refresh has no proof")
			}
			return 200, `{"access_token":"a2","token_type":"` + kind + `","expires_in":3600}`, nil
		})
		got, err := h.access(t.Context())
		var failed *AuthorizationError
		if want && (got != "a2" || err != nil || !h.prover.isBound("a2")) || !want && (got != "" || !errors.As(err, &failed) || stored(t, h).Access != "access-token-1") {
			t.Errorf("%s: %q, %v, stored %+v", kind, got, err, stored(t, h))
		}
	}
	// The other way round: a type that changes is that of the new token.
	h, _ := refreshing(t, Options{}, expired("DPoP"), func(*http.Request, url.Values) (int, string, error) {
		return 200, `{"access_token":"a2","token_type":"Bearer","expires_in":3600}`, nil
	})
	if got, err := h.access(t.Context()); got != "a2" || err != nil || stored(t, h).Type != "Bearer" {
		t.Errorf("another type: %q, %v, stored %+v", got, err, stored(t, h))
	}
}

// A server that refuses with 401 what was sent leads to a refresh, once for each token; one
// that wants more than the token is for (403) doesn't. A request without a token, though
// there is one, is made with that.
func TestRefusalsThatLeadToARefresh(t *testing.T) {
	for _, tt := range []struct {
		name    string
		status  int
		refused []string // the tokens of the requests, one after the other
		asked   []int    // how many refreshes there were then
		fails   int      // the index of the first that leads to the user
	}{
		{"the token", 401, []string{"access-token-1", "access-token-1", "a2"}, []int{1, 1, 1}, 2},
		{"no token, though there is one", 401, []string{"", "access-token-1", "", "a2"}, []int{0, 1, 1, 1}, 3},
		{"not enough", 403, []string{"access-token-1"}, []int{0}, 1},
	} {
		asked := 0
		g := expired("Bearer")
		g.Expiry = time.Now().Add(time.Hour)
		h, _ := refreshing(t, Options{}, g, func(_ *http.Request, form url.Values) (int, string, error) {
			if form.Get("grant_type") == "" {
				return 404, "", nil // metadata
			}
			asked++
			return 200, `{"access_token":"a2","token_type":"Bearer","expires_in":3600}`, nil
		})
		for n, token := range tt.refused {
			r := &http.Request{Method: "POST", URL: &url.URL{Scheme: "https", Host: "a.example", Path: "/mcp"}, Header: http.Header{}}
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			err := h.Authorize(t.Context(), r, &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: http.NoBody})
			if (err != nil) != (n >= tt.fails) || asked != tt.asked[n] {
				t.Errorf("%s, refusal %d: %v, refreshed %d times", tt.name, n, err, asked)
			}
		}
	}
}
