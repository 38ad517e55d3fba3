// Package anthropic is a [transport.Client] over HTTP: for Anthropic's own service, for
// CometAPI, and for any gateway that implements the Messages API.
//
//	client, err := anthropic.FromEnv() // ANTHROPIC_API_KEY and its like
//	client, err := anthropic.New(anthropic.Options{BaseURL: anthropic.CometBaseURL, APIKey: secret.New(key)})
//
// The zero [Options] mean Anthropic's service, up to 4 retries, a timeout of 10 minutes
// for the first byte of a response and of 2 minutes between bytes. A [Client] is safe
// for concurrent use. Make one for all agents, so that they share its connections, its
// retries and its knowledge of the rate limits.
//
// Every request is streamed. A request that fails before it has delivered anything is
// sent again, after increasing delays. A request that fails later is not sent again, as
// the caller has already seen a part of the response.
//
// Requests that nobody waits for can be sent at half the price: [Client.Batcher]
// returns a transport.Client that sends them in batches.
package anthropic
