package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/wire"
)

// maxAssertion is the longest token of the program's own that is taken, in bytes
// (wire §1.2).
const maxAssertion = 16384

// An ExchangeError is a refusal by the endpoint that issues tokens. It matches
// [transport.ErrAuthentication] if the status is 400, 401 or 403.
type ExchangeError struct {
	Status    int
	Message   string // what the endpoint said, without tokens
	RequestID string
	Remedy    string // may be empty
}

func (e *ExchangeError) Error() string {
	s := fmt.Sprintf("identity: the exchange of tokens was refused (HTTP %d): %s", e.Status, e.Message)
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Is makes errors.Is(err, transport.ErrAuthentication) true if the program's identity was
// refused.
func (e *ExchangeError) Is(target error) bool {
	return target == transport.ErrAuthentication && (e.Status == http.StatusBadRequest || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// Permanent reports whether the same exchange would be refused again.
func (e *ExchangeError) Permanent() bool {
	return e.Status < 500 && e.Status != http.StatusTooManyRequests
}

// A token is one of Anthropic's. A zero time means that its end isn't known.
type token struct {
	value secret.Value
	ends  time.Time
}

// An endpoint gives out tokens.
type endpoint struct {
	url  string
	http *http.Client
}

// newEndpoint makes the endpoint of the origin that the requests go to.
func newEndpoint(o *Options) (*endpoint, error) {
	u, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(o.base(), "/"), "/v1"))
	if err != nil || u.Host == "" {
		return nil, &platform.SettingError{Platform: name, Setting: "base URL", Why: "it is not a URL of the form https://host", Remedy: "set API.BaseURL or ANTHROPIC_BASE_URL, or leave both empty"}
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, &platform.SettingError{Platform: name, Setting: "base URL", Why: "tokens would go to " + u.Host + " without encryption", Remedy: "give one of https"}
	}
	client := http.Client{Timeout: 30 * time.Second}
	if o.API.HTTPClient != nil {
		client.Transport = o.API.HTTPClient.Transport
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &endpoint{url: u.String() + "/v1/oauth/token", http: &client}, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// grant is what an endpoint answers.
type grant struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    *int64 `json:"expires_in"`
}

func (g *grant) token() token {
	t := token{value: secret.New(g.AccessToken)}
	if g.ExpiresIn != nil {
		t.ends = time.Now().Add(time.Duration(min(max(*g.ExpiresIn, 0), 1<<31)) * time.Second)
	}
	return t
}

// post asks for a token. hidden are what an answer may not repeat in an error.
func (e *endpoint) post(ctx context.Context, betas string, form map[string]string, hidden ...secret.Value) (*grant, error) {
	body, err := json.Marshal(form)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "whorl/"+wire.Version)
	req.Header.Set("Anthropic-Beta", betas)
	hide := secret.NewRedactor(hidden...)
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("identity: the exchange of tokens failed: %w", hide.Err(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("identity: the exchange of tokens failed: %w", err)
	}
	refused := func(message, remedy string) error {
		return &ExchangeError{Status: resp.StatusCode, Message: hide.String(message), RequestID: hide.String(resp.Header.Get("Request-Id")), Remedy: remedy}
	}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		where := "elsewhere"
		if to, err := resp.Location(); err == nil {
			where = to.Scheme + "://" + to.Host
		}
		return nil, refused("the endpoint redirects to "+where+", which is not followed, as it would carry the token away", "set the base URL to where the service is")
	case resp.StatusCode != http.StatusOK:
		message := oauthMessage(resp.StatusCode, raw)
		remedy := ""
		if resp.StatusCode == http.StatusUnauthorized {
			remedy = "see that the federation rule fits the program's token, and look at the authentication events in the Console"
			if form["assertion"] != "" && form["workspace_id"] == "" {
				remedy += "; a rule that spans several workspaces needs ANTHROPIC_WORKSPACE_ID"
			}
		}
		return nil, refused(message, remedy)
	}
	var g grant
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, refused("the answer is no JSON object of a token", "is the base URL right?")
	}
	switch {
	case g.AccessToken == "" || strings.ContainsFunc(g.AccessToken, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, refused("the answer has no access_token", "is the base URL right?")
	case g.TokenType != "" && !strings.EqualFold(g.TokenType, "Bearer"):
		return nil, refused("the token is no Bearer token but of the type "+g.TokenType, "")
	}
	return &g, nil
}

// oauthMessage is what an endpoint says of a refusal: in OAuth's form, in the API's,
// or as text.
func oauthMessage(status int, raw []byte) string {
	var o struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	var code string
	if json.Unmarshal(raw, &o) == nil && json.Unmarshal(o.Error, &code) == nil {
		return strings.TrimSuffix(code+": "+o.Description, ": ")
	}
	return transport.ParseError(status, raw).Message
}

// An exchange gives tokens of Anthropic's for the program's own.
type exchange struct {
	endpoint *endpoint
	options  Options
}

func (x *exchange) get(ctx context.Context, _ bool) (token, error) {
	assertion, err := x.assertion(ctx)
	if err != nil {
		return token{}, err
	}
	o := &x.options
	form := map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion.Reveal(),
		"federation_rule_id": o.RuleID, "organization_id": o.OrganizationID,
	}
	for key, v := range map[string]string{"service_account_id": o.ServiceAccountID, "workspace_id": o.WorkspaceID} {
		if v != "" {
			form[key] = v
		}
	}
	g, err := x.endpoint.post(ctx, betaOAuth+","+betaFederation, form, assertion)
	if err != nil {
		return token{}, err
	}
	return g.token(), nil
}

// assertion is the program's own token, as it is now.
func (x *exchange) assertion(ctx context.Context) (secret.Value, error) {
	o := &x.options
	var v secret.Value
	var err error
	where := "Options.Token"
	if o.Token != nil {
		v, err = o.Token(ctx)
	} else {
		where = o.TokenFile
		var data []byte
		if data, err = readLimited(o.TokenFile, maxAssertion+1024); err == nil {
			v = secret.New(strings.TrimSpace(string(data)))
		}
	}
	bad := func(err error) (secret.Value, error) {
		return v, &platform.CredentialsError{Platform: name, Looked: []platform.Place{{Where: where, Found: "not usable"}}, Err: err}
	}
	switch n := len(v.Reveal()); {
	case err != nil:
		return bad(err)
	case n == 0:
		return bad(errors.New("the program's own token is empty"))
	case n > maxAssertion:
		return bad(fmt.Errorf("the program's own token has %d bytes; the limit is %d", n, maxAssertion))
	}
	return v, nil
}

func readLimited(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
