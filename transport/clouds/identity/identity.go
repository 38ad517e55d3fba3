package identity

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"strings"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// Options specify the federation rule, and the source of the program's own token.
type Options struct {
	// RuleID is the id of the federation rule, "fdrl_…", and OrganizationID that of the
	// organization. Both are required.
	RuleID, OrganizationID string
	// ServiceAccountID is "svac_…", if the rule requires one.
	ServiceAccountID string
	// WorkspaceID is "wrkspc_…" or "default". It is required if the rule covers several
	// workspaces. The token is bound to the workspace, so requests don't name it.
	WorkspaceID string

	// TokenFile is a file with the program's own token, a JWT. It is read at each
	// exchange, so it may be rotated. Token, if not nil, returns the JWT instead.
	TokenFile string
	Token     func(context.Context) (secret.Value, error)

	// API are the options of the client that sends the requests. They must not have keys.
	// Tokens are exchanged at BaseURL, too; it must be https or on this machine.
	API anthropic.Options
}

const name = "the Claude API"

// betaOAuth is the beta value that requests with such a token have; the exchange has
// both (wire §1.2).
const (
	betaOAuth      = "oauth-2025-04-20"
	betaFederation = "oidc-federation-2026-04-01"
)

// New returns a client that exchanges tokens. The first request makes the first exchange.
func New(o Options) (*platform.Client, error) {
	x, err := newExchange(&o)
	if err != nil {
		return nil, err
	}
	return o.client(x.get, "")
}

func newExchange(o *Options) (*exchange, error) {
	for _, s := range []struct{ setting, value, variable string }{{"federation rule", o.RuleID, "ANTHROPIC_FEDERATION_RULE_ID"}, {"organization", o.OrganizationID, "ANTHROPIC_ORGANIZATION_ID"}} {
		if s.value == "" {
			return nil, &platform.SettingError{Platform: name, Setting: s.setting, Why: "none is set", Remedy: "set it in the Options, or in " + s.variable}
		}
	}
	if o.TokenFile == "" && o.Token == nil {
		return nil, &platform.CredentialsError{Platform: name, Err: errors.New("the program has no token of its own to exchange"), Looked: []platform.Place{
			{Where: "Options.TokenFile", Found: "not set"}, {Where: "Options.Token", Found: "not set"},
			{Where: "ANTHROPIC_IDENTITY_TOKEN_FILE", Found: found("ANTHROPIC_IDENTITY_TOKEN_FILE")}, {Where: "ANTHROPIC_IDENTITY_TOKEN", Found: found("ANTHROPIC_IDENTITY_TOKEN")},
		}}
	}
	e, err := newEndpoint(o)
	if err != nil {
		return nil, err
	}
	return &exchange{endpoint: e, options: *o}, nil
}

func found(variable string) string {
	if os.Getenv(variable) != "" {
		return "set"
	}
	return "not set"
}

// client makes the client of a source of tokens.
func (o *Options) client(source func(context.Context, bool) (token, error), workspace string) (*platform.Client, error) {
	api := o.API
	if !api.APIKey.IsZero() || !api.AuthToken.IsZero() {
		return nil, &platform.SettingError{Platform: name, Setting: "credentials", Why: "a key is set beside an identity", Remedy: "use package anthropic for a key"}
	}
	c := newCache(source, api.Logger)
	return platform.New(platform.Config{
		Rules: platform.Rules{
			Name: name, Features: *anthropic.AllFeatures(), IDs: platform.PlainIDs,
			Paths: []string{platform.Messages, platform.CountTokens, platform.Batches, platform.Files, platform.Models},
		},
		BaseURL: anthropic.BaseURL, Options: api,
		Authorize: func(req *http.Request) error {
			value, err := c.get(req.Context())
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer "+value)
			req.Header.Set("Anthropic-Beta", strings.Join(append(platform.Betas(req.Header), betaOAuth), ","))
			if workspace == "" {
				req.Header.Del("Anthropic-Workspace-Id") // the token has its own
			} else if req.Header.Get("Anthropic-Workspace-Id") == "" {
				req.Header.Set("Anthropic-Workspace-Id", workspace)
			}
			return nil
		},
		Answer: func(req *http.Request, resp *http.Response) (bool, error) {
			if resp.StatusCode != http.StatusUnauthorized {
				return false, nil
			}
			c.drop(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
			return true, nil
		},
	})
}

// FromEnv returns a client for the environment. It uses the profile that
// ANTHROPIC_PROFILE names, or else
//
//	ANTHROPIC_FEDERATION_RULE_ID, ANTHROPIC_ORGANIZATION_ID
//	ANTHROPIC_IDENTITY_TOKEN_FILE   or ANTHROPIC_IDENTITY_TOKEN
//	ANTHROPIC_SERVICE_ACCOUNT_ID, ANTHROPIC_WORKSPACE_ID   where they are needed
//	ANTHROPIC_BASE_URL              another origin
//
// or else the active profile or the one called default, if there is one.
func FromEnv(context.Context) (*platform.Client, error) {
	api := anthropic.Options{BaseURL: os.Getenv("ANTHROPIC_BASE_URL")}
	if profile := os.Getenv("ANTHROPIC_PROFILE"); profile != "" {
		return FromProfile(profile, api)
	}
	if os.Getenv("ANTHROPIC_FEDERATION_RULE_ID") != "" {
		o := Options{
			RuleID: os.Getenv("ANTHROPIC_FEDERATION_RULE_ID"), OrganizationID: os.Getenv("ANTHROPIC_ORGANIZATION_ID"),
			ServiceAccountID: os.Getenv("ANTHROPIC_SERVICE_ACCOUNT_ID"), WorkspaceID: os.Getenv("ANTHROPIC_WORKSPACE_ID"), API: api,
		}
		o.fromEnv()
		return New(o)
	}
	if _, err := folder(); err != nil { // a container without HOME, in which nothing asks for a profile
		return nil, &platform.CredentialsError{Platform: name, Looked: []platform.Place{
			{Where: "ANTHROPIC_PROFILE", Found: "not set"}, {Where: "ANTHROPIC_FEDERATION_RULE_ID", Found: "not set"}, {Where: "ANTHROPIC_CONFIG_DIR", Found: "not set, and the user has no folder"},
		}}
	}
	profile, where, err := activeProfile()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(where); err != nil {
		return nil, &platform.CredentialsError{Platform: name, Looked: []platform.Place{
			{Where: "ANTHROPIC_PROFILE", Found: "not set"}, {Where: "ANTHROPIC_FEDERATION_RULE_ID", Found: "not set"}, {Where: where, Found: "no such file"},
		}}
	}
	return FromProfile(profile, api)
}

// fromEnv is where the environment says that the program's own token is.
func (o *Options) fromEnv() {
	o.TokenFile = os.Getenv("ANTHROPIC_IDENTITY_TOKEN_FILE")
	if v := secret.FromEnv("ANTHROPIC_IDENTITY_TOKEN"); o.TokenFile == "" && !v.IsZero() {
		o.Token = func(context.Context) (secret.Value, error) { return v, nil }
	}
}

// base is the origin of the exchange and of the requests.
func (o *Options) base() string { return cmp.Or(o.API.BaseURL, anthropic.BaseURL) }
