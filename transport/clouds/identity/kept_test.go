package identity_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/identity"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// profiles is a folder of profiles in an environment that names no other identity.
type profiles string

func newProfiles(t *testing.T) profiles {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "anthropic")
	for _, name := range []string{"ANTHROPIC_BASE_URL", "ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID", "ANTHROPIC_SERVICE_ACCOUNT_ID", "ANTHROPIC_WORKSPACE_ID", "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("ANTHROPIC_CONFIG_DIR", dir)
	return profiles(dir)
}

// federated writes a profile that exchanges a token of the program's own, and user one of
// somebody who has logged in. Both return the place of the file with tokens.
func (p profiles) federated(t *testing.T, name, base, token string) string {
	t.Helper()
	p.config(t, name, `{"authentication":{"type":"oidc_federation","federation_rule_id":"fdrl_1"`+token+`},"base_url":"`+base+`","organization_id":"org_1"}`)
	return p.tokens(name)
}

func (p profiles) user(t *testing.T, name, base string) string {
	t.Helper()
	p.config(t, name, `{"authentication":{"type":"user_oauth","client_id":"client_1"},"base_url":"`+base+`","workspace_id":"wrkspc_9"}`)
	return p.tokens(name)
}

func (p profiles) config(t *testing.T, name, text string) {
	t.Helper()
	write(t, filepath.Join(string(p), "configs", name+".json"), text, 0o600)
}

func (p profiles) tokens(name string) string {
	return filepath.Join(string(p), "credentials", name+".json")
}

func kept(access, refresh string, left time.Duration) string {
	return fmt.Sprintf(`{"access_token":%q,"expires_at":%d,"refresh_token":%q}`, access, time.Now().Add(left).Unix(), refresh)
}

func fromProfile(t *testing.T, name string, api anthropic.Options) *platform.Client {
	t.Helper()
	api.MaxRetries = -1
	c, err := identity.FromProfile(name, api)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func identityToken(file string) string {
	return `,"identity_token":{"source":"file","path":"` + file + `"}`
}

// A file with tokens that anybody else could read or write is not used, whoever that is.
func TestOnlyTheOwnersTokens(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	file := p.user(t, "me", s.URL)
	for _, mode := range []os.FileMode{0o640, 0o620, 0o610, 0o604, 0o602, 0o601} {
		write(t, file, kept("sk-ant-oat01-0", "refresh-0", time.Hour), mode)
		if _, err := identity.FromProfile("me", anthropic.Options{}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%#o: %v", mode, err)
		}
	}
	write(t, file, kept("sk-ant-oat01-0", "refresh-0", time.Hour), 0o600)
	if err := ask(t.Context(), fromProfile(t, "me", anthropic.Options{})); err != nil {
		t.Errorf("its owner's: %v", err)
	}
}

// A token that an exchange brought is kept for the origin that has given it: requests to
// another one make an exchange of their own, there, and what they get isn't kept.
func TestKeptForItsOrigin(t *testing.T) {
	s, other, p := serve(t), serve(t), newProfiles(t)
	tokens := p.federated(t, "work", s.URL, identityToken(file(t, jwt)))
	before := kept("sk-ant-oat01-0", "", time.Hour)
	write(t, tokens, before, 0o600)
	if err := ask(t.Context(), fromProfile(t, "work", anthropic.Options{BaseURL: other.URL})); err != nil {
		t.Fatal(err)
	}
	if n, m := other.count(); n != 1 || m != 1 || other.messages[0].Get("Authorization") != "Bearer sk-ant-oat01-1" {
		t.Errorf("elsewhere: %d exchanges, then %v", n, other.messages)
	}
	if after, err := os.ReadFile(tokens); string(after) != before {
		t.Errorf("%v: the file has %s", err, after)
	}
	if err := ask(t.Context(), fromProfile(t, "work", anthropic.Options{})); err != nil || s.messages[0].Get("Authorization") != "Bearer sk-ant-oat01-0" {
		t.Errorf("%v: %v", err, s.messages)
	}
}

// A token that is refused is not taken from the file again, however long it lasts: another
// one is exchanged for, and kept.
func TestRefusedTokenIsExchanged(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	tokens := p.federated(t, "work", s.URL, identityToken(file(t, jwt)))
	write(t, tokens, kept("revoked", "", time.Hour), 0o600)
	s.valid = "sk-ant-oat01-1"
	for range 2 { // the second one finds the new one
		if err := ask(t.Context(), fromProfile(t, "work", anthropic.Options{})); err != nil {
			t.Fatal(err)
		}
	}
	if n, m := s.count(); n != 1 || m != 3 {
		t.Errorf("%d exchanges, %d requests", n, m)
	}
}

// A request that may not be made is no reason for another token.
func TestForbiddenIsNotRenewed(t *testing.T) {
	s := serve(t)
	c := newClient(t, s.options(t))
	if err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.messages = append(s.messages, r.Header.Clone())
		w.WriteHeader(http.StatusForbidden)
	})
	if err := ask(t.Context(), c); err == nil {
		t.Error("it was permitted")
	}
	if n, m := s.count(); n != 1 || m != 2 {
		t.Errorf("%d exchanges, %d requests", n, m)
	}
}

// A renewed token takes the place of the file as a whole. Who reads the old one at that time
// reads all of it, nobody else may read the new one, and nothing else is left in the folder.
func TestFileIsReplaced(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	work, me := p.federated(t, "work", s.URL, identityToken(file(t, jwt))), p.user(t, "me", s.URL)
	t.Setenv("TMPDIR", "/no/such/folder") // it may be on another disk
	if err := ask(t.Context(), fromProfile(t, "work", anthropic.Options{})); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Dir(work)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of tokens: %v, %v", info, err)
	}
	old := kept("old", "refresh-0", -time.Hour)
	write(t, me, old, 0o600)
	open, err := os.Open(me)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := ask(t.Context(), fromProfile(t, "me", anthropic.Options{})); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(open); string(text) != old {
		t.Errorf("%v: the old file became %s", err, text)
	}
	list, err := os.ReadDir(filepath.Dir(me))
	if err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	for _, e := range list {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// A refresh token is good once: that the next one can't be kept is an error, not something
// that the next process finds out. The error has neither.
func TestRenewedButNotStored(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	me := p.user(t, "me", s.URL)
	write(t, me, kept("old", "refresh-token-of-the-test", -time.Hour), 0o600)
	c := fromProfile(t, "me", anthropic.Options{})
	dir := filepath.Dir(me)
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Error(err)
		}
		write(t, dir, "no folder", 0o600)
		return false
	}
	err := ask(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "can't be stored") || !strings.Contains(err.Error(), "log in again") || strings.Contains(err.Error(), "refresh-") || strings.Contains(err.Error(), "sk-ant") {
		t.Errorf("%v", err)
	}
}

// What refuses a refresh token may repeat it, and the token that it was for: the error
// doesn't.
func TestRefusedRefreshIsHidden(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	write(t, p.user(t, "me", s.URL), kept("old-token-of-the-test", "refresh-token-of-the-test", -time.Hour), 0o600)
	s.answer = func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		w.Header().Set("Request-Id", "req-refresh-token-of-the-test")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_grant","error_description":"refresh-token-of-the-test of old-token-of-the-test was used"}`)
		return true
	}
	err := ask(t.Context(), fromProfile(t, "me", anthropic.Options{}))
	if err == nil || !strings.Contains(err.Error(), "invalid_grant: [redacted] of [redacted] was used") || strings.Contains(err.Error(), "of-the-test") {
		t.Errorf("%v", err)
	}
}

// A token that another process has renewed meanwhile is taken from the file: the refresh
// token that this process knows is used up.
func TestRenewedElsewhere(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	me := p.user(t, "me", s.URL)
	write(t, me, kept("old", "refresh-0", -time.Hour), 0o600)
	s.life = 10 // ends too soon for a second request
	c := fromProfile(t, "me", anthropic.Options{})
	if err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	write(t, me, kept("sk-ant-oat01-of-another", "refresh-9", time.Hour), 0o600)
	s.valid = "sk-ant-oat01-of-another"
	if err := ask(t.Context(), c); err != nil {
		t.Error(err)
	}
	if n, _ := s.count(); n != 1 {
		t.Errorf("%d exchanges: %v", n, s.exchanges[n-1].body)
	}
}

// A profile's own token goes before one in the environment, which a profile without one
// uses. A workspace that the program names goes before the profile's.
func TestWhatAProfileNames(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	t.Setenv("ANTHROPIC_IDENTITY_TOKEN", "jwt.of.the-environment")
	p.federated(t, "own", s.URL, identityToken(file(t, jwt)))
	p.federated(t, "none", s.URL, "")
	for name, want := range map[string]string{"own": jwt, "none": "jwt.of.the-environment"} {
		if err := ask(t.Context(), fromProfile(t, name, anthropic.Options{})); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := s.exchanges[len(s.exchanges)-1].body["assertion"]; got != want {
			t.Errorf("%s: %q was exchanged", name, got)
		}
	}
	write(t, p.user(t, "me", s.URL), kept("sk-ant-oat01-2", "refresh-0", time.Hour), 0o600)
	if err := ask(t.Context(), fromProfile(t, "me", anthropic.Options{Header: http.Header{"Anthropic-Workspace-Id": {"wrkspc_5"}}})); err != nil {
		t.Fatal(err)
	}
	if got := s.messages[len(s.messages)-1].Get("Anthropic-Workspace-Id"); got != "wrkspc_5" {
		t.Errorf("the workspace is %s", got)
	}
}

// All that the environment says is part of the exchange, which goes where it says.
func TestEnvironment(t *testing.T) {
	s := serve(t)
	newProfiles(t)
	want := map[string]string{"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": jwt}
	for variable, member := range map[string]string{
		"ANTHROPIC_FEDERATION_RULE_ID": "federation_rule_id", "ANTHROPIC_ORGANIZATION_ID": "organization_id",
		"ANTHROPIC_SERVICE_ACCOUNT_ID": "service_account_id", "ANTHROPIC_WORKSPACE_ID": "workspace_id",
	} {
		want[member] = "the " + member
		t.Setenv(variable, want[member])
	}
	t.Setenv("ANTHROPIC_BASE_URL", s.URL)
	t.Setenv("ANTHROPIC_IDENTITY_TOKEN_FILE", file(t, jwt))
	t.Setenv("ANTHROPIC_IDENTITY_TOKEN", "jwt.of.the-environment") // the file goes first: it may be rotated
	c, err := identity.FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.BaseURL() != s.URL {
		t.Fatalf("requests would go to %s", c.BaseURL())
	}
	if err := ask(t.Context(), c); err != nil || !reflect.DeepEqual(s.exchanges[0].body, want) {
		t.Errorf("%v: %v", err, s.exchanges)
	}
}

// Without encryption tokens go to this machine only, not to one whose name looks like it.
func TestThisMachineOnly(t *testing.T) {
	for base, want := range map[string]bool{
		"http://localhost:1": true, "http://127.0.0.1:1": true, "http://127.8.9.1:1": true, "http://[::1]:1": true, "https://example.com": true,
		"http://localhost.example.com": false, "http://127.0.0.1.example.com": false, "http://10.0.0.1": false, "http://192.168.0.1": false, "http://[fe80::1]": false, "http://0.0.0.0": false, "ftp://localhost": false,
	} {
		o := identity.Options{RuleID: "fdrl_1", OrganizationID: "org_1", TokenFile: "token", API: anthropic.Options{BaseURL: base}}
		if _, err := identity.New(o); (err == nil) != want {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// A key beside an identity is refused, whichever header it would be in.
func TestKeyBesideIdentity(t *testing.T) {
	for _, api := range []anthropic.Options{{APIKey: secret.New("sk-ant-api03-x")}, {AuthToken: secret.New("sk-ant-oat01-x")}} {
		if _, err := identity.New(identity.Options{RuleID: "fdrl_1", OrganizationID: "org_1", TokenFile: "token", API: api}); err == nil || !strings.Contains(err.Error(), "a key is set beside") {
			t.Errorf("%v", err)
		}
	}
}

// The exchange goes the way of the requests: through the program's transport, with its proxy
// and the authorities that it trusts.
func TestExchangeByProgramsTransport(t *testing.T) {
	s := serve(t)
	var paths []string
	o := s.options(t)
	o.API.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		paths = append(paths, r.URL.Path)
		return http.DefaultTransport.RoundTrip(r)
	})}
	if err := ask(t.Context(), newClient(t, o)); err != nil || fmt.Sprint(paths) != "[/v1/oauth/token /v1/messages]" {
		t.Errorf("%v: %v", err, paths)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever an endpoint says of a token's life, the token is used for that long: for no time,
// or for longer than a program runs. What has no end is kept as such.
func TestOddLives(t *testing.T) {
	s, p := serve(t), newProfiles(t)
	for life, want := range map[int]int{1 << 62: 1, 1 << 40: 1, 1: 3} {
		s.life = life
		c := newClient(t, s.options(t))
		before, _ := s.count()
		for range 3 {
			if err := ask(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if n, _ := s.count(); n-before != want {
			t.Errorf("a life of %d: %d exchanges, want %d", life, n-before, want)
		}
	}
	s.life = -1
	me := p.user(t, "me", s.URL)
	write(t, me, kept("old", "refresh-0", -time.Hour), 0o600)
	if err := ask(t.Context(), fromProfile(t, "me", anthropic.Options{})); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(me); err != nil || strings.Contains(string(text), "expires_at") {
		t.Errorf("%v: kept as %s", err, text)
	}
}

// What is logged of a renewal that fails shows no token.
func TestLogHasNoTokens(t *testing.T) {
	s := serve(t)
	s.life = 10 // ends too soon for a second request
	var log bytes.Buffer
	o := s.options(t)
	o.API.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c := newClient(t, o)
	if err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":"invalid_grant","error_description":"`+jwt+`"}`)
		return true
	}
	if err := ask(t.Context(), c); err == nil || strings.Contains(err.Error(), jwt) {
		t.Errorf("%v", err)
	}
	if !strings.Contains(log.String(), "could not be renewed") || strings.Contains(log.String(), jwt) || strings.Contains(log.String(), "sk-ant") {
		t.Errorf("%s", &log)
	}
}
