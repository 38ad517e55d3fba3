package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/secret"
)

// A world is what a Machine for https://a.example/mcp finds: documents by their address, and
// what it asks for tokens with. All that isn't there is 404.
type world struct {
	documents map[string]string
	forms     []url.Values // with the user and the password of the header as "basic"
	token     func(form url.Values) (status int, body string)
}

const (
	resourceAt = "https://a.example/.well-known/oauth-protected-resource"
	issuerAt   = "https://issuer.example/.well-known/oauth-authorization-server"
)

// newWorld has a server that names its issuer.
func newWorld() *world {
	return &world{
		documents: map[string]string{
			resourceAt + "/mcp": `{"resource":"https://a.example/mcp","authorization_servers":["https://issuer.example"],"scopes_supported":["read","write"]}`,
			issuerAt:            `{"issuer":"https://issuer.example","token_endpoint":"https://issuer.example/token"}`,
		},
		token: func(url.Values) (int, string) {
			return 200, `{"access_token":"a1","token_type":"Bearer","expires_in":3600}`
		},
	}
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := 404, ""
	if document, has := w.documents[r.URL.String()]; has && r.Method == http.MethodGet {
		status, body = 200, document
	}
	if isForm(r) {
		raw, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(raw))
		if id, password, basic := r.BasicAuth(); basic {
			form.Set("basic", id+":"+password)
		}
		form.Set("at", r.URL.String())
		w.forms = append(w.forms, form)
		status, body = w.token(form)
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (w *world) machine(t *testing.T, o MachineOptions) *Machine {
	t.Helper()
	o.Client = &http.Client{Transport: w}
	m, err := NewMachine("https://a.example/mcp", o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// refused tells a machine that its server has refused a token with a challenge.
func refused(t *testing.T, m *Machine, token, challenge string) error {
	t.Helper()
	r := &http.Request{Method: "POST", URL: &url.URL{Scheme: "https", Host: "a.example", Path: "/mcp"}, Header: http.Header{}}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp := &http.Response{StatusCode: 401, Header: http.Header{}, Body: http.NoBody}
	if challenge != "" {
		resp.Header.Set("WWW-Authenticate", challenge)
	}
	return m.Authorize(t.Context(), r, resp)
}

var robot = MachineOptions{ClientID: "robot", ClientSecret: secret.New("s3cret")}

// The scopes are the program's own, or those that the refusal names, or those of the
// metadata; and a server is believed what it says of itself under its own name only.
func TestWhatAMachineAsksFor(t *testing.T) {
	const m = `{"resource":"%s","authorization_servers":["https://issuer.example"],"scopes_supported":["read","write"]}`
	for _, tt := range []struct {
		name, challenge string
		scopes          []string
		documents       map[string]string // in the place of the server's own
		want            string            // the scopes; "!" and a text for an error
	}{
		{"the metadata's", "", nil, nil, "read write"},
		{"the refusal's", `Bearer scope="admin read"`, nil, nil, "admin read"},
		{"the program's", "", []string{"own"}, nil, "own"},
		{"the program's, whatever the refusal says", `Bearer scope="admin"`, []string{"own"}, nil, "own"},
		{"none", "", []string{}, nil, ""},
		{"metadata at the root", "", nil, map[string]string{resourceAt: fmt.Sprintf(m, "https://a.example")}, "read write"},
		{"metadata where the refusal says", `Bearer resource_metadata="https://m.example/a"`, nil, map[string]string{"https://m.example/a": fmt.Sprintf(m, "https://a.example/mcp")}, "read write"},
		{"metadata of another server", "", nil, map[string]string{resourceAt + "/mcp": fmt.Sprintf(m, "https://bank.example/mcp")}, "!404"},
		{"metadata of another path", "", nil, map[string]string{resourceAt + "/mcp": fmt.Sprintf(m, "https://a.example/other")}, "!a.example"},
		{"metadata of another server, where the refusal says", `Bearer resource_metadata="https://m.example/a"`, nil, map[string]string{"https://m.example/a": fmt.Sprintf(m, "https://bank.example/mcp")}, "!bank.example"},
		{"metadata that the refusal says are elsewhere", `Bearer resource_metadata="https://m.example/a"`, nil, map[string]string{resourceAt + "/mcp": fmt.Sprintf(m, "https://a.example/mcp")}, "!404"},
		{"metadata by http", `Bearer resource_metadata="http://m.example/a"`, nil, map[string]string{"http://m.example/a": fmt.Sprintf(m, "https://a.example/mcp")}, "!HTTPS"},
		{"no metadata", "", nil, map[string]string{}, "!404"},
		{"another nonce each time", `DPoP error="use_dpop_nonce"`, nil, nil, "!nonce"},
	} {
		w := newWorld()
		if tt.documents != nil {
			delete(w.documents, resourceAt+"/mcp")
			for address, text := range tt.documents {
				w.documents[address] = text
			}
		}
		o := robot
		o.Scopes = tt.scopes
		err := refused(t, w.machine(t, o), "", tt.challenge)
		if want, fails := strings.CutPrefix(tt.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), want) || len(w.forms) != 0 {
				t.Errorf("%s: %v; asked with %v", tt.name, err, w.forms)
			}
			continue
		}
		if err != nil || len(w.forms) != 1 || w.forms[0].Get("scope") != tt.want || w.forms[0].Get("resource") != "https://a.example/mcp" || w.forms[0].Get("at") != "https://issuer.example/token" {
			t.Errorf("%s: %v; asked with %v", tt.name, err, w.forms)
		}
	}
}

// A program proves itself as its issuer wants it, and by one means: an assertion of its own
// is for that issuer, for a minute, and another one each time.
func TestHowAMachineProvesItself(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	given := func(context.Context, AssertionRequest) (secret.Value, error) { return secret.New("jwt"), nil }
	seen := map[any]bool{}
	for _, tt := range []struct {
		name    string
		o       MachineOptions
		methods string // of the issuer
		want    []string
	}{
		{"a secret", robot, ``, []string{"basic"}},
		{"a secret, in the header", robot, `["client_secret_basic"]`, []string{"basic"}},
		{"a secret, in the form", robot, `["client_secret_basic","client_secret_post"]`, []string{"client_id", "client_secret"}},
		{"a key", MachineOptions{ClientID: "robot", Key: key}, ``, []string{"client_assertion", "client_assertion_type", "client_id"}},
		{"a key again", MachineOptions{ClientID: "robot", Key: key}, `["private_key_jwt"]`, []string{"client_assertion", "client_assertion_type", "client_id"}},
		{"an assertion", MachineOptions{Assertion: given}, ``, []string{"assertion"}},
		{"an assertion and a secret", MachineOptions{Assertion: given, ClientID: "robot", ClientSecret: robot.ClientSecret}, ``, []string{"assertion", "basic"}},
	} {
		w := newWorld()
		if tt.methods != "" {
			w.documents[issuerAt] = strings.Replace(w.documents[issuerAt], "}", `,"token_endpoint_auth_methods_supported":`+tt.methods+"}", 1)
		}
		if err := refused(t, w.machine(t, tt.o), "", ""); err != nil || len(w.forms) != 1 {
			t.Errorf("%s: %v; asked with %v", tt.name, err, w.forms)
			continue
		}
		form := w.forms[0]
		var got []string
		for name := range form {
			switch name {
			case "grant_type", "resource", "scope", "at":
			default:
				got = append(got, name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, tt.want) || form.Get("basic") != "" && form.Get("basic") != "robot:s3cret" {
			t.Errorf("%s: asked with %v", tt.name, form)
		}
		if tt.o.Key == nil {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(form.Get("client_assertion")+"..", ".")[1])
		var c struct {
			Iss, Sub, Aud, JTI string
			IAT, Exp           int64
		}
		if err != nil || json.Unmarshal(raw, &c) != nil || c.Iss != "robot" || c.Sub != "robot" || c.Aud != "https://issuer.example" || c.JTI == "" || seen[c.JTI] || c.Exp-c.IAT != 60 || time.Since(time.Unix(c.IAT, 0)).Abs() > time.Minute {
			t.Errorf("%s: the assertion says %s", tt.name, raw)
		}
		seen[c.JTI] = true
	}
}

// A token that another request has got in the meantime is used; one that is used up, or that
// the server has refused, is not.
func TestTokenOfAnotherRequest(t *testing.T) {
	w := newWorld()
	n := 0
	w.token = func(url.Values) (int, string) {
		n++
		return 200, fmt.Sprintf(`{"access_token":"a%d","token_type":"Bearer","expires_in":3600}`, n)
	}
	m := w.machine(t, robot)
	for step, tt := range []struct {
		refused string
		expired bool // before
		tokens  int  // that were asked for until then
	}{
		{"", false, 1}, {"", false, 1}, {"an older one", false, 1}, {"a1", false, 2}, {"a1", false, 2}, {"a1", true, 3}, {"a3", false, 4},
	} {
		if tt.expired {
			m.token.Expiry = time.Now().Add(-time.Minute)
		}
		if err := refused(t, m, tt.refused, ""); err != nil || n != tt.tokens || m.token.AccessToken != fmt.Sprint("a", n) {
			t.Errorf("step %d: %v, %d tokens, of which %v is used", step, err, n, m.token)
		}
	}
}

// An assertion that the issuer has refused is not sent again; another one is, and so is one
// that the issuer failed at.
func TestAssertionsThatAreSentAgain(t *testing.T) {
	w := newWorld()
	status, jwt := 400, "assertion-1"
	w.token = func(url.Values) (int, string) {
		if status == 200 {
			return status, `{"access_token":"a1","token_type":"Bearer"}`
		}
		return status, `{"error":"invalid_grant","error_description":"seen assertion-1 and assertion-2"}`
	}
	m := w.machine(t, MachineOptions{Assertion: func(context.Context, AssertionRequest) (secret.Value, error) { return secret.New(jwt), nil }})
	for step, tt := range []struct {
		status int
		jwt    string
		sent   int // until then
		ok     bool
	}{
		{400, "assertion-1", 1, false}, {400, "assertion-1", 1, false}, {200, "assertion-1", 1, false}, {503, "assertion-2", 2, false}, {503, "assertion-2", 3, false}, {200, "assertion-2", 4, true},
	} {
		status, jwt = tt.status, tt.jwt
		err := refused(t, m, "", "")
		if (err == nil) != tt.ok || len(w.forms) != tt.sent || err != nil && strings.Contains(err.Error(), tt.jwt) {
			t.Errorf("step %d: %v, sent %d times", step, err, len(w.forms))
		}
	}
	// A server that was taken over, and names another issuer, gets none.
	w.documents[resourceAt+"/mcp"] = strings.Replace(w.documents[resourceAt+"/mcp"], "issuer.example", "evil.example", 1)
	w.documents["https://evil.example/.well-known/oauth-authorization-server"] = `{"issuer":"https://evil.example","token_endpoint":"https://evil.example/token"}`
	var failed *AuthorizationError
	if err := refused(t, m, "a1", ""); !errors.As(err, &failed) || len(w.forms) != 4 {
		t.Errorf("another issuer: %v, sent %d times", err, len(w.forms))
	}
}

// A signature is made of two numbers of 32 bytes each, also where one begins with zeros.
func TestSignaturesAreTwoNumbers(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("data"))
	for range 1500 { // of 128 one has such a number
		s, err := sign(key, []byte("data"))
		if err != nil || len(s) != 64 || !ecdsa.Verify(&key.PublicKey, digest[:], new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:])) {
			t.Fatalf("%x, %v", s, err)
		}
	}
}
