package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/tools/mcp/oauth"
)

// An issuer is an authorization server and, at /mcp, an MCP server that takes its tokens.
type issuer struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	life     time.Duration       // of an access token; 0 means an hour
	says     string              // what the tool says
	refuses  bool                // the MCP server takes no token
	down     bool                // the token endpoint has an error of its own
	codes    map[string]grant    // by code
	access   map[string]grant    // by access token
	refresh  map[string]grant    // by refresh token, which is good once
	clients  map[string]bool     // that have registered
	count    map[string]int      // of requests, by what they were
	key      *ecdsa.PublicKey    // of the program that comes without a user
	jtis     map[string]bool     // of assertions that were used
	resource map[string]struct{} // that tokens were asked for
}

type grant struct {
	user, client, redirect, challenge string
	until                             time.Time
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t, codes: map[string]grant{}, access: map[string]grant{}, refresh: map[string]grant{}, clients: map[string]bool{}, count: map[string]int{}, jtis: map[string]bool{}, resource: map[string]struct{}{}}
	server, err := mcp.Serve("behind", "1", tools.Func("whoami", "Says for whom the call is.", func(ctx context.Context, _ struct{}) (string, error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		return i.says, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	i.Server = httptest.NewServer(mux)
	t.Cleanup(func() { i.CloseClientConnections(); i.Close() })
	handler := mcp.Handler(server)
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		g, ok := i.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		ok = ok && !i.refuses
		i.mu.Unlock()
		if !ok || time.Now().After(g.until) {
			i.counted("refused")
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer resource_metadata="%s/.well-known/oauth-protected-resource/mcp"`, i.URL))
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		i.counted("served " + g.user)
		handler.ServeHTTP(w, r)
	})
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"resource": i.URL + "/mcp", "authorization_servers": []string{i.URL}, "scopes_supported": []string{"mcp"}})
	})
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "registration_endpoint": i.URL + "/register",
			"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"}, "scopes_supported": []string{"mcp", "offline_access"},
			"token_endpoint_auth_methods_supported": []string{"none"}})
	})
	mux.HandleFunc("POST /register", func(w http.ResponseWriter, r *http.Request) {
		i.counted("registered")
		id := rand.Text()
		i.mu.Lock()
		i.clients[id] = true
		i.mu.Unlock()
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		body["client_id"], body["token_endpoint_auth_method"] = id, "none"
		answer(w, 201, body)
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		i.counted("asked")
		q := r.URL.Query()
		back := url.Values{"state": {q.Get("state")}}
		user, _, _ := r.BasicAuth() // as a browser's session
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case !i.clients[q.Get("client_id")] || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
			http.Error(w, "a bad request", 400)
			return
		case user == "nobody":
			back.Set("error", "access_denied")
			back.Set("error_description", "The user said no.")
		default:
			code := rand.Text()
			i.codes[code] = grant{user: user, client: q.Get("client_id"), redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge")}
			i.resource[q.Get("resource")] = struct{}{}
			back.Set("code", code)
		}
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.down {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
			return
		}
		var g grant
		var ok bool
		switch r.FormValue("grant_type") {
		case "client_credentials":
			i.count["machine"]++
			id, password, _ := r.BasicAuth()
			password, _ = url.QueryUnescape(password) // RFC 6749 §2.3.1
			if id == "" {
				id, password = r.FormValue("client_id"), r.FormValue("client_secret")
			}
			if claims := i.claims(r.FormValue("client_assertion")); claims != nil {
				password = "by its key"
				if claims["aud"] != i.URL || claims["sub"] != id || i.jtis[claims["jti"].(string)] {
					password = "wrong"
				}
				i.jtis[claims["jti"].(string)] = true
			}
			if id != "robot" || password != "pass word" && password != "by its key" || r.FormValue("resource") != i.URL+"/mcp" {
				answer(w, 401, map[string]any{"error": "invalid_client"})
				return
			}
			life := i.life
			if life == 0 {
				life = time.Hour
			}
			a := rand.Text()
			i.access[a] = grant{user: id, until: time.Now().Add(life)}
			answer(w, 200, map[string]any{"access_token": a, "token_type": "Bearer", "expires_in": int(life.Seconds())})
			return
		case "authorization_code":
			g, ok = i.codes[r.FormValue("code")]
			delete(i.codes, r.FormValue("code"))
			sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
			ok = ok && g.challenge == base64.RawURLEncoding.EncodeToString(sum[:]) && g.redirect == r.FormValue("redirect_uri")
		case "refresh_token":
			g, ok = i.refresh[r.FormValue("refresh_token")]
			delete(i.refresh, r.FormValue("refresh_token"))
			i.count["refreshed"]++
		}
		if !ok || g.client != r.FormValue("client_id") {
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		life := i.life
		if life == 0 {
			life = time.Hour
		}
		g.until = time.Now().Add(life)
		a, f := rand.Text(), rand.Text()
		i.access[a], i.refresh[f] = g, g
		answer(w, 200, map[string]any{"access_token": a, "token_type": "Bearer", "expires_in": int(life.Seconds()), "refresh_token": f, "scope": "mcp"})
	})
	return i
}

// claims are what an assertion says, if it is signed with the program's key.
func (i *issuer) claims(assertion string) map[string]any {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 || i.key == nil {
		return nil
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	raw, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || err2 != nil || len(signature) != 64 ||
		!ecdsa.Verify(i.key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil
	}
	var claims map[string]any
	_ = json.Unmarshal(raw, &claims)
	return claims
}

func (i *issuer) counted(what string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count[what]++
}

func (i *issuer) counts(what string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count[what]
}

// revoke makes the access tokens worthless, and the refresh tokens too.
func (i *issuer) revoke(refresh bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.access)
	if refresh {
		clear(i.refresh)
	}
}

// secrets are the tokens that the issuer has given.
func (i *issuer) secrets() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append(slices.Collect(maps.Keys(i.access)), slices.Collect(maps.Keys(i.refresh))...)
}

// user sends a user of the issuer's to an address, who does what they are known for.
func user(name string) func(context.Context, string) (string, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, address string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return "", err
		}
		req.SetBasicAuth(name, "")
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		resp.Body.Close()
		return resp.Header.Get("Location"), nil
	}
}

// connect connects to the issuer's MCP server and calls its tool.
func (i *issuer) connect(o oauth.Options) (*mcp.Client, error) {
	i.t.Helper()
	if o.RedirectURL == "" {
		o.RedirectURL = "http://127.0.0.1/callback"
	}
	h, err := oauth.New(i.URL+"/mcp", o)
	if err != nil {
		i.t.Fatal(err)
	}
	c, err := mcp.HTTP(i.t.Context(), i.URL+"/mcp", nil, mcp.Options{OAuth: h})
	if err != nil {
		return nil, err
	}
	i.t.Cleanup(func() { c.Close() })
	return c, i.call(c)
}

func (i *issuer) call(c *mcp.Client) error {
	set, err := c.Tools(i.t.Context())
	if err != nil {
		return err
	}
	_, err = set[0].(tools.Callable).Call(i.t.Context(), json.RawMessage(`{}`))
	return err
}
