package oauth

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/whorl-go/whorl/transport/secret"
)

// MachineOptions configure a [Machine].
type MachineOptions struct {
	// ClientID is the program's id at the issuer. Either ClientSecret or Key proves it.
	// Key signs an assertion for each token (RFC 7523); it must be an ECDSA key of the
	// curve P-256 or an RSA key.
	ClientID     string
	ClientSecret secret.Value
	Key          crypto.Signer
	// Issuer, if not empty, is the only issuer to which a proof is sent.
	Issuer string
	// Scopes are the scopes to request; nil means those that the server names.
	Scopes []string
	// Client makes the requests; nil means [http.DefaultClient].
	Client *http.Client
}

// A Machine gets tokens for the program itself, without a user (client credentials, RFC
// 6749 §4.4). It is an [auth.OAuthHandler], for mcp.Options.OAuth, and safe for
// concurrent use.
type Machine struct {
	options MachineOptions
	server  string
	client  *http.Client

	mu       sync.Mutex
	issuer   string
	tokenURL string // empty before the server has named its issuer
	style    oauth2.AuthStyle
	scopes   []string
	token    *oauth2.Token
}

// NewMachine returns a Machine for the server at an endpoint.
func NewMachine(endpoint string, o MachineOptions) (*Machine, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("oauth: the endpoint is not a URL; it must be one such as https://example.com/mcp")
	}
	if o.ClientID == "" || o.ClientSecret.IsZero() == (o.Key == nil) {
		return nil, errors.New("oauth: MachineOptions must have a ClientID, and either a ClientSecret or a Key")
	}
	if o.Key != nil {
		if _, _, err := sign(o.Key, nil); err != nil {
			return nil, err
		}
	}
	return &Machine{options: o, server: u.Scheme + "://" + u.Host + u.Path, client: cmp.Or(o.Client, http.DefaultClient)}, nil
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
	if m.token.Valid() && m.token.AccessToken != bearer(req) {
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
	meta, err := auth.GetAuthServerMetadata(ctx, issuer, m.client)
	if err != nil {
		return err
	}
	if meta == nil {
		return fmt.Errorf("the issuer %s has no metadata", issuer)
	}
	m.issuer, m.tokenURL, m.scopes, m.style = issuer, meta.TokenEndpoint, scopes, oauth2.AuthStyleInHeader
	for _, method := range meta.TokenEndpointAuthMethodsSupported {
		if method == "client_secret_post" {
			m.style = oauth2.AuthStyleInParams
		}
	}
	return nil
}

// get gets a token. Its context is that of one request, and has an end.
func (m *Machine) get(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, m.client), refreshTime)
	defer cancel()
	config := &clientcredentials.Config{ClientID: m.options.ClientID, ClientSecret: m.options.ClientSecret.Reveal(), TokenURL: m.tokenURL, Scopes: m.scopes,
		AuthStyle: m.style, EndpointParams: url.Values{"resource": {m.server}}}
	if m.options.Key != nil {
		assertion, err := m.assertion()
		if err != nil {
			return err
		}
		config.AuthStyle = oauth2.AuthStyleInParams
		config.EndpointParams.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		config.EndpointParams.Set("client_assertion", assertion)
	}
	token, err := config.Token(ctx)
	if err != nil {
		return secret.NewRedactor(m.options.ClientSecret).Err(&AuthorizationError{Server: m.server, Err: err})
	}
	m.token = token
	return nil
}

// assertion is a JWT that says, for a minute, who the program is.
func (m *Machine) assertion() (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"iss": m.options.ClientID, "sub": m.options.ClientID, "aud": m.issuer,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	if err != nil {
		return "", err
	}
	algorithm, _, err := sign(m.options.Key, nil)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode(fmt.Appendf(nil, `{"alg":%q,"typ":"JWT"}`, algorithm)) + "." + encode(claims)
	_, signature, err := sign(m.options.Key, []byte(signed))
	return signed + "." + encode(signature), err
}

// sign signs data as JWS wants it (RFC 7518 §3).
func sign(key crypto.Signer, data []byte) (algorithm string, signature []byte, err error) {
	sum := sha256.Sum256(data)
	if signature, err = key.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		return "", nil, fmt.Errorf("oauth: the key can't sign: %w", err)
	}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return "RS256", signature, nil
	case *ecdsa.PublicKey:
		if public.Curve.Params().BitSize != 256 {
			break
		}
		var pair struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(signature, &pair); err != nil {
			return "", nil, fmt.Errorf("oauth: the key's signature can't be read: %w", err)
		}
		out := make([]byte, 64)
		pair.R.FillBytes(out[:32])
		pair.S.FillBytes(out[32:])
		return "ES256", out, nil
	}
	return "", nil, errors.New("oauth: MachineOptions.Key is neither an ECDSA key of P-256 nor an RSA key")
}
