// Package bedrock connects to Claude on Amazon Bedrock: by InvokeModel and its event
// stream ([New]), which all regions and all models of Bedrock have, or by its Messages
// endpoint ([NewMessages]), which is newer and closer to the Claude API.
//
//	client, err := bedrock.New(ctx, bedrock.Options{Region: "us-east-1"})
//	a, err := agent.New(agent.Options{Client: client, Model: "global.anthropic.claude-opus-5-5"})
//
// Credentials are those that the AWS SDK finds: the environment, the shared files, web
// identity, the container's or the machine's role. A Bedrock API key in
// AWS_BEARER_TOKEN_BEDROCK takes precedence. Requests are signed again at each attempt;
// if the local clock is wrong, the service's time is used.
//
// Requests with features that Bedrock is known not to support fail with a
// [*platform.UnsupportedError] and are not sent. This package has not been tested against
// the live service; docs/clouds.md lists what it was tested against.
package bedrock
