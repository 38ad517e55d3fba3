// Package oauth gets the tokens that MCP servers over HTTP ask for (OAuth 2.1): it
// sends the user to the server's issuer, exchanges the authorization code with
// PKCE (RFC 7636), refreshes the token before it has expired, and keeps it in a
// [Store], so that the user authorizes once. The issuer is found at the server (RFC
// 9728 and RFC 8414), and the tokens are bound to the server (RFC 8707).
//
//	h, err := oauth.New("https://example.com/mcp", oauth.Options{
//		RedirectURL: "https://my.app/callback", // or a Loopback
//		Authorize:   sendUser,
//		Tokens:      oauth.Dir("/var/lib/app/tokens"),
//		Tenant:      "acme",
//	})
//	client, err := mcp.HTTP(ctx, "https://example.com/mcp", nil, mcp.Options{OAuth: h})
//
// A [Machine] gets tokens where no user is sent anywhere: by a secret or a key of the
// program, by the JWT of the platform that it runs on, or by the ID token that a user has
// signed in with at the [IdentityProvider] of an organization. With DPoP the tokens are
// bound to a key (RFC 9449).
//
// # Threat model
//
// A server names its issuer, and so the address that the user is sent to and the
// addresses that this program reads metadata from. Connect to servers that you trust, and
// where servers are named by others, give a Client that doesn't reach the inside of your
// network. Addresses must be https, except those of the loopback. A request with
// credentials is never redirected. A [Store] holds
// credentials. The tokens of one tenant are never used for another's requests.
package oauth
