package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/tools/mcp/oauth"
	"github.com/whorl-go/whorl/transport/secret"
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
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory's mode is %v, %v", info.Mode(), err)
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

// Where nobody can authorize, the token is used once it was granted elsewhere, in the same
// Handler and connection.
func TestAuthorizedElsewhere(t *testing.T) {
	i, store := newIssuer(t), oauth.Memory()
	here, err := oauth.New(i.URL+"/mcp", oauth.Options{Tokens: store})
	if err != nil {
		t.Fatal(err)
	}
	connect := func() (*mcp.Client, error) {
		return mcp.HTTP(t.Context(), i.URL+"/mcp", nil, mcp.Options{OAuth: here})
	}
	var login *oauth.LoginError
	if _, err := connect(); !errors.As(err, &login) {
		t.Fatalf("before: %v", err)
	}
	for range 2 {
		if _, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: store}); err != nil {
			t.Fatal(err)
		}
		c, err := connect()
		if err != nil {
			t.Fatalf("after: %v", err)
		}
		defer c.Close()
		if err := i.call(c); err != nil {
			t.Errorf("after: %v", err)
		}
		i.revoke(true)
		if err := i.call(c); !errors.As(err, &login) {
			t.Errorf("revoked: %v", err)
		}
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
	for _, query := range []string{"code=stolen&state=another", "code=stolen", "code=stolen&state=", "error=access_denied&state=another", "error=access_denied", ""} {
		_, err := i.connect(oauth.Options{Authorize: func(context.Context, string) (string, error) {
			return "http://127.0.0.1/callback?" + query, nil
		}})
		var denied *oauth.DeniedError
		if err == nil || !strings.Contains(err.Error(), "another state") || errors.As(err, &denied) {
			t.Errorf("forged with %s: %v", query, err)
		}
	}
	if n := i.counts("tokens"); n != 0 {
		t.Errorf("%d tokens were asked for", n)
	}
	// An answer that is an error is none with a code, whatever else stands in it.
	_, err := i.connect(oauth.Options{Authorize: func(ctx context.Context, address string) (string, error) {
		back, err := user("ann")(ctx, address)
		return back + "&error=server_error", err
	}})
	var denied *oauth.DeniedError
	if !errors.As(err, &denied) || denied.Code != "server_error" || i.counts("tokens") != 0 {
		t.Errorf("a code and an error: %v", err)
	}
}

// An issuer that says that it names itself in its answers must: one that is named in
// another's place may be sent no code.
func TestAnswerOfAnotherIssuer(t *testing.T) {
	for _, iss := range []string{"https://evil.example", "/", ""} {
		i := newIssuer(t)
		i.iss = i.URL
		_, err := i.connect(oauth.Options{Authorize: func(ctx context.Context, address string) (string, error) {
			back, err := user("ann")(ctx, address)
			name := url.QueryEscape(i.URL)
			if iss == "/" {
				iss = name + "/"
			}
			return strings.Replace(back, "iss="+name, "iss="+iss, 1), err
		}})
		if err == nil || i.counts("tokens") != 0 {
			t.Errorf("the answer of %q: %v, %d tokens", iss, err, i.counts("tokens"))
		}
	}
	i := newIssuer(t)
	i.iss = i.URL
	if _, err := i.connect(oauth.Options{Authorize: user("ann")}); err != nil {
		t.Errorf("its own answer: %v", err)
	}
}

// The program asks for the scopes that it has chosen, and a token that can be refreshed; and
// when it asks again it doesn't lose those that it had.
func TestScopes(t *testing.T) {
	i, store := newIssuer(t), oauth.Memory()
	i.offers = []string{"read", "write", "admin"}
	only := func(names ...string) func([]string) []string {
		return func(offered []string) []string {
			if len(offered) != 3 {
				t.Errorf("offered %v", offered)
			}
			return names
		}
	}
	for n, tt := range []struct {
		scopes func([]string) []string
		want   string
	}{
		{only("read"), "offline_access read"},
		{only("write"), "offline_access read write"},
		{nil, "admin offline_access read write"},
	} {
		if _, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: store, Scopes: tt.scopes}); err != nil {
			t.Fatal(err)
		}
		if len(i.scopes) != n+1 {
			t.Fatalf("asked %d times", len(i.scopes))
		}
		if got := strings.Join(slices.Sorted(strings.FieldsSeq(i.scopes[n])), " "); got != tt.want {
			t.Errorf("asked for %q, want %q", got, tt.want)
		}
		i.revoke(true) // so that the user is asked again
	}
}

// A program with a secret proves itself with it when it refreshes too, in the way that the
// issuer takes, in one request.
func TestRefreshWithASecret(t *testing.T) {
	for name, methods := range map[string][]string{"in the header": {"client_secret_basic"}, "in the form": {"client_secret_post"}} {
		t.Run(name, func(t *testing.T) {
			i, store := newIssuer(t), oauth.Memory()
			i.clients["robot"], i.methods = true, methods
			if _, err := i.connect(oauth.Options{Authorize: user("ann"), ClientID: "robot", ClientSecret: secret.New("pass word"), Tokens: store}); err != nil {
				t.Fatal(err)
			}
			i.revoke(false)
			before := i.counts("tokens")
			if _, err := i.connect(oauth.Options{Tokens: store, ClientID: "robot", ClientSecret: secret.New("pass word")}); err != nil || i.counts("tokens") != before+1 {
				t.Errorf("%v, in %d requests", err, i.counts("tokens")-before)
			}
		})
	}
}

// What an issuer repeats of a request that it refuses is in no error.
func TestIssuerThatRepeatsSecrets(t *testing.T) {
	for name, methods := range map[string][]string{"in the header": {"client_secret_basic"}, "in the form": {"client_secret_post"}} {
		i := newIssuer(t)
		i.clients["robot"], i.methods, i.echoes = true, methods, true
		const wrong = "wrong-secret-0815"
		_, err := i.connect(oauth.Options{Authorize: user("ann"), ClientID: "robot", ClientSecret: secret.New(wrong)})
		var failed *oauth.AuthorizationError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "seen:") {
			t.Fatalf("%s: %v", name, err)
		}
		for _, shown := range []string{wrong, base64.StdEncoding.EncodeToString([]byte("robot:" + wrong))} {
			if strings.Contains(err.Error(), shown) {
				t.Errorf("%s: %s is in the error: %v", name, shown, err)
			}
		}
	}
}

// A broken store fails each of its requests.
type brokenStore struct {
	oauth.Store
	load, save error
}

func (b *brokenStore) Load(ctx context.Context, key oauth.Key) ([]byte, error) {
	if b.load != nil {
		return nil, b.load
	}
	return b.Store.Load(ctx, key)
}

func (b *brokenStore) Save(ctx context.Context, key oauth.Key, data []byte) error {
	if b.save != nil {
		return b.save
	}
	return b.Store.Save(ctx, key, data)
}

// A store that can't be read is an error, and no reason to ask the user; neither is a token
// used that can't be kept, since its refresh token would be lost with this process.
func TestBrokenStore(t *testing.T) {
	i := newIssuer(t)
	full, away := errors.New("the disk is full"), errors.New("the disk is away")
	store := &brokenStore{Store: oauth.Memory(), save: full}
	if _, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: store}); err == nil || !strings.Contains(err.Error(), "can't be kept") || i.counts("served ann") != 0 {
		t.Errorf("not kept: %v", err)
	}
	store.save, store.load = nil, away
	asked := i.counts("asked")
	if _, err := i.connect(oauth.Options{Authorize: user("ann"), Tokens: store}); err == nil || !strings.Contains(err.Error(), "can't be read from its store") || i.counts("asked") != asked {
		t.Errorf("not read: %v, asked %d times", err, i.counts("asked")-asked)
	}
	h, err := oauth.New(i.URL+"/mcp", oauth.Options{Tokens: &brokenStore{Store: oauth.Memory(), save: full}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Forget(t.Context()); !errors.Is(err, full) {
		t.Errorf("not forgotten: %v", err)
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
			other, err := http.Get(strings.Replace(l.URL(), "/callback", "/", 1))
			if err != nil {
				return err
			}
			other.Body.Close()
			posted, err := http.Post(back, "text/plain", nil)
			if err != nil {
				return err
			}
			posted.Body.Close()
			if other.StatusCode != http.StatusNotFound || posted.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("another path: %s; by POST: %s", other.Status, posted.Status)
			}
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
	if address, err := url.Parse(l.URL()); err != nil || address.Hostname() != "127.0.0.1" {
		t.Errorf("it listens at %s", l.URL())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Authorize(ctx, i.URL); err == nil {
		t.Error("it doesn't end with its context")
	}
}

// The loopback takes the first answer to a request that is under way, and no other.
func TestLoopbackTakesOneAnswer(t *testing.T) {
	browser := http.Client{Timeout: 20 * time.Second}
	defer browser.CloseIdleConnections()
	back := func(address string) int {
		resp, err := browser.Get(address)
		if err != nil {
			t.Error(err)
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	shown := make(chan struct{}, 1)
	var l *oauth.Loopback
	var answers []int
	l, err := oauth.NewLoopback(func(_ context.Context, address string) error {
		if strings.HasSuffix(address, "s1") { // before Authorize looks whether one has come
			answers = append(answers, back(l.URL()+"?code=1&state=s1"), back(l.URL()+"?code=2&state=s1"))
			return nil
		}
		shown <- struct{}{}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Only this machine's programs reach it, not the network's, nor by another address.
	u, err := url.Parse(l.URL())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.DialTimeout("tcp", "127.0.0.2:"+u.Port(), 5*time.Second); err == nil {
		c.Close()
		t.Error("it listens at other addresses than 127.0.0.1")
	}
	// Before there is one, even an answer without a state is to nothing.
	if got := back(l.URL()); got != http.StatusNotFound {
		t.Errorf("before: %d", got)
	}
	got, err := l.Authorize(t.Context(), "https://issuer.example/authorize?state=s1")
	if err != nil || got != l.URL()+"?code=1&state=s1" || !slices.Equal(answers, []int{http.StatusOK, http.StatusNotFound}) {
		t.Errorf("%s, %v; the answers are answered with %v", got, err, answers)
	}
	// One that is given up, while the user is away, takes no answer afterwards, and the next
	// one has its turn.
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-shown; cancel(errors.New("given up")) }()
	if _, err := l.Authorize(ctx, "https://issuer.example/authorize?state=s2"); err == nil || err.Error() != "given up" {
		t.Errorf("given up: %v", err)
	}
	if got := back(l.URL() + "?code=1&state=s2"); got != http.StatusNotFound {
		t.Errorf("afterwards: %d", got)
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
