// Package vertex connects to Claude on Google's Vertex AI.
//
//	client, err := vertex.New(ctx, vertex.Options{Project: "my-project", Location: "global"})
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Models: client.Models()})
//
// Credentials are Google's Application Default Credentials, by cloud.google.com/go/auth.
// Requests with features that Vertex AI is known not to support fail with a
// [*platform.UnsupportedError] and are not sent. This package has not been tested against
// the live service; docs/clouds.md lists what it was tested against.
package vertex
