package clouds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/awsplatform"
	"github.com/whorl-go/whorl/transport/clouds/bedrock"
	"github.com/whorl-go/whorl/transport/clouds/foundry"
	"github.com/whorl-go/whorl/transport/clouds/googlecloud"
	"github.com/whorl-go/whorl/transport/clouds/identity"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/clouds/vertex"
)

// A choice is a platform, and the variables that mean it.
type choice struct {
	name   string
	flag   string   // "1" or "true" in it decides
	names  []string // any of them set names the platform
	client func(context.Context) (transport.Client, error)
}

var choices = []choice{
	{"the Claude API", "", []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "COMETAPI_KEY"}, func(context.Context) (transport.Client, error) {
		return client(anthropic.FromEnv())
	}},
	{"the Claude API by an identity", "", []string{"ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID"}, func(ctx context.Context) (transport.Client, error) {
		return client(identity.FromEnv(ctx))
	}},
	{"Amazon Bedrock", "CLAUDE_CODE_USE_BEDROCK", []string{"AWS_BEARER_TOKEN_BEDROCK"}, func(ctx context.Context) (transport.Client, error) {
		return client(bedrock.New(ctx, bedrock.Options{API: anthropic.Options{BaseURL: os.Getenv("ANTHROPIC_BEDROCK_BASE_URL")}}))
	}},
	{"Amazon Bedrock (Messages)", "CLAUDE_CODE_USE_MANTLE", []string{"ANTHROPIC_BEDROCK_MANTLE_BASE_URL"}, func(ctx context.Context) (transport.Client, error) {
		return client(bedrock.NewMessages(ctx, bedrock.Options{}))
	}},
	{"Claude Platform on AWS", "CLAUDE_CODE_USE_ANTHROPIC_AWS", []string{"ANTHROPIC_AWS_WORKSPACE_ID", "ANTHROPIC_AWS_API_KEY", "ANTHROPIC_AWS_BASE_URL"}, func(ctx context.Context) (transport.Client, error) {
		return client(awsplatform.New(ctx, awsplatform.Options{}))
	}},
	{"Vertex AI", "CLAUDE_CODE_USE_VERTEX", []string{"ANTHROPIC_VERTEX_PROJECT_ID"}, func(ctx context.Context) (transport.Client, error) {
		return client(vertex.New(ctx, vertex.Options{API: anthropic.Options{BaseURL: os.Getenv("ANTHROPIC_VERTEX_BASE_URL")}}))
	}},
	{"Google Cloud's gateway", "", []string{"ANTHROPIC_GOOGLE_CLOUD_PROJECT", "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL"}, func(ctx context.Context) (transport.Client, error) {
		return client(googlecloud.New(ctx, googlecloud.Options{}))
	}},
	{"Microsoft Foundry", "CLAUDE_CODE_USE_FOUNDRY", []string{"ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL", "ANTHROPIC_FOUNDRY_API_KEY"}, func(ctx context.Context) (transport.Client, error) {
		return client(foundry.New(ctx, foundry.Options{}))
	}},
}

// client is c, or nothing if there is an error: an interface around a nil pointer
// would be something.
func client[C transport.Client](c C, err error) (transport.Client, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// FromEnv makes a client of the platform that the environment names: by a variable that
// Claude Code has for it (CLAUDE_CODE_USE_BEDROCK, …_MANTLE, …_ANTHROPIC_AWS, …_VERTEX,
// …_FOUNDRY, each "1"), or else by variables that only one platform has, such as
// ANTHROPIC_VERTEX_PROJECT_ID or AWS_BEARER_TOKEN_BEDROCK. Keys of the Claude API and
// identities (package identity) are used, too; the active profile is used if nothing else
// is set. docs/clouds.md lists the variables.
//
// FromEnv fails if the variables of two platforms are set, and its error names them.
func FromEnv(ctx context.Context) (transport.Client, error) {
	var flagged, named []choice
	var why []string
	for _, c := range choices {
		if v := os.Getenv(c.flag); c.flag != "" && v != "" && v != "0" && !strings.EqualFold(v, "false") {
			flagged = append(flagged, c)
		}
		for _, name := range c.names {
			if os.Getenv(name) != "" {
				named = append(named, c)
				why = append(why, name+" means "+c.name)
				break
			}
		}
	}
	if len(flagged) > 1 {
		return nil, &platform.SettingError{Platform: "clouds", Setting: "platform", Why: fmt.Sprintf("%s and %s are both set", flagged[0].flag, flagged[1].flag), Remedy: "set one of them"}
	}
	switch {
	case len(flagged) == 1:
		return flagged[0].client(ctx)
	case len(named) == 1:
		return named[0].client(ctx)
	case len(named) > 1 && named[0].flag == "" && named[1].name == choices[1].name && len(named) == 2:
		return named[0].client(ctx) // a key comes before an identity, as in the official SDKs
	case len(named) > 1:
		return nil, &platform.SettingError{Platform: "clouds", Setting: "platform", Why: "the environment names several: " + strings.Join(why, ", "), Remedy: "unset all but one, or set the CLAUDE_CODE_USE_… variable of the one that is meant"}
	}
	c, err := identity.FromEnv(ctx)
	if err == nil {
		return c, nil
	}
	var none *platform.CredentialsError
	if !errors.As(err, &none) || none.Err != nil {
		return nil, err // there is a profile, and it isn't right
	}
	var places []platform.Place
	for _, c := range choices {
		for _, name := range append([]string{c.flag}, c.names...) {
			if name != "" {
				places = append(places, platform.Place{Where: name, Found: "not set"})
			}
		}
	}
	return nil, &platform.CredentialsError{Platform: "clouds", Looked: append(places, platform.Place{Where: "a profile of package identity", Found: "none"})}
}
