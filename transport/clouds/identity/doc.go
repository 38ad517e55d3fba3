// Package identity reaches the Claude API without a key: by workload identity
// federation, which exchanges a token of the program's own identity provider for one
// of Anthropic's that lasts minutes, and by the profiles that Anthropic's command-line
// programs and SDKs keep.
//
//	client, err := identity.FromEnv(ctx) // ANTHROPIC_FEDERATION_RULE_ID and its like, or a profile
//
// One exchange serves all callers. A token is renewed in the background two minutes
// before it ends, and at once after a 401, which is then tried again. It goes to the
// origin that gave it, and nowhere else; neither the exchange nor a request follows a
// redirect.
//
// None of this was tried on the live service: docs/clouds.md tells what it was held
// against.
package identity
