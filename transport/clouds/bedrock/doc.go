// Package bedrock reaches Claude on Amazon Bedrock: by InvokeModel and its event
// stream ([New]), which all regions and all models of Bedrock have, or by its Messages
// endpoint ([NewMessages]), which is newer and closer to the Claude API.
//
//	client, err := bedrock.New(ctx, bedrock.Options{Region: "us-east-1"})
//	a, err := agent.New(agent.Options{Client: client, Model: "global.anthropic.claude-opus-5-5"})
//
// Credentials are those that the AWS SDK finds: the environment, the shared files, web
// identity, the container's or the machine's role. A Bedrock API key in
// AWS_BEARER_TOKEN_BEDROCK comes before them. Requests are signed again at each attempt;
// a clock that is wrong is corrected by the service's.
//
// What Bedrock is known not to take is refused before it is sent, with a
// [*platform.UnsupportedError]. None of this was tried on the live service:
// docs/clouds.md tells what it was held against.
package bedrock
