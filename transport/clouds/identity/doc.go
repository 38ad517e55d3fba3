// Package identity connects to the Claude API without an API key. It supports workload
// identity federation, which exchanges a token of the program's own identity provider for
// a token of Anthropic's that lasts minutes, and the profiles that Anthropic's
// command-line programs and SDKs store.
//
//	client, err := identity.FromEnv(ctx) // ANTHROPIC_FEDERATION_RULE_ID and its like, or a profile
//
// One exchange serves all callers. A token is renewed in the background two minutes
// before it expires. After a 401 it is renewed at once and the request is sent again. The
// token is sent only to the origin that issued it; neither the exchange nor a request
// follows a redirect.
//
// This package has not been tested against the live service; docs/clouds.md lists what it
// was tested against.
package identity
