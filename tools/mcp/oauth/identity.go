package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/whorl-go/whorl/transport/secret"
)

// An IdentityProvider is where the users of an organization sign in, and which decides
// about the MCP servers that they may use (enterprise-managed authorization, SEP-990). Its
// Assertion is for MachineOptions, of a Machine for each user:
//
//	p := &oauth.IdentityProvider{Issuer: "https://acme.example", ClientID: "app", IDToken: signedIn}
//	h, err := oauth.NewMachine(server, oauth.MachineOptions{Assertion: p.Assertion, ClientID: "app-at-the-server", ClientSecret: key})
type IdentityProvider struct {
	// Issuer is the provider's address, at which its metadata are found. TokenURL is its
	// token endpoint; empty means the one of the metadata.
	Issuer, TokenURL string
	// ClientID is the program's id at the provider, and ClientSecret proves it, if the
	// provider wants that. Both are sent in the form (client_secret_post).
	ClientID     string
	ClientSecret secret.Value
	// IDToken returns the ID token that the user has signed in with (OpenID Connect).
	IDToken func(ctx context.Context) (secret.Value, error)
	// Client makes the requests; nil means [http.DefaultClient].
	Client *http.Client
}

// Assertion exchanges the user's ID token for an assertion that the issuer of one MCP
// server takes (RFC 8693, ID-JAG).
func (p *IdentityProvider) Assertion(ctx context.Context, r AssertionRequest) (secret.Value, error) {
	if p.ClientID == "" || p.IDToken == nil || p.Issuer == "" && p.TokenURL == "" {
		return secret.Value{}, errors.New("oauth: IdentityProvider must have an Issuer or a TokenURL, a ClientID and an IDToken")
	}
	client, endpoint := issuerClient(p.Client, nil, nil), p.TokenURL
	if endpoint == "" {
		meta, err := findIssuer(ctx, client, p.Issuer)
		if err != nil {
			return secret.Value{}, fmt.Errorf("the identity provider: %w", err)
		}
		endpoint = meta.TokenEndpoint
	}
	if err := checkAddress(endpoint); err != nil {
		return secret.Value{}, fmt.Errorf("the identity provider: %w", err)
	}
	id, err := p.IDToken(ctx)
	if err != nil {
		return secret.Value{}, fmt.Errorf("the user's ID token: %w", err)
	}
	credentials := &oauthex.ClientCredentials{ClientID: p.ClientID}
	if !p.ClientSecret.IsZero() {
		credentials.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: p.ClientSecret.Reveal()}
	}
	token, err := oauthex.ExchangeToken(ctx, endpoint, &oauthex.TokenExchangeRequest{
		RequestedTokenType: oauthex.TokenTypeIDJAG, SubjectTokenType: oauthex.TokenTypeIDToken, SubjectToken: id.Reveal(),
		Audience: r.Issuer, Resource: r.Server, Scope: r.Scopes,
	}, credentials, client)
	if err != nil {
		return secret.Value{}, secret.NewRedactor(id, p.ClientSecret).Err(fmt.Errorf("the identity provider: %w", err))
	}
	if kind, _ := token.Extra("issued_token_type").(string); kind != oauthex.TokenTypeIDJAG {
		return secret.Value{}, fmt.Errorf("the identity provider gives a token of the type %q, not an ID-JAG", kind)
	}
	return secret.New(token.AccessToken), nil
}
