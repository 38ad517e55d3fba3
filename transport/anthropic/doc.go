// Package anthropic is a [transport.Client] over HTTP: for Anthropic's own
// service, for CometAPI, and for any gateway that speaks the Messages API.
//
//	client, err := anthropic.FromEnv() // ANTHROPIC_API_KEY and its like
//	client, err := anthropic.New(anthropic.Options{BaseURL: anthropic.CometBaseURL, APIKey: secret.New(key)})
//
// The zero [Options] reach Anthropic's service with 4 retries, 10 minutes to the
// first byte of an answer and 2 minutes between bytes. A Client may be used by many
// goroutines; make one for all agents, so that they share its connections, its
// retries and what it knows of the rate limits.
//
// Every request is streamed. One that fails before it has delivered anything is
// sent again, with growing pauses; one that fails later is not, as the caller has
// seen part of the answer.
//
// What nobody waits for costs half: [Client.Batcher] sends the same requests in
// batches, and is a transport.Client too.
package anthropic
