package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp/oauth"
)

func key(i *issuer, tenant string) oauth.Key {
	return oauth.Key{Tenant: tenant, Server: i.URL + "/mcp"}
}

// The user authorizes once: another process with the same store, and another
// connection, have the token.
func TestAuthorizesOnce(t *testing.T) {
	i, dir := newIssuer(t), filepath.Join(t.TempDir(), "tokens")
	for range 2 {
		if _, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: oauth.Dir(dir), Tenant: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := i.connect(oauth.Options{Tokens: oauth.Dir(dir), Tenant: "ann"}); err != nil {
		t.Errorf("where nobody can authorize: %v", err)
	}
	if i.counts("asked") != 1 || i.counts("registered") != 1 || i.counts("served ann") == 0 {
		t.Errorf("asked %d times, registered %d times", i.counts("asked"), i.counts("registered"))
	}
	if _, ok := i.resource[i.URL+"/mcp"]; !ok || len(i.resource) != 1 {
		t.Errorf("the token is for %v", i.resource)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files: %v, %v", files, err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
}

// Each tenant has a token of its own, and none is used for another.
func TestTenants(t *testing.T) {
	for name, store := range map[string]oauth.Store{"Memory": oauth.Memory(), "Dir": oauth.Dir(t.TempDir())} {
		t.Run(name, func(t *testing.T) { testTenants(t, store) })
	}
}

func testTenants(t *testing.T, store oauth.Store) {
	i := newIssuer(t)
	for _, tenant := range []string{"ann", "bob"} {
		if _, err := i.connect(oauth.Options{Authorize: user(tenant), Tokens: store, Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	before := i.counts("served bob")
	if _, err := i.connect(oauth.Options{Tokens: store, Tenant: "ann"}); err != nil || i.counts("served bob") != before {
		t.Errorf("ann's calls: %v, served bob %d times more", err, i.counts("served bob")-before)
	}
	var login *oauth.LoginError
	if _, err := i.connect(oauth.Options{Tokens: store, Tenant: "eve"}); !errors.As(err, &login) || login.Tenant != "eve" {
		t.Errorf("a tenant without a token: %v", err)
	}
	a, _ := store.Load(t.Context(), key(i, "ann"))
	b, _ := store.Load(t.Context(), key(i, "bob"))
	if len(a) == 0 || len(b) == 0 || string(a) == string(b) {
		t.Error("the tenants share what is kept")
	}
}

// A token that has expired is refreshed without the user, in one request, and what
// came of it is kept.
func TestExpired(t *testing.T) {
	i, store := newIssuer(t), oauth.Memory()
	i.life = 5 * time.Second // used up when it is given: it is renewed 10 s before its end
	c, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: store})
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.life = time.Hour
	i.mu.Unlock()
	before := i.counts("refreshed")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := i.call(c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := i.counts("refreshed") - before; got != 1 || i.counts("asked") != 1 {
		t.Errorf("refreshed %d times, the user was asked %d times", got, i.counts("asked"))
	}
	if _, err := i.connect(oauth.Options{Tokens: store}); err != nil {
		t.Errorf("what was refreshed isn't kept: %v", err)
	}
}

// A token that the server no longer takes is refreshed; without a refresh token
// the user authorizes again.
func TestRevoked(t *testing.T) {
	i := newIssuer(t)
	c, err := i.connect(oauth.Options{Authorize: user("ann")})
	if err != nil {
		t.Fatal(err)
	}
	i.revoke(false)
	if err := i.call(c); err != nil || i.counts("refreshed") != 1 || i.counts("asked") != 1 {
		t.Errorf("revoked: %v, refreshed %d times, asked %d times", err, i.counts("refreshed"), i.counts("asked"))
	}
	i.revoke(true)
	set, err := c.Tools(t.Context())
	if err != nil || i.counts("asked") != 2 {
		t.Errorf("all revoked: %v, asked %d times", err, i.counts("asked"))
	}
	i.revoke(true)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := set[0].(tools.Callable).Call(t.Context(), json.RawMessage(`{}`)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if i.counts("asked") != 3 {
		t.Errorf("for calls side by side the user was asked %d times", i.counts("asked")-2)
	}
}

// A server that refuses what its issuer has just refreshed leads to the user, not
// round in a circle.
func TestRefusedThoughRefreshed(t *testing.T) {
	i := newIssuer(t)
	c, err := i.connect(oauth.Options{Authorize: user("ann")})
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.refuses = true
	i.mu.Unlock()
	for range 3 {
		if err := i.call(c); err == nil {
			t.Error("a call got through")
		}
	}
	if n := i.counts("refused"); n > 20 || i.counts("asked") < 2 {
		t.Errorf("%d requests were refused, the user was asked %d times", n, i.counts("asked"))
	}
}

// Two processes that refresh at once use the refresh token twice, which is good once:
// the one that comes second takes what the first one has got.
func TestRefreshedElsewhere(t *testing.T) {
	i, store := newIssuer(t), oauth.Memory()
	i.life = 5 * time.Second
	first, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: store})
	if err != nil {
		t.Fatal(err)
	}
	second, err := i.connect(oauth.Options{Tokens: store})
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.life = time.Hour
	i.mu.Unlock()
	before := i.counts("refreshed")
	if err := errors.Join(i.call(first), i.call(second), i.call(first)); err != nil {
		t.Error(err)
	}
	if n := i.counts("refreshed") - before; i.counts("asked") != 1 || n != 1 {
		t.Errorf("the user was asked %d times, refreshed %d times", i.counts("asked"), n)
	}
}

// A user who says no is an error that says so; nothing is kept.
func TestDenied(t *testing.T) {
	i, store := newIssuer(t), oauth.Memory()
	var denied *oauth.DeniedError
	_, err := i.connect(oauth.Options{Authorize: user("nobody"), Tokens: store})
	if !errors.As(err, &denied) || denied.Code != "access_denied" || denied.Description != "The user said no." {
		t.Errorf("denied: %v", err)
	}
	if kept, _ := store.Load(t.Context(), key(i, "")); kept != nil {
		t.Errorf("kept: %s", kept)
	}
}

// An issuer that is down is an error of the call, which holds no token; the next call
// goes on without the user.
func TestIssuerDown(t *testing.T) {
	i := newIssuer(t)
	i.life = 5 * time.Second
	c, err := i.connect(oauth.Options{Authorize: user("ann")})
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.down, i.life = true, time.Hour
	i.mu.Unlock()
	err = i.call(c)
	if err == nil || !strings.Contains(err.Error(), "refresh") {
		t.Errorf("the issuer is down: %v", err)
	}
	for _, s := range i.secrets() {
		if err != nil && strings.Contains(err.Error(), s) {
			t.Errorf("a token is in the error: %v", err)
		}
	}
	i.mu.Lock()
	i.down = false
	i.mu.Unlock()
	if err := i.call(c); err != nil || i.counts("asked") != 1 {
		t.Errorf("the issuer is back: %v, asked %d times", err, i.counts("asked"))
	}
}

// An answer of the issuer's that belongs to another request is not taken.
func TestForgedAnswer(t *testing.T) {
	i := newIssuer(t)
	_, err := i.connect(oauth.Options{Authorize: func(context.Context, string) (string, error) {
		return "http://127.0.0.1/callback?code=stolen&state=another", nil
	}})
	if err == nil || !strings.Contains(err.Error(), "another state") {
		t.Errorf("forged: %v", err)
	}
}

// The loopback takes the user back, and passes over what doesn't belong to them.
func TestLoopback(t *testing.T) {
	i := newIssuer(t)
	var l *oauth.Loopback
	l, err := oauth.NewLoopback(func(ctx context.Context, address string) error {
		for _, back := range []string{l.URL() + "?code=x&state=forged", ""} {
			if back == "" {
				var err error
				if back, err = user("ann")(ctx, address); err != nil {
					return err
				}
			}
			resp, err := http.Get(back)
			if err != nil {
				return err
			}
			resp.Body.Close()
			if forged := strings.Contains(back, "forged"); forged != (resp.StatusCode == http.StatusNotFound) {
				t.Errorf("%s: %s", back, resp.Status)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := i.connect(oauth.Options{RedirectURL: l.URL(), Authorize: l.Authorize}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Authorize(ctx, i.URL); err == nil {
		t.Error("it doesn't end with its context")
	}
}

// Options that lead to no token are refused at once.
func TestNew(t *testing.T) {
	for want, try := range map[string]func() (*oauth.Handler, error){
		"not a URL": func() (*oauth.Handler, error) { return oauth.New("mcp", oauth.Options{}) },
		"RedirectURL": func() (*oauth.Handler, error) {
			return oauth.New("https://e.com", oauth.Options{Authorize: user("ann")})
		},
		"HTTPS": func() (*oauth.Handler, error) {
			return oauth.New("https://e.com", oauth.Options{MetadataURL: "http://e.com/x"})
		},
	} {
		if _, err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What was forgotten is granted again.
func TestForget(t *testing.T) {
	i, store := newIssuer(t), oauth.Memory()
	h, err := oauth.New(i.URL+"/mcp", oauth.Options{Authorize: user("ann"), RedirectURL: "http://127.0.0.1/callback", Tokens: store})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: store}); err != nil {
		t.Fatal(err)
	}
	if ts, err := h.TokenSource(t.Context()); err != nil || ts == nil {
		t.Errorf("before: %v, %v", ts, err)
	}
	if err := h.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept, _ := store.Load(t.Context(), key(i, ""))
	if ts, err := h.TokenSource(t.Context()); err != nil || ts != nil || kept != nil {
		t.Errorf("after: %v, %v, %s", ts, err, kept)
	}
}

// A server that gives its token back, in a result or as an error, doesn't show it to
// the model.
func TestTokenStaysOutOfResults(t *testing.T) {
	i := newIssuer(t)
	c, err := i.connect(oauth.Options{Authorize: user("ann")})
	if err != nil {
		t.Fatal(err)
	}
	set, err := c.Tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range i.secrets() {
		i.mu.Lock()
		_, access := i.access[token]
		i.says = "your token is " + token
		i.mu.Unlock()
		r, err := set[0].(tools.Callable).Call(t.Context(), json.RawMessage(`{}`))
		if err != nil || !strings.Contains(string(r.Content[0].Raw()), "your token is") {
			t.Fatalf("%v, %v", r, err)
		}
		if access && strings.Contains(string(r.Content[0].Raw()), token) {
			t.Errorf("the model is told %s", r.Content[0].Raw())
		}
	}
}
