package oauth_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
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

	dpop      bool              // tokens are bound to keys
	unbound   bool              // but this issuer gives others
	nonces    bool              // proofs need a nonce, which changes
	loop      bool              // whatever the nonce is
	nonce     string            // that the next proof needs
	keys      map[string]string // thumbprints, by access and refresh token, and by code
	proofs    map[string]bool   // jtis that were seen
	names     string            // the issuer that the MCP server names; empty for this one
	pretends  string            // what the MCP server says that it is; empty for the truth
	elsewhere string            // where the token endpoint redirects to; empty for nowhere
	asserted  map[string]any    // the claims of the last assertion that was taken
	fresh     bool              // each answer has a new nonce, though proofs need none
	offers    []string          // scopes that the MCP server names; nil for "mcp"
	scopes    []string          // that were asked for, one for each user that was sent here
	methods   []string          // by which a program proves itself; nil for "none"
	iss       string            // what the user is sent back with as this issuer's name; empty for nothing
	echoes    bool              // an error of the token endpoint repeats what was sent
}

type grant struct {
	user, client, redirect, challenge string
	until                             time.Time
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t, codes: map[string]grant{}, access: map[string]grant{}, refresh: map[string]grant{}, clients: map[string]bool{}, count: map[string]int{}, jtis: map[string]bool{}, resource: map[string]struct{}{}, keys: map[string]string{}, proofs: map[string]bool{}}
	server, err := mcp.Serve("behind", "1", tools.Func("whoami", "Says for whom the call is.", func(ctx context.Context, _ struct{}) (string, error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.count["called"]++
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
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		g, ok := i.access[token]
		ok = ok && !i.refuses
		if i.dpop && token != "" {
			i.count["proved"]++
			key, again := i.proved(r, i.URL+"/mcp", token)
			if again {
				w.Header().Set("DPoP-Nonce", i.nonce)
				w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", algs="ES256"`)
				i.mu.Unlock()
				http.Error(w, "another nonce", http.StatusUnauthorized)
				return
			}
			ok = ok && scheme == "DPoP" && key != "" && key == i.keys[token]
			if i.fresh {
				w.Header().Set("DPoP-Nonce", rand.Text())
			}
		}
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
		i.mu.Lock()
		names, pretends, offers := cmp.Or(i.names, i.URL), cmp.Or(i.pretends, i.URL+"/mcp"), i.offers
		if offers == nil {
			offers = []string{"mcp"}
		}
		i.mu.Unlock()
		answer(w, 200, map[string]any{"resource": pretends, "authorization_servers": []string{names}, "scopes_supported": offers})
	})
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		methods, iss := i.methods, i.iss != ""
		i.mu.Unlock()
		if methods == nil {
			methods = []string{"none"}
		}
		answer(w, 200, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "registration_endpoint": i.URL + "/register",
			"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"}, "scopes_supported": []string{"mcp", "offline_access"},
			"token_endpoint_auth_methods_supported": methods, "authorization_response_iss_parameter_supported": iss})
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
			i.keys[code] = q.Get("dpop_jkt")
			i.scopes = append(i.scopes, q.Get("scope"))
			if i.iss != "" {
				back.Set("iss", i.iss)
			}
			back.Set("code", code)
		}
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.count["tokens"]++
		if i.elsewhere != "" {
			http.Redirect(w, r, i.elsewhere, http.StatusTemporaryRedirect)
			return
		}
		kind, key := "Bearer", ""
		if i.dpop {
			var again bool
			if key, again = i.proved(r, i.URL+"/token", ""); again {
				w.Header().Set("DPoP-Nonce", i.nonce)
				answer(w, 400, map[string]any{"error": "use_dpop_nonce"})
				return
			}
			if key == "" {
				answer(w, 400, map[string]any{"error": "invalid_dpop_proof"})
				return
			}
			if !i.unbound {
				kind = "DPoP"
			}
			if i.fresh {
				w.Header().Set("DPoP-Nonce", rand.Text())
			}
		}
		if i.down {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
			return
		}
		var g grant
		var ok bool
		switch r.FormValue("grant_type") {
		case "urn:ietf:params:oauth:grant-type:jwt-bearer":
			i.count["asserted"]++
			if i.asserted = i.claims(r.FormValue("assertion")); i.asserted == nil || i.asserted["aud"] != i.URL {
				answer(w, 400, map[string]any{"error": "invalid_grant", "error_description": r.FormValue("assertion")})
				return
			}
			a := rand.Text()
			i.access[a], i.keys[a] = grant{user: i.asserted["sub"].(string), until: time.Now().Add(time.Hour)}, key
			answer(w, 200, map[string]any{"access_token": a, "token_type": kind, "expires_in": 3600})
			return
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
				// It repeats what it was sent, as some do.
				said := r.Header.Get("Authorization") + " " + r.FormValue("client_assertion")
				answer(w, 401, map[string]any{"error": "invalid_client", "error_description": "seen: " + said})
				return
			}
			life := i.life
			if life == 0 {
				life = time.Hour
			}
			a := rand.Text()
			i.access[a], i.keys[a] = grant{user: id, until: time.Now().Add(life)}, key
			answer(w, 200, map[string]any{"access_token": a, "token_type": kind, "expires_in": int(life.Seconds())})
			return
		case "authorization_code":
			g, ok = i.codes[r.FormValue("code")]
			delete(i.codes, r.FormValue("code"))
			sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
			ok = ok && key == i.keys[r.FormValue("code")] && g.challenge == base64.RawURLEncoding.EncodeToString(sum[:]) && g.redirect == r.FormValue("redirect_uri")
		case "refresh_token":
			g, ok = i.refresh[r.FormValue("refresh_token")]
			ok = ok && key == i.keys[r.FormValue("refresh_token")]
			delete(i.refresh, r.FormValue("refresh_token"))
			i.count["refreshed"]++
		}
		client := r.FormValue("client_id")
		password := r.FormValue("client_secret")
		if id, basicPassword, basic := r.BasicAuth(); basic {
			client = id
			password, _ = url.QueryUnescape(basicPassword)
			ok = ok && !slices.Contains(i.methods, "client_secret_post")
		}
		if client == "robot" && password != "pass word" {
			ok = false
		}
		if !ok || g.client != client {
			if i.echoes {
				answer(w, 400, map[string]any{"error": "invalid_grant", "error_description": fmt.Sprint("seen: ", r.Header["Authorization"], r.Form)})
				return
			}
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		life := i.life
		if life == 0 {
			life = time.Hour
		}
		g.until = time.Now().Add(life)
		a, f := rand.Text(), rand.Text()
		i.access[a], i.refresh[f], i.keys[a], i.keys[f] = g, g, key, key
		answer(w, 200, map[string]any{"access_token": a, "token_type": kind, "expires_in": int(life.Seconds()), "refresh_token": f, "scope": "mcp"})
	})
	return i
}

// proved is the thumbprint of the key that a request has a proof of, each once; empty if
// it has none. It reports whether the proof needs another nonce. The caller holds i.mu.
func (i *issuer) proved(r *http.Request, address, token string) (thumbprint string, again bool) {
	all := r.Header.Values("DPoP")
	if len(all) != 1 {
		return "", false
	}
	parts := strings.Split(all[0], ".")
	var head struct {
		Typ, Alg string
		JWK      map[string]string
	}
	var claims struct {
		JTI, HTM, HTU, ATH, Nonce string
		IAT                       int64
	}
	if len(parts) != 3 {
		return "", false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	for n, v := range []any{&head, &claims} {
		raw, err2 := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil || err2 != nil || json.Unmarshal(raw, v) != nil {
			return "", false
		}
	}
	x, err := base64.RawURLEncoding.DecodeString(head.JWK["x"])
	y, err2 := base64.RawURLEncoding.DecodeString(head.JWK["y"])
	if err != nil || err2 != nil || head.JWK["kty"] != "EC" || head.JWK["crv"] != "P-256" || len(head.JWK) != 4 || len(signature) != 64 {
		return "", false
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	ath := sha256.Sum256([]byte(token))
	wantATH := base64.RawURLEncoding.EncodeToString(ath[:])
	if token == "" {
		wantATH = ""
	}
	age := time.Since(time.Unix(claims.IAT, 0))
	if err != nil || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) ||
		head.Typ != "dpop+jwt" || head.Alg != "ES256" || claims.HTM != r.Method || claims.HTU != address || claims.ATH != wantATH ||
		claims.JTI == "" || i.proofs[claims.JTI] || age < -time.Minute || age > time.Minute {
		return "", false
	}
	i.proofs[claims.JTI] = true
	if (i.nonces && claims.Nonce != i.nonce) || i.loop {
		i.nonce = rand.Text()
		return "", true
	}
	thumb := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, head.JWK["x"], head.JWK["y"]))
	return base64.RawURLEncoding.EncodeToString(thumb[:]), false
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
