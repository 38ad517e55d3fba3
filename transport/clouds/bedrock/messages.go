package bedrock

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/clouds/internal/awsauth"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// messagesRules are what the Messages endpoint takes (wire §14.1).
var messagesRules = platform.Rules{
	Name:     "Amazon Bedrock (Messages)",
	Provider: "aws.bedrock",
	Features: transport.Features{LongCache: true, SystemMessages: true},
	Paths:    []string{platform.Messages, platform.CountTokens},
	IDs:      platform.BedrockIDs,
	MaxBody:  20 << 20, MaxImage: 5 << 20,
	Surcharge: 1.1, OwnEnds: true,
	NoFiles: true, NoMCP: true, NoFallbacks: true, NoInferenceGeo: true,
}

// none is no key.
var none secret.Value

// NewMessages returns a client of Bedrock's Messages endpoint, whose requests and
// responses have Anthropic's own form. Without Options.API.APIKey the keys of
// AWS_BEARER_TOKEN_BEDROCK and ANTHROPIC_AWS_API_KEY are used, then a signature.
// ANTHROPIC_BEDROCK_MANTLE_BASE_URL replaces the address.
func NewMessages(ctx context.Context, o Options) (*platform.Client, error) {
	signer, err := awsauth.New(ctx, awsauth.Setup{
		Platform: messagesRules.Name, Service: "bedrock-mantle", Region: o.Region, Config: o.Config,
		APIKey: o.API.APIKey, KeyVars: []string{"AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_AWS_API_KEY"},
	})
	if err != nil {
		return nil, err
	}
	api := o.API
	api.APIKey, api.AuthToken = none, none
	return platform.New(platform.Config{
		Rules:     messagesRules,
		BaseURL:   cmp.Or(fromEnv("ANTHROPIC_BEDROCK_MANTLE_BASE_URL"), fmt.Sprintf("https://bedrock-mantle.%s.api.aws/anthropic", signer.Region())),
		Options:   api,
		Authorize: signer.Authorize,
		Answer: func(_ *http.Request, resp *http.Response) (bool, error) {
			return signer.ClockWrong(resp), nil
		},
	})
}
