package oauth

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/whorl-go/whorl/transport/secret"
)

// MachineOptions configure a [Machine].
type MachineOptions struct {
	// ClientID is the program's id at the issuer. Either ClientSecret or Key proves it.
	// Key signs an assertion for each token (RFC 7523 §2.2); it must be an ECDSA key of
	// the curve P-256, an Ed25519 key or an RSA key.
	ClientID     string
	ClientSecret secret.Value
	Key          crypto.Signer
	// Assertion, if not nil, returns a JWT that stands for whom the token is (RFC 7523
	// §2.1). It is called for each token. The JWT is one of the platform that the program
	// runs on (workload identity federation, SEP-1933), whose audience is the issuer, or
	// one of an [IdentityProvider]. ClientID, and what proves it, may then be empty where
	// the issuer doesn't ask for them.
	Assertion func(ctx context.Context, r AssertionRequest) (secret.Value, error)
	// DPoP binds the tokens to a key of this Machine (RFC 9449). See [Options].DPoP.
	DPoP bool
	// Issuer, if not empty, is the only issuer to which a proof is sent. If it is empty, the
	// server names the issuer, and the first one that has given a token is the only one.
	Issuer string
	// Scopes are the scopes to request; nil means those that the server names.
	Scopes []string
	// Client makes the requests; nil means [http.DefaultClient].
	Client *http.Client
}

// An AssertionRequest says what an assertion is for.
type AssertionRequest struct {
	Issuer string   // the server's, which is the audience. The server names it: check it if that matters
	Server string   // the MCP server
	Scopes []string // that the token is to have; nil if the server names none
}

// A Machine gets tokens without sending a user to the server's issuer: for the program
// itself (client credentials, RFC 6749 §4.4), or by an assertion. It is an
// [auth.OAuthHandler], for mcp.Options.OAuth, and safe for concurrent use.
type Machine struct {
	options MachineOptions
	server  string
	client  *http.Client
	prover  *prover
	home    *home // nil if the issuer is known

	mu       sync.Mutex
	issuer   string
	tokenURL string // empty before the server has named its issuer
	style    oauth2.AuthStyle
	scopes   []string
	token    *oauth2.Token
	refused  secret.Value // the last assertion that the issuer has refused
	why      error
}

// NewMachine returns a Machine for the server at an endpoint.
func NewMachine(endpoint string, o MachineOptions) (*Machine, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("oauth: the endpoint is not a URL; it must be one such as https://example.com/mcp")
	}
	proofs := 0
	if !o.ClientSecret.IsZero() {
		proofs++
	}
	if o.Key != nil {
		proofs++
		if _, err := algorithm(o.Key); err != nil {
			return nil, err
		}
	}
	if proofs > 1 || o.Assertion == nil && (o.ClientID == "" || proofs == 0) || proofs > 0 && o.ClientID == "" {
		return nil, errors.New("oauth: MachineOptions must have a ClientID, and either a ClientSecret or a Key, or an Assertion")
	}
	m := &Machine{options: o, server: u.Scheme + "://" + u.Host + u.Path, prover: &prover{}}
	if o.Issuer == "" {
		m.home = &home{}
	}
	var proofsOf *prover
	if o.DPoP {
		proofsOf = m.prover
	}
	m.client = issuerClient(o.Client, proofsOf, m.home)
	return m, nil
}

// TokenSource implements [auth.OAuthHandler]. It returns nil until the server has refused
// a request, because that response names the issuer.
func (m *Machine) TokenSource(ctx context.Context) (oauth2.TokenSource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokenURL == "" {
		return nil, nil
	}
	if !m.token.Valid() {
		if err := m.get(ctx); err != nil {
			return nil, err
		}
	}
	return oauth2.StaticTokenSource(m.token), nil
}

// Authorize implements [auth.OAuthHandler].
func (m *Machine) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	defer drain(resp)
	m.mu.Lock()
	defer m.mu.Unlock()
	if asksForNonce(resp) {
		return &AuthorizationError{Server: m.server, Err: errNonces}
	}
	if m.token.Valid() && m.token.AccessToken != accessToken(req) {
		return nil // it was got meanwhile
	}
	if err := m.find(ctx, resp); err != nil {
		return &AuthorizationError{Server: m.server, Err: err}
	}
	return m.get(ctx)
}

// find looks for the server's issuer, and for what it wants.
func (m *Machine) find(ctx context.Context, resp *http.Response) error {
	challenges, err := oauthex.ParseWWWAuthenticate(resp.Header.Values("WWW-Authenticate"))
	if err != nil {
		return err
	}
	u, err := url.Parse(m.server)
	if err != nil {
		return err
	}
	root := u.Scheme + "://" + u.Host
	const known = "/.well-known/oauth-protected-resource"
	type place struct{ metadata, resource string }
	places := []place{{root + known + "/" + strings.TrimLeft(u.Path, "/"), m.server}, {root + known, root}}
	scopes := m.options.Scopes
	for _, c := range challenges {
		if at := c.Params["resource_metadata"]; at != "" {
			places = []place{{at, m.server}}
		}
		if s := c.Params["scope"]; s != "" && scopes == nil {
			scopes = strings.Fields(s)
		}
	}
	issuer, failed := root, error(nil)
	for _, p := range places {
		meta, err := oauthex.GetProtectedResourceMetadata(ctx, p.metadata, p.resource, m.client)
		if err != nil {
			failed = err
			continue
		}
		if meta != nil && len(meta.AuthorizationServers) > 0 {
			issuer, failed = meta.AuthorizationServers[0], nil
			if scopes == nil {
				scopes = meta.ScopesSupported
			}
			break
		}
	}
	if failed != nil {
		return failed
	}
	if m.options.Issuer != "" && strings.TrimSuffix(m.options.Issuer, "/") != strings.TrimSuffix(issuer, "/") {
		return fmt.Errorf("the server names the issuer %s, but MachineOptions.Issuer is %s", issuer, m.options.Issuer)
	}
	meta, err := findIssuer(ctx, m.client, issuer)
	if err != nil {
		return err
	}
	m.issuer, m.tokenURL, m.scopes, m.style = issuer, meta.TokenEndpoint, scopes, oauth2.AuthStyleInHeader
	if slices.Contains(meta.AuthMethods, "client_secret_post") || m.options.ClientSecret.IsZero() {
		m.style = oauth2.AuthStyleInParams
	}
	return nil
}

// get gets a token. Its context is that of one request, and has an end.
func (m *Machine) get(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, m.client), refreshTime)
	defer cancel()
	config := &clientcredentials.Config{ClientID: m.options.ClientID, ClientSecret: m.options.ClientSecret.Reveal(), TokenURL: m.tokenURL, Scopes: m.scopes,
		AuthStyle: m.style, EndpointParams: url.Values{"resource": {m.server}}}
	hidden, sent := []secret.Value{m.options.ClientSecret}, secret.Value{}
	if m.options.Assertion != nil {
		jwt, err := m.options.Assertion(ctx, AssertionRequest{Issuer: m.issuer, Server: m.server, Scopes: m.scopes})
		if err != nil {
			return &AuthorizationError{Server: m.server, Err: fmt.Errorf("there is no assertion: %w", err)}
		}
		if !jwt.IsZero() && m.refused.Equal(jwt) {
			return m.why // it would be refused again
		}
		hidden, sent = append(hidden, jwt), jwt
		config.EndpointParams.Set("grant_type", grantJWT)
		config.EndpointParams.Set("assertion", jwt.Reveal())
	}
	if m.options.Key != nil {
		assertion, err := m.assertion()
		if err != nil {
			return err
		}
		config.EndpointParams.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		config.EndpointParams.Set("client_assertion", assertion)
		hidden = append(hidden, secret.New(assertion))
	}
	token, err := config.Token(ctx)
	if err == nil && m.options.DPoP {
		if strings.EqualFold(token.TokenType, "DPoP") {
			m.prover.binds(token.AccessToken)
		} else {
			err = &unboundError{token.TokenType}
		}
	}
	if err != nil {
		failed := &AuthorizationError{Server: m.server, Err: secret.NewRedactor(hidden...).Err(err)}
		var answer *oauth2.RetrieveError
		if errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode < 500 {
			m.refused, m.why = sent, failed
		}
		return failed
	}
	m.token = token
	if m.home != nil {
		m.home.is(m.tokenURL)
	}
	return nil
}

const grantJWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

var errNonces = errors.New("the server wants another DPoP nonce for each request, also for one with the nonce that it gave")

// assertion is a JWT that says, for a minute, who the program is.
func (m *Machine) assertion() (string, error) {
	now := time.Now()
	return jwt(m.options.Key, map[string]any{"typ": "JWT"}, map[string]any{"iss": m.options.ClientID, "sub": m.options.ClientID, "aud": m.issuer,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
}
