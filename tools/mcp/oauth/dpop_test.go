package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools/mcp/oauth"
	"github.com/whorl-go/whorl/transport/secret"
)

// Tokens are bound to a key, which proves itself with each request, also in another
// process that has the store, and after a refresh.
func TestDPoP(t *testing.T) {
	for name, nonces := range map[string]bool{"plain": false, "with nonces": true} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.dpop, i.nonces = true, nonces
			store := oauth.Dir(t.TempDir())
			o := oauth.Options{Authorize: user("ann"), Tokens: store, DPoP: true}
			c, err := i.connect(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := i.connect(o); err != nil || i.counts("asked") != 1 {
				t.Fatalf("another process: %v, asked %d times", err, i.counts("asked"))
			}
			i.revoke(false)
			if err := errors.Join(i.call(c), i.call(c)); err != nil || i.counts("asked") != 1 || i.counts("refreshed") != 1 {
				t.Errorf("after a refresh: %v, asked %d times, refreshed %d times", err, i.counts("asked"), i.counts("refreshed"))
			}
			if nonces {
				i.mu.Lock()
				i.nonce = "another one"
				i.mu.Unlock()
				if err := i.call(c); err != nil {
					t.Errorf("another nonce: %v", err)
				}
			}
			// A stored token without its key is of no use.
			if _, err := i.connect(oauth.Options{Tokens: store}); err == nil {
				t.Error("a bound token is used without its key")
			}
		})
	}
}

// A server and an issuer that give a new nonce with each answer get each request once: a
// call may have its effect once only, and a code and a refresh token are good once.
func TestDPoPNonceInEachAnswer(t *testing.T) {
	i := newIssuer(t)
	i.dpop, i.fresh = true, true
	c, err := i.connect(oauth.Options{Authorize: user("ann"), DPoP: true})
	if err != nil || i.counts("called") != 1 || i.counts("tokens") != 1 {
		t.Fatalf("%v; called %d times, asked for %d tokens", err, i.counts("called"), i.counts("tokens"))
	}
	i.revoke(false)
	if err := i.call(c); err != nil || i.counts("called") != 2 || i.counts("tokens") != 2 || i.counts("asked") != 1 {
		t.Errorf("after a refresh: %v; called %d times, asked for %d tokens", err, i.counts("called"), i.counts("tokens"))
	}
}

// A token that isn't bound is not taken where bound ones are wanted.
func TestDPoPUnbound(t *testing.T) {
	i := newIssuer(t)
	i.dpop, i.unbound = true, true
	store := oauth.Memory()
	_, err := i.connect(oauth.Options{Authorize: user("ann"), DPoP: true, Tokens: store})
	var failed *oauth.AuthorizationError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "not bound") {
		t.Errorf("the error is %v", err)
	}
	if kept, _ := store.Load(t.Context(), oauth.Key{Server: i.URL + "/mcp"}); kept != nil {
		t.Error("the token is kept")
	}
	_, err = i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word"), DPoP: true})
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "not bound") {
		t.Errorf("a machine's error is %v", err)
	}
}

// A server that is content with no nonce is given up, and the user isn't asked for it.
func TestDPoPNonceLoop(t *testing.T) {
	i := newIssuer(t)
	i.dpop = true
	c, err := i.connect(oauth.Options{Authorize: user("ann"), DPoP: true})
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.loop = true
	before := i.count["proved"]
	i.mu.Unlock()
	err = i.call(c)
	var failed *oauth.AuthorizationError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "nonce") || i.counts("asked") != 1 || i.counts("proved") > before+8 {
		t.Errorf("%v; asked %d times, %d requests", err, i.counts("asked"), i.counts("proved")-before)
	}
	j := newIssuer(t)
	j.dpop, j.loop = true, true
	if _, err := j.connect(oauth.Options{Authorize: user("ann"), DPoP: true}); !errors.As(err, &failed) || j.counts("asked") > 2 {
		t.Errorf("the issuer's loop: %v, asked %d times", err, j.counts("asked"))
	}
}

// A program's own tokens can be bound too.
func TestMachineDPoP(t *testing.T) {
	i := newIssuer(t)
	i.dpop, i.nonces = true, true
	c, err := i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word"), DPoP: true})
	if err != nil {
		t.Fatal(err)
	}
	i.revoke(true)
	if err := errors.Join(i.call(c), i.call(c)); err != nil || i.counts("machine") < 2 {
		t.Errorf("%v, %d tokens", err, i.counts("machine"))
	}
}

// token is a JWT that is signed with a key.
func token(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) secret.Value {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	raw, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(raw, &pair); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return secret.New(signed + "." + base64.RawURLEncoding.EncodeToString(out))
}

// A workload gets tokens by the JWT of its platform, without a secret of its own.
func TestWorkload(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	i.key = &key.PublicKey
	audience, asked := "", oauth.AssertionRequest{}
	var away error
	o := oauth.MachineOptions{Assertion: func(_ context.Context, r oauth.AssertionRequest) (secret.Value, error) {
		asked = r
		if audience == "" {
			audience = r.Issuer
		}
		return token(t, key, map[string]any{"sub": "workload", "aud": audience}), away
	}}
	c, err := i.machine(o)
	if err != nil || i.counts("served workload") == 0 || asked.Issuer != i.URL || asked.Server != i.URL+"/mcp" {
		t.Fatalf("%v, asked for %+v", err, asked)
	}
	i.revoke(true)
	if err := i.call(c); err != nil || i.counts("asserted") != 2 {
		t.Errorf("revoked: %v, %d assertions", err, i.counts("asserted"))
	}
	audience = "https://other.example"
	var failed *oauth.AuthorizationError
	if _, err = i.machine(o); !errors.As(err, &failed) || !strings.Contains(err.Error(), "invalid_grant") || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("another audience: %v", err)
	}
	before := i.counts("asserted")
	same := token(t, key, map[string]any{"sub": "workload", "aud": "https://other.example"})
	_, err = i.machine(oauth.MachineOptions{Assertion: func(context.Context, oauth.AssertionRequest) (secret.Value, error) { return same, nil }})
	if !errors.As(err, &failed) || i.counts("asserted") != before+1 {
		t.Errorf("an assertion that was refused is sent %d times: %v", i.counts("asserted")-before, err)
	}
	before = i.counts("asserted")
	away = errors.New("the platform is away")
	if _, err = i.machine(o); !errors.Is(err, away) || i.counts("asserted") != before {
		t.Errorf("no assertion: %v", err)
	}
}

// A provider is one that exchanges ID tokens, as it is told to.
type provider struct {
	*httptest.Server
	key   *ecdsa.PrivateKey
	kind  string // of what it gives
	asked map[string]string
	lies  bool   // about its name
	to    string // where its token endpoint redirects to; empty for nowhere
}

func newProvider(t *testing.T, key *ecdsa.PrivateKey) *provider {
	p := &provider{key: key, kind: "urn:ietf:params:oauth:token-type:id-jag"}
	mux := http.NewServeMux()
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		name := p.URL
		if p.lies {
			name = "https://good.example"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": name, "token_endpoint": p.URL + "/token"})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if p.to != "" {
			http.Redirect(w, r, p.to, http.StatusTemporaryRedirect)
			return
		}
		_ = r.ParseForm()
		p.asked = map[string]string{}
		for name := range r.PostForm {
			p.asked[name] = r.PostForm.Get(name)
		}
		w.Header().Set("Content-Type", "application/json")
		if p.asked["subject_token"] != "id of ann" {
			w.WriteHeader(400)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_grant", "error_description": "not " + p.asked["subject_token"] + ", " + p.asked["client_secret"]})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token(t, key, map[string]any{"sub": "ann", "aud": p.asked["audience"]}).Reveal(), "issued_token_type": p.kind, "token_type": "N_A"})
	})
	return p
}

// An organization's provider decides about the server, and its user's token is got
// without asking them.
func TestIdentityProvider(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	i.key = &key.PublicKey
	p := newProvider(t, key)
	id := secret.New("id of ann")
	fresh := func() *oauth.IdentityProvider {
		return &oauth.IdentityProvider{Issuer: p.URL, ClientID: "app", ClientSecret: secret.New("at the provider"), IDToken: func(context.Context) (secret.Value, error) { return id, nil }}
	}
	if _, err := i.machine(oauth.MachineOptions{Assertion: fresh().Assertion}); err != nil || i.counts("served ann") == 0 || i.counts("asked") != 0 {
		t.Fatalf("%v", err)
	}
	for name, want := range map[string]string{"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": i.URL, "resource": i.URL + "/mcp", "scope": "mcp",
		"subject_token_type": "urn:ietf:params:oauth:token-type:id_token", "requested_token_type": "urn:ietf:params:oauth:token-type:id-jag", "client_id": "app", "client_secret": "at the provider"} {
		if p.asked[name] != want {
			t.Errorf("%s is %q, want %q", name, p.asked[name], want)
		}
	}
	fails := func(want string, provider *oauth.IdentityProvider) {
		t.Helper()
		before := i.counts("asserted")
		_, err := i.machine(oauth.MachineOptions{Assertion: provider.Assertion})
		var failed *oauth.AuthorizationError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "of bob") || strings.Contains(err.Error(), "at the provider") || i.counts("asserted") != before {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	id = secret.New("id of bob")
	fails("invalid_grant", fresh())
	id, p.kind = secret.New("id of ann"), "urn:ietf:params:oauth:token-type:access_token"
	fails("not an ID-JAG", fresh())
	p.lies = true
	fails("good.example", fresh())
	fails("must have", &oauth.IdentityProvider{Issuer: p.URL, ClientID: "app"})
	thief := newProvider(t, key)
	p.lies, p.kind, p.to = false, thief.kind, thief.URL+"/token"
	fails("redirects a request with credentials", fresh())
	follows := fresh()
	follows.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	follows.TokenURL = p.URL + "/token"
	fails("redirects a request with credentials", follows)
	if thief.asked != nil {
		t.Errorf("where the provider redirects to was asked with %v", thief.asked)
	}
	p.to = ""
	gone := fresh()
	gone.IDToken = func(context.Context) (secret.Value, error) { return secret.Value{}, errors.New("signed out") }
	fails("signed out", gone)
	fails("must have", &oauth.IdentityProvider{ClientID: "app", IDToken: gone.IDToken})
	plain := fresh()
	plain.TokenURL = "http://provider.example/token"
	fails("neither https nor", plain)
}
