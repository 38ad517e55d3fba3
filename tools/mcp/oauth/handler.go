package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/whorl-go/whorl/transport/secret"
)

// Options configure a [Handler].
type Options struct {
	// Authorize sends the user to address. It returns the address, with its query, to
	// which the issuer has sent the user back: RedirectURL with a code or an error. It
	// may take as long as the user needs. If it is nil, a missing or expired token is a
	// [*LoginError].
	Authorize func(ctx context.Context, address string) (back string, err error)
	// RedirectURL is the address to which the issuer sends the user back. See [Loopback].
	RedirectURL string

	// The next fields identify this program to the issuer. Those that are set are tried
	// in this order: MetadataURL is the https address of a client id metadata document;
	// ClientID and ClientSecret were registered by hand, at Issuer. If that is empty, the
	// server names the issuer, and the secret is sent to no other one once it has given a
	// token.
	// If neither can be used, the program registers itself (RFC 7591) under ClientName;
	// empty means "whorl".
	MetadataURL  string
	ClientID     string
	ClientSecret secret.Value
	Issuer       string
	ClientName   string

	// Scopes returns the scopes to request, of those that the server names; nil means
	// all.
	Scopes func(offered []string) []string

	// DPoP asks for tokens that are bound to a key of this Handler (RFC 9449): they are of
	// no use to who steals them without the key. The key is stored with the tokens. An
	// issuer that gives other tokens is an error.
	DPoP bool

	// Tokens stores the tokens; nil means in this Handler only.
	Tokens Store
	// Tenant is the id of the one that the tokens are granted to, such as a user of
	// yours. It is part of the key in Tokens.
	Tenant string

	// Client makes the requests to the issuer and for metadata; nil means
	// [http.DefaultClient].
	Client *http.Client
}

const refreshTime = 30 * time.Second

// A Handler manages the tokens for one server and one tenant. It is an
// [auth.OAuthHandler], for mcp.Options.OAuth, and safe for concurrent use.
type Handler struct {
	options Options
	key     Key
	client  *http.Client
	flow    *auth.AuthorizationCodeHandler
	prover  *prover
	home    *home         // nil if there is no secret, or its issuer is known
	turn    chan struct{} // holds a token while somebody authorizes or refreshes

	mu       sync.Mutex
	loaded   bool
	grant    *grant // nil if there is none
	unproven string // an access token of a refresh that a refusal led to
}

// New returns a Handler for the server at an endpoint. It fails if no token can be had
// with the options.
func New(endpoint string, o Options) (*Handler, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("oauth: the endpoint is not a URL; it must be one such as https://example.com/mcp")
	}
	h := &Handler{options: o, key: Key{Tenant: o.Tenant, Server: u.Scheme + "://" + u.Host + u.Path}, prover: &prover{}, turn: make(chan struct{}, 1)}
	var proofs *prover
	if o.DPoP {
		proofs = h.prover
	}
	if !o.ClientSecret.IsZero() && o.Issuer == "" {
		h.home = &home{}
	}
	h.client = issuerClient(o.Client, proofs, h.home)
	if h.options.Tokens == nil {
		h.options.Tokens = Memory()
	}
	redirect := cmp.Or(o.RedirectURL, "http://127.0.0.1/none")
	if o.Authorize != nil && o.RedirectURL == "" {
		return nil, errors.New("oauth: Options.RedirectURL is empty; set it to the address to which the issuer sends the user back")
	}
	config := &auth.AuthorizationCodeHandlerConfig{
		RedirectURL:              redirect,
		AuthorizationCodeFetcher: h.authorize,
		ScopeFilter:              h.scopes,
		RequestRefreshToken:      true,
		Client:                   h.client,
		NewTokenSource:           h.granted,
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName:   cmp.Or(o.ClientName, "whorl"),
			RedirectURIs: []string{redirect},
			GrantTypes:   []string{"authorization_code", "refresh_token"},
		}},
	}
	if o.MetadataURL != "" {
		config.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: o.MetadataURL}
	}
	if o.ClientID != "" {
		config.PreregisteredClient = &oauthex.ClientCredentials{ClientID: o.ClientID, Issuer: o.Issuer}
		if !o.ClientSecret.IsZero() {
			config.PreregisteredClient.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: o.ClientSecret.Reveal()}
		}
	}
	if h.flow, err = auth.NewAuthorizationCodeHandler(config); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return h, nil
}

// scopes are those to ask for: the chosen ones, and those that were granted before,
// so that asking for more loses none.
func (h *Handler) scopes(offered []string) []string {
	if h.options.Scopes != nil {
		offered = h.options.Scopes(offered)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(offered)
	if h.grant != nil {
		for _, s := range h.grant.Scopes {
			if s != "offline_access" && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// authorize has the user authorize.
func (h *Handler) authorize(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	if h.options.Authorize == nil {
		return nil, &LoginError{Server: h.key.Server, Tenant: h.key.Tenant}
	}
	address := args.URL
	if h.options.DPoP { // the code is bound too (RFC 9449 §10)
		thumbprint, err := h.prover.thumbprint()
		if err != nil {
			return nil, err
		}
		address += "&dpop_jkt=" + thumbprint
	}
	back, err := h.options.Authorize(ctx, address)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(back)
	if err != nil {
		return nil, errors.New("oauth: the address that the user was sent back to can't be read")
	}
	q := u.Query()
	asked, err := url.Parse(args.URL)
	if err != nil {
		return nil, err
	}
	if q.Get("state") != asked.Query().Get("state") {
		return nil, errors.New("oauth: the user was sent back with another state: the answer belongs to another request, or was forged")
	}
	if code := q.Get("error"); code != "" {
		return nil, &DeniedError{Server: h.key.Server, Code: code, Description: q.Get("error_description")}
	}
	return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
}

// granted takes what the issuer has granted.
func (h *Handler) granted(ctx context.Context, c *oauth2.Config, t *oauth2.Token) (oauth2.TokenSource, error) {
	g := &grant{
		Access: t.AccessToken, Refresh: t.RefreshToken, Type: t.TokenType, Expiry: t.Expiry, Scopes: c.Scopes,
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: c.Endpoint.TokenURL, AuthStyle: int(c.Endpoint.AuthStyle),
	}
	if err := h.bind(g); err != nil {
		return nil, err
	}
	if err := h.keep(ctx, g); err != nil {
		return nil, err
	}
	return oauth2.StaticTokenSource(t), nil
}

// bind adds the key to a grant whose tokens are bound to it.
func (h *Handler) bind(g *grant) (err error) {
	if !h.options.DPoP {
		return nil
	}
	if !strings.EqualFold(g.Type, "DPoP") {
		return &unboundError{g.Type}
	}
	if g.Key, err = h.prover.stored(); err != nil {
		return err
	}
	h.prover.binds(g.Access)
	return nil
}

func (h *Handler) keep(ctx context.Context, g *grant) error {
	raw, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if err := h.options.Tokens.Save(ctx, h.key, raw); err != nil {
		return fmt.Errorf("oauth: the token can't be kept: %w", err)
	}
	h.settle(g)
	return nil
}

// settle has requests made with a grant; nil stands for none.
func (h *Handler) settle(g *grant) {
	if h.home != nil && g != nil {
		h.home.is(g.TokenURL)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.grant, h.loaded = g, true
}

// load reads what the store has, if it was not read before or again is set.
func (h *Handler) load(ctx context.Context, again bool) (*grant, error) {
	h.mu.Lock()
	g, loaded := h.grant, h.loaded
	h.mu.Unlock()
	if loaded && !again {
		return g, nil
	}
	raw, err := h.options.Tokens.Load(ctx, h.key)
	if err != nil {
		return nil, fmt.Errorf("oauth: the token can't be read from its store: %w", err)
	}
	g = nil
	if len(raw) > 0 {
		g = &grant{}
		if err := json.Unmarshal(raw, g); err != nil {
			g = nil // written by something else: the user authorizes again
		}
	}
	if g != nil && h.options.DPoP {
		if !strings.EqualFold(g.Type, "DPoP") || len(g.Key) == 0 || h.prover.use(g.Key) != nil {
			g = nil // stored without DPoP
		} else {
			h.prover.binds(g.Access)
		}
	}
	h.settle(g)
	return g, nil
}

// begin waits for the turn to authorize or refresh.
func (h *Handler) begin(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *Handler) end() { <-h.turn }

// TokenSource implements [auth.OAuthHandler]. The source returns a valid token, and
// refreshes it if necessary. The source is nil if there is no token: the request is then
// sent without one, and the server's refusal leads to Authorize.
func (h *Handler) TokenSource(ctx context.Context) (oauth2.TokenSource, error) {
	g, err := h.load(ctx, false)
	if err != nil || g == nil {
		return nil, err
	}
	if !g.token().Valid() {
		if err := h.begin(ctx); err != nil {
			return nil, err
		}
		g, err = h.refreshed(ctx, g.Access)
		h.end()
		if err != nil || g == nil {
			return nil, err
		}
	}
	return oauth2.StaticTokenSource(g.token()), nil
}

// refreshed is a grant whose access token is another one than the given: one that
// somebody else has got meanwhile, or a new one of the issuer. It is nil if the
// issuer gives none without the user.
func (h *Handler) refreshed(ctx context.Context, old string) (*grant, error) {
	ctx, cancel := context.WithTimeout(ctx, refreshTime) // the connection waits for it
	defer cancel()
	for {
		g, err := h.load(ctx, true)
		if err != nil || g == nil {
			return nil, err
		}
		if g.Access != old && g.token().Valid() {
			return g, nil
		}
		if g.Refresh == "" {
			return nil, nil
		}
		t := g.token()
		t.Expiry = time.Unix(1, 0) // so that the source asks the issuer
		next, err := g.config().TokenSource(context.WithValue(ctx, oauth2.HTTPClient, h.client), t).Token()
		if err == nil {
			new := *g
			new.Access, new.Type, new.Expiry = next.AccessToken, next.TokenType, next.Expiry
			new.Refresh = cmp.Or(next.RefreshToken, g.Refresh)
			if err := h.bind(&new); err != nil {
				return nil, &AuthorizationError{Server: h.key.Server, Err: err}
			}
			return &new, h.keep(ctx, &new)
		}
		var refused *oauth2.RetrieveError
		if !errors.As(err, &refused) || refused.Response != nil && refused.Response.StatusCode >= 500 {
			return nil, h.hide(g, fmt.Errorf("oauth: the token for %s can't be refreshed now: %w", h.key.Server, err))
		}
		// Refused: another process may have used the refresh token, which is good once.
		now, err := h.load(ctx, true)
		if err != nil {
			return nil, err
		}
		if now == nil || now.Refresh == g.Refresh {
			return nil, nil
		}
	}
}

// hide takes the secrets of a grant out of an error.
func (h *Handler) hide(g *grant, err error) error {
	return secret.NewRedactor(secret.New(g.Access), secret.New(g.Refresh), secret.New(g.ClientSecret), h.options.ClientSecret).Err(err)
}

// Authorize implements [auth.OAuthHandler]. It is called when the server has refused a
// request. It refreshes the token if possible. Otherwise the user authorizes, once for
// all requests that wait.
func (h *Handler) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	if err := h.begin(ctx); err != nil {
		resp.Body.Close()
		return err
	}
	defer h.end()
	failed := accessToken(req)
	if asksForNonce(resp) {
		drain(resp)
		return &AuthorizationError{Server: h.key.Server, Err: errNonces}
	}
	g, err := h.load(ctx, true) // it may have been granted elsewhere
	if err != nil {
		resp.Body.Close()
		return err
	}
	if resp.StatusCode == http.StatusUnauthorized && g != nil {
		h.mu.Lock()
		unproven := h.unproven
		h.mu.Unlock()
		if failed == "" || failed != unproven {
			g, err = h.refreshed(ctx, failed)
			if err != nil {
				drain(resp)
				return err
			}
			if g != nil {
				if failed != "" { // else it may be one that was not refreshed
					h.mu.Lock()
					h.unproven = g.Access
					h.mu.Unlock()
				}
				drain(resp)
				return nil
			}
		}
	}
	if err := h.flow.Authorize(ctx, req, resp); err != nil {
		var denied *DeniedError
		var login *LoginError
		if errors.As(err, &denied) || errors.As(err, &login) || ctx.Err() != nil {
			return err
		}
		return &AuthorizationError{Server: h.key.Server, Err: secret.NewRedactor(secret.New(failed), h.options.ClientSecret).Err(err)}
	}
	return nil
}

func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

// Forget deletes the tokens, also from the store. The user must authorize again at the
// next request.
func (h *Handler) Forget(ctx context.Context) error {
	if err := h.begin(ctx); err != nil {
		return err
	}
	defer h.end()
	h.mu.Lock()
	h.grant, h.loaded, h.unproven = nil, true, ""
	h.mu.Unlock()
	if err := h.options.Tokens.Save(ctx, h.key, nil); err != nil {
		return fmt.Errorf("oauth: the token can't be dropped: %w", err)
	}
	return nil
}
