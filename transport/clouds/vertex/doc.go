// Package vertex reaches Claude on Google's Vertex AI.
//
//	client, err := vertex.New(ctx, vertex.Options{Project: "my-project", Location: "global"})
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Models: client.Models()})
//
// Credentials are Google's Application Default Credentials, by cloud.google.com/go/auth.
// What Vertex is known not to take is refused before it is sent, with a
// [*platform.UnsupportedError]. None of this was tried on the live service:
// docs/clouds.md tells what it was held against.
package vertex
