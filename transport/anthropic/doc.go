// Package anthropic is a [transport.Client] over HTTP: for Anthropic's own
// service, for CometAPI, and for any gateway that speaks the Messages API.
//
// Every request is streamed. One that fails before it has delivered anything is
// sent again, with growing pauses; one that fails later is not, as the caller has
// seen part of the answer.
//
// What nobody waits for costs half: [Client.Batcher] sends the same requests in
// batches, and is a transport.Client too.
package anthropic
