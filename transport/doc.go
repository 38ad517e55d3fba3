// Package transport holds the Messages API as Go values, and one interface to
// reach it, [Client].
//
//	client, err := anthropic.FromEnv() // package transport/anthropic
//	resp, err := transport.Create(ctx, client, &transport.Request{
//		Model: "claude-opus-5-5", MaxTokens: 1024,
//		Messages: []transport.Message{transport.UserText("Greet the world.")},
//	})
//	fmt.Println(resp.Text())
//
// To read an answer while it arrives, range over [Client.Stream]. Agents need
// neither: package agent has the loop.
//
// # Bytes
//
// Its values keep bytes: a [Block], a [ToolDefinition] and a [Response] hold the
// JSON that came, and their methods are views of it; package transport/view decodes a
// block into a struct. The bytes sent back to the service are therefore those that came
// from it, including members and types that this package doesn't know.
// [Response.Replay] is the message that stands for a response in later requests.
//
// # Zero values
//
// A field of a [Request] that is zero is not sent, but for MaxTokens, whose 0 warms
// the cache. Names and wire strings are the API's own. Tokens are counted in tokens,
// money in USD, times in time.Duration unless a field's name says otherwise.
//
// # Errors
//
// A refusal by the service is an [*Error], which matches one of the Err values with
// errors.Is; a stream that broke is a [*StreamError] with what had come; a request
// that the model is known not to take is an [*RequestError], and is not sent. See
// docs/errors.md for what to do about each.
//
// Models, their limits and prices are in a dated table: package transport/models.
package transport
