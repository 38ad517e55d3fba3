package oauth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/tools/mcp/oauth"
	"github.com/whorl-go/whorl/transport/secret"
)

// Credentials don't go where an endpoint redirects them, whatever the program's client says
// of redirects.
func TestRedirectedTokenEndpoint(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stolen.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "planted", "token_type": "Bearer"})
	}))
	t.Cleanup(thief.Close)
	i := newIssuer(t)
	i.elsewhere = thief.URL + "/token"
	var failed *oauth.AuthorizationError
	if _, err := i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word")}); !errors.As(err, &failed) || !strings.Contains(err.Error(), "redirects a request with credentials") || strings.Contains(err.Error(), "pass word") {
		t.Errorf("a machine: %v", err)
	}
	follows := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	for name, client := range map[string]*http.Client{"a user": nil, "a user with a client that follows": follows} {
		if _, err := i.connect(oauth.Options{Authorize: user("ann"), Client: client}); !errors.As(err, &failed) || !strings.Contains(err.Error(), "redirects a request with credentials") {
			t.Errorf("%s: %v", name, err)
		}
	}
	i.elsewhere = ""
	i.life = 2 * time.Second // used up when it is given
	c, err := i.connect(oauth.Options{Authorize: user("ann")})
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.elsewhere = thief.URL + "/token"
	i.mu.Unlock()
	_ = i.call(c) // it may have another token
	if stolen.Load() != 0 {
		t.Errorf("%d requests were redirected", stolen.Load())
	}
}

// An Ed25519 key signs assertions too.
func TestMachineEd25519(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": s.URL, "token_endpoint": s.URL + "/token"})
	})
	mux.HandleFunc("/.well-known/oauth-protected-resource", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"resource": s.URL, "authorization_servers": []string{s.URL}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		got = r.FormValue("client_assertion")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer"})
	})
	m, err := oauth.NewMachine(s.URL, oauth.MachineOptions{ClientID: "robot", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, nil)
	if err := m.Authorize(t.Context(), req, &http.Response{StatusCode: 401, Header: http.Header{}, Body: http.NoBody}); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(got, ".")
	if len(parts) != 3 {
		t.Fatalf("the assertion is %q", got)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	head, _ := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte(parts[0]+"."+parts[1]), signature) || !strings.Contains(string(head), `"EdDSA"`) {
		t.Errorf("signed %s: %v", head, err)
	}
}

// A server that names another issuer once there were tokens, as one that was taken over,
// doesn't get the program's secret there. A program that knows its issuer says so.
func TestSecretStaysAtItsIssuer(t *testing.T) {
	i, thief := newIssuer(t), newIssuer(t)
	i.clients["robot"] = true
	thief.clients["robot"] = true
	for name, connect := range map[string]func() (*mcp.Client, error){
		"machine": func() (*mcp.Client, error) {
			return i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word")})
		},
		"user": func() (*mcp.Client, error) {
			return i.connect(oauth.Options{Authorize: user("ann"), ClientID: "robot", ClientSecret: secret.New("pass word")})
		},
		"user of a stored token": func() (*mcp.Client, error) {
			o := oauth.Options{Authorize: user("ann"), ClientID: "robot", ClientSecret: secret.New("pass word"), Tokens: oauth.Memory()}
			if _, err := i.connect(o); err != nil {
				return nil, err
			}
			return i.connect(o) // as after a restart
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := connect()
			if err != nil {
				t.Fatal(err)
			}
			i.revoke(true)
			i.mu.Lock()
			i.names = thief.URL
			i.mu.Unlock()
			defer func() { i.mu.Lock(); defer i.mu.Unlock(); i.names = "" }()
			var failed *oauth.AuthorizationError
			if err := i.call(c); !errors.As(err, &failed) || !strings.Contains(err.Error(), "secret isn't sent") || strings.Contains(err.Error(), "pass word") {
				t.Errorf("the error is %v", err)
			}
			if n := thief.counts("tokens"); n != 0 {
				t.Errorf("the other issuer was asked for %d tokens", n)
			}
		})
	}
	i.names = thief.URL
	// Its name may begin as the other one's.
	asked := thief.counts("asked")
	for _, name := range []string{i.URL, thief.URL[:len(thief.URL)-1], thief.URL + "/tenant"} {
		if _, err := i.connect(oauth.Options{Authorize: user("ann"), ClientID: "robot", ClientSecret: secret.New("pass word"), Issuer: name}); err == nil || thief.counts("asked") != asked || thief.counts("tokens") != 0 {
			t.Errorf("a user, with the issuer %s: %v", name, err)
		}
	}
	if _, err := i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word"), Issuer: i.URL}); err == nil || thief.counts("tokens") != 0 {
		t.Errorf("with an issuer: %v", err)
	}
}

// A server that says of itself that it is another one is believed nothing.
func TestServerThatLiesAboutItself(t *testing.T) {
	i := newIssuer(t)
	i.pretends = "https://bank.example/mcp"
	if _, err := i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word")}); err == nil || i.counts("tokens") != 0 {
		t.Errorf("a machine: %v, %d tokens", err, i.counts("tokens"))
	}
	if _, err := i.connect(oauth.Options{Authorize: user("ann")}); err == nil {
		for resource := range i.resource {
			if resource != i.URL+"/mcp" {
				t.Errorf("a token for %s was asked for", resource)
			}
		}
	}
}
