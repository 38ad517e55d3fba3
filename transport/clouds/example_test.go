package clouds_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/clouds"
	"github.com/whorl-go/whorl/transport/clouds/bedrock"
	"github.com/whorl-go/whorl/transport/clouds/internal/fronts"
	"github.com/whorl-go/whorl/transport/clouds/platform"
)

func ExampleFromEnv() {
	ctx := context.Background()
	// region fromenv
	client, err := clouds.FromEnv(ctx) // CLAUDE_CODE_USE_BEDROCK=1, ANTHROPIC_VERTEX_PROJECT_ID=… and so on
	if err != nil {
		log.Fatal(err)
	}
	resp, err := transport.Create(ctx, client, &transport.Request{
		Model: "global.anthropic.claude-opus-5-5", MaxTokens: 1024,
		Messages: []transport.Message{transport.UserText("Greet the world.")},
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Text())
}

func Example_bedrock() {
	ctx := context.Background()
	options := bedrock.Options{Config: fronts.AWS()}
	// region bedrock
	client, err := bedrock.New(ctx, options) // Options{Region: "us-east-1"}: credentials as the AWS SDK finds them
	if err != nil {
		log.Fatal(err)
	}
	const model = "us.anthropic.claude-opus-5-5"
	a, err := agent.New(agent.Options{
		Client: client,
		Model:  model,
		Models: client.Models(model), // the prices of the profile's place
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	_ = a
	// region refused
	_, err = transport.Create(ctx, client, &transport.Request{
		Model: "claude-opus-5-5", MaxTokens: 1024,
		Messages: []transport.Message{transport.UserText("Greet the world.")},
	})
	var unsupported *platform.UnsupportedError
	if errors.As(err, &unsupported) { // nothing was sent
		fmt.Println(unsupported.Request.Field + ": " + unsupported.Request.Remedy)
	}
	// endregion

	// Output: model: here it is anthropic.claude-opus-5-5, or with a profile that spans regions global.anthropic.claude-opus-5-5, us.anthropic.claude-opus-5-5 and so on
}
