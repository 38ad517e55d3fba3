package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/identity"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A service is the Claude API with its endpoint of tokens, as far as it is described
// (wire §1.2).
type service struct {
	*httptest.Server
	mu        sync.Mutex
	exchanges []exchanged
	messages  []http.Header
	valid     string // the one token that is taken; "" takes the newest
	life      int    // expires_in; 0 means 3600, below 0 none
	answer    func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

type exchanged struct {
	header http.Header
	body   map[string]string
}

func serve(t *testing.T) *service {
	s := &service{}
	api := simulator.New(simulator.Options{Model: simulator.Echo{}})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/oauth/token" {
			body, _ := io.ReadAll(r.Body)
			s.mu.Lock()
			defer s.mu.Unlock()
			e := exchanged{header: r.Header.Clone()}
			json.Unmarshal(body, &e.body)
			s.exchanges = append(s.exchanges, e)
			if s.answer != nil && s.answer(w, r, body) {
				return
			}
			life := ""
			if s.life >= 0 {
				n := s.life
				if n == 0 {
					n = 3600
				}
				life = fmt.Sprintf(`,"expires_in":%d`, n)
			}
			fmt.Fprintf(w, `{"access_token":"sk-ant-oat01-%d","token_type":"Bearer","refresh_token":"refresh-%d"%s}`, len(s.exchanges), len(s.exchanges), life)
			return
		}
		s.mu.Lock()
		s.messages = append(s.messages, r.Header.Clone())
		want := s.valid
		if want == "" {
			want = fmt.Sprintf("sk-ant-oat01-%d", len(s.exchanges))
		}
		s.mu.Unlock()
		if got := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); got != want {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(401)
			fmt.Fprintf(w, `{"type":"error","error":{"type":"authentication_error","message":"invalid token %s"}}`, got)
			return
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) count() (exchanges, messages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.exchanges), len(s.messages)
}

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ3b3JrbG9hZCJ9.c2lnbmF0dXJl"

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *service) options(t *testing.T) identity.Options {
	return identity.Options{RuleID: "fdrl_1", OrganizationID: "org_1", TokenFile: file(t, jwt+"\n"), API: anthropic.Options{BaseURL: s.URL, MaxRetries: -1}}
}

func newClient(t *testing.T, o identity.Options) *platform.Client {
	t.Helper()
	c, err := identity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func ask(ctx context.Context, c transport.Client) error {
	_, err := transport.Create(ctx, c, &transport.Request{Model: "claude-opus-5-5", MaxTokens: 100, Messages: []transport.Message{transport.UserText("hi")}})
	return err
}

// TestExchange holds what is sent: the members of the exchange, its betas, and the
// headers of requests behind it.
func TestExchange(t *testing.T) {
	s := serve(t)
	o := s.options(t)
	o.ServiceAccountID, o.WorkspaceID = "svac_1", "wrkspc_1"
	o.API.Header = http.Header{"Anthropic-Workspace-Id": {"wrkspc_2"}}
	o.API.Betas = []string{"context-management-2025-06-27"}
	if err := ask(t.Context(), newClient(t, o)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": jwt, "federation_rule_id": "fdrl_1",
		"organization_id": "org_1", "service_account_id": "svac_1", "workspace_id": "wrkspc_1",
	}
	if got := s.exchanges[0]; !reflect.DeepEqual(got.body, want) || got.header.Get("Anthropic-Beta") != "oauth-2025-04-20,oidc-federation-2026-04-01" || got.header.Get("Content-Type") != "application/json" || got.header.Get("Authorization") != "" {
		t.Errorf("%v %v", got.body, got.header)
	}
	h := s.messages[0]
	if h.Get("Authorization") != "Bearer sk-ant-oat01-1" || h.Get("X-Api-Key") != "" || h.Get("Anthropic-Workspace-Id") != "" || h.Get("Anthropic-Beta") != "context-management-2025-06-27,oauth-2025-04-20" {
		t.Errorf("%v", h)
	}
}

// TestOneExchange sends from many goroutines at once, some of which give up.
func TestOneExchange(t *testing.T) {
	s := serve(t)
	release := make(chan struct{})
	s.answer = func(http.ResponseWriter, *http.Request, []byte) bool { <-release; return false }
	c := newClient(t, s.options(t))
	var wg sync.WaitGroup
	errs := make([]error, 40)
	ctx, cancel := context.WithCancel(t.Context())
	for i := range errs {
		wg.Go(func() {
			use := t.Context()
			if i%2 == 0 {
				use = ctx
			}
			errs[i] = ask(use, c)
		})
	}
	time.Sleep(20 * time.Millisecond)
	cancel() // among them is perhaps the one that began the exchange
	time.Sleep(20 * time.Millisecond)
	close(release)
	wg.Wait()
	for i, err := range errs {
		if i%2 == 1 && err != nil || i%2 == 0 && err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n, _ := s.count(); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// TestRenewal holds what a 401 does: one more exchange, one more request, and then an
// error that doesn't show the token.
func TestRenewal(t *testing.T) {
	s := serve(t)
	c := newClient(t, s.options(t))
	if err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.valid = "sk-ant-oat01-2"
	if err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if exchanges, messages := s.count(); exchanges != 2 || messages != 3 {
		t.Errorf("%d exchanges, %d requests", exchanges, messages)
	}
	s.valid = "none"
	err := ask(t.Context(), c)
	if !errors.Is(err, transport.ErrAuthentication) || strings.Contains(err.Error(), "sk-ant-oat01") {
		t.Errorf("%v", err)
	}
	if exchanges, messages := s.count(); exchanges != 3 || messages != 5 {
		t.Errorf("%d exchanges, %d requests", exchanges, messages)
	}
}

// TestRotation reads the program's own token at each exchange.
func TestRotation(t *testing.T) {
	s := serve(t)
	s.life = 10 // ends too soon for a second request
	o := s.options(t)
	c := newClient(t, o)
	for _, want := range []string{jwt, "another.jwt.text"} {
		if err := os.WriteFile(o.TokenFile, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got := s.exchanges[len(s.exchanges)-1].body["assertion"]; got != want {
			t.Errorf("%q", got)
		}
	}
	s.life = -1 // a token without an end
	for range 3 {
		if err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := s.count(); n != 3 {
		t.Errorf("%d exchanges", n)
	}
}

// TestRedirects sends neither tokens anywhere that a redirect points to.
func TestRedirects(t *testing.T) {
	var stolen []string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		stolen = append(stolen, r.Header.Get("Authorization")+string(body))
	}))
	defer thief.Close()
	s := serve(t)
	s.answer = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		http.Redirect(w, r, thief.URL+"/v1/oauth/token?assertion="+jwt, http.StatusTemporaryRedirect)
		return true
	}
	for _, client := range []*http.Client{nil, {}, {CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}} {
		o := s.options(t)
		o.API.HTTPClient = client
		err := ask(t.Context(), newClient(t, o))
		var refused *identity.ExchangeError
		if !errors.As(err, &refused) || refused.Status != 307 || !strings.Contains(err.Error(), "redirects to "+thief.URL) || strings.Contains(err.Error(), jwt) {
			t.Errorf("%v", err)
		}
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/oauth/token" {
			io.WriteString(w, `{"access_token":"sk-ant-oat01-1","expires_in":3600}`)
			return
		}
		http.Redirect(w, r, thief.URL, http.StatusPermanentRedirect)
	}))
	defer api.Close()
	o := s.options(t)
	o.API.BaseURL = api.URL
	if err := ask(t.Context(), newClient(t, o)); err == nil || !strings.Contains(err.Error(), "not followed") {
		t.Errorf("%v", err)
	}
	if stolen != nil {
		t.Errorf("%q", stolen)
	}
}

// TestBadIdentity holds what can be wrong with settings, tokens and the exchange. Each
// error says where, and none shows a token.
func TestBadIdentity(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		name   string
		change func(*identity.Options)
		answer string // of the endpoint
		status int
		want   string
	}{
		{"no rule", func(o *identity.Options) { o.RuleID = "" }, "", 0, "ANTHROPIC_FEDERATION_RULE_ID"},
		{"no organization", func(o *identity.Options) { o.OrganizationID = "" }, "", 0, "ANTHROPIC_ORGANIZATION_ID"},
		{"no token", func(o *identity.Options) { o.TokenFile = "" }, "", 0, "ANTHROPIC_IDENTITY_TOKEN_FILE (not set)"},
		{"no encryption", func(o *identity.Options) { o.API.BaseURL = "http://example.com" }, "", 0, "without encryption"},
		{"no URL", func(o *identity.Options) { o.API.BaseURL = "nonsense" }, "", 0, "not a URL"},
		{"a key beside it", func(o *identity.Options) { o.API.APIKey = secret.New("sk-ant-api03-x") }, "", 0, "a key is set beside"},
		{"no file", func(o *identity.Options) { o.TokenFile = "/no/such/file" }, "", 0, "/no/such/file"},
		{"an empty file", func(o *identity.Options) { o.TokenFile = file(t, "\n") }, "", 0, "is empty"},
		{"a long token", func(o *identity.Options) { o.TokenFile = file(t, strings.Repeat("x", 16385)) }, "", 0, "16385 bytes"},
		{"a failing source", func(o *identity.Options) {
			o.TokenFile = ""
			o.Token = func(context.Context) (secret.Value, error) { return secret.Value{}, errors.New("the vault is sealed") }
		}, "", 0, "the vault is sealed"},
		{"a rule of several workspaces", nil, `{"type":"error","error":{"type":"authentication_error","message":"ambiguous"}}`, 401, "ANTHROPIC_WORKSPACE_ID"},
		{"a refusal in OAuth's form that repeats the token", nil, `{"error":"invalid_grant","error_description":"bad assertion ` + jwt + `"}`, 400, "invalid_grant: bad assertion [redacted]"},
		{"no access_token", nil, `{"token_type":"Bearer"}`, 200, "no access_token"},
		{"another type", nil, `{"access_token":"abcdefgh","token_type":"mac"}`, 200, "of the type mac"},
		{"a page", nil, `<html><title>Log in</title>`, 200, "no JSON object"},
		{"a token with a line break", nil, `{"access_token":"abc\ndef"}`, 200, "no access_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.answer = nil
			if c.answer != "" {
				s.answer = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
					w.WriteHeader(c.status)
					io.WriteString(w, c.answer)
					return true
				}
			}
			o := s.options(t)
			if c.change != nil {
				c.change(&o)
			}
			client, err := identity.New(o)
			if err == nil {
				_, before := s.count()
				err = ask(t.Context(), client)
				if _, after := s.count(); after != before {
					t.Error("a request was sent")
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), jwt) {
				t.Errorf("%v", err)
			}
			var permanent interface{ Permanent() bool }
			if errors.As(err, &permanent) && !permanent.Permanent() {
				t.Errorf("it would be sent again: %v", err)
			}
		})
	}
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(503)
		return true
	}
	var refused *identity.ExchangeError
	if err := ask(t.Context(), newClient(t, s.options(t))); !errors.As(err, &refused) || refused.Permanent() {
		t.Errorf("%v", err)
	}
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

// TestProfiles reads profiles as Anthropic's programs write them.
func TestProfiles(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	t.Setenv("ANTHROPIC_CONFIG_DIR", dir)
	for _, name := range []string{"ANTHROPIC_BASE_URL", "ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	config := func(name, text string) { write(t, filepath.Join(dir, "configs", name+".json"), text, 0o600) }
	tokens := filepath.Join(dir, "credentials", "work.json")
	config("work", `{"version":"1.0","authentication":{"type":"oidc_federation","federation_rule_id":"fdrl_1","identity_token":{"source":"file","path":"`+file(t, jwt)+`"}},"base_url":"`+s.URL+`","organization_id":"org_1","workspace_id":"wrkspc_1","later":1}`)
	write(t, filepath.Join(dir, "active_config"), "work\n", 0o600)
	for range 2 { // the second one finds the token that the first one kept
		c, err := identity.FromEnv(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := s.count(); n != 1 || s.exchanges[0].body["workspace_id"] != "wrkspc_1" {
		t.Errorf("%d exchanges: %v", n, s.exchanges)
	}
	if info, err := os.Stat(tokens); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}

	// One that is to be renewed is not taken again from there.
	requests := len(s.messages)
	write(t, tokens, fmt.Sprintf(`{"access_token":"ends-soon","expires_at":%d}`, time.Now().Add(90*time.Second).Unix()), 0o600)
	if c, err := identity.FromEnv(t.Context()); err != nil || ask(t.Context(), c) != nil {
		t.Fatal(err)
	}
	if n, m := s.count(); n != 2 || m != requests+1 {
		t.Errorf("%d exchanges, %d requests", n, m-requests)
	}

	config("me", `{"authentication":{"type":"user_oauth","client_id":"client_1"},"base_url":"`+s.URL+`","workspace_id":"wrkspc_9"}`)
	mine := filepath.Join(dir, "credentials", "me.json")
	write(t, mine, `{"type":"oauth_token","access_token":"old","expires_at":1000,"refresh_token":"refresh-0"}`, 0o600)
	t.Setenv("ANTHROPIC_PROFILE", "me")
	c, err := identity.FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	last := s.exchanges[len(s.exchanges)-1]
	if want := map[string]string{"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "client_1"}; !reflect.DeepEqual(last.body, want) || last.header.Get("Anthropic-Beta") != "oauth-2025-04-20" {
		t.Errorf("%v %v", last.body, last.header)
	}
	if h := s.messages[len(s.messages)-1]; h.Get("Anthropic-Workspace-Id") != "wrkspc_9" {
		t.Errorf("%v", h)
	}
	if kept, _ := os.ReadFile(mine); !strings.Contains(string(kept), `"refresh-3"`) {
		t.Errorf("%s", kept)
	}
	// A refresh token that the service doesn't replace is kept.
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		fmt.Fprintf(w, `{"access_token":"sk-ant-oat01-%d","expires_in":3600}`, len(s.exchanges))
		return true
	}
	write(t, mine, `{"access_token":"old","expires_at":1000,"refresh_token":"refresh-0"}`, 0o600)
	if c, err := identity.FromEnv(t.Context()); err != nil || ask(t.Context(), c) != nil {
		t.Fatal(err)
	}
	if kept, _ := os.ReadFile(mine); !strings.Contains(string(kept), `"refresh-0"`) {
		t.Errorf("%s", kept)
	}
	s.answer = nil

	// A token that is refused is not taken from the file again, however long it lasts.
	write(t, mine, fmt.Sprintf(`{"access_token":"revoked","expires_at":%d,"refresh_token":"refresh-1"}`, time.Now().Add(time.Hour).Unix()), 0o600)
	before, _ := s.count()
	if c, err = identity.FromEnv(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ask(t.Context(), c); err != nil {
		t.Errorf("a token that was revoked: %v", err)
	}
	if n, _ := s.count(); n != before+1 || s.exchanges[n-1].body["refresh_token"] != "refresh-1" {
		t.Errorf("%d exchanges: %v", n-before, s.exchanges[n-1].body)
	}

	bad := func(name, want string, prepare func()) {
		t.Helper()
		prepare()
		c, err := identity.FromProfile(name, anthropic.Options{})
		if err == nil {
			err = ask(t.Context(), c)
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "refresh-") {
			t.Errorf("%s: %v", want, err)
		}
	}
	bad("../me", "not a valid name", func() {})
	bad("none", "none.json", func() {})
	bad("me", "chmod 600", func() { os.Chmod(mine, 0o644) })
	bad("me", "must not be a link", func() {
		os.Rename(mine, mine+".real")
		os.Chmod(mine+".real", 0o600)
		os.Symlink(mine+".real", mine)
	})
	bad("me", "log in again", func() {
		os.Remove(mine)
		write(t, mine, `{"access_token":"old","expires_at":1000}`, 0o600)
	})
	bad("odd", "isn't known", func() { config("odd", `{"authentication":{"type":"magic"}}`) })
	bad("cut", "repair the file", func() { config("cut", `{"authentication":`) })
	// Tokens go to the origin that they are of only, which is the usual one if none is named.
	config("usual", `{"authentication":{"type":"user_oauth","client_id":"client_1"}}`)
	write(t, filepath.Join(dir, "credentials", "usual.json"), fmt.Sprintf(`{"access_token":"t","expires_at":%d,"refresh_token":"refresh-1"}`, time.Now().Add(time.Hour).Unix()), 0o600)
	exchanges, sent := s.count()
	for name, base := range map[string]string{"me": "https://elsewhere.example", "usual": s.URL} {
		c, err = identity.FromProfile(name, anthropic.Options{BaseURL: base})
		if err == nil {
			err = ask(t.Context(), c)
		}
		if err == nil || !strings.Contains(err.Error(), "another origin") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, r := s.count(); e != exchanges || r != sent {
		t.Errorf("%d exchanges and %d requests elsewhere", e-exchanges, r-sent)
	}
}
