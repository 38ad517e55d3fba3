// Package awsplatform connects to the Claude Platform on AWS: the Claude API itself, with
// AWS credentials and AWS billing.
//
//	client, err := awsplatform.New(ctx, awsplatform.Options{Region: "us-east-1", Workspace: "wrkspc_01…"})
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
//
// This package has not been tested against the live service; docs/clouds.md lists what it
// was tested against.
package awsplatform

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/internal/awsauth"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// Options configure a client. The zero value uses the environment.
type Options struct {
	// Region is the gateway's region; empty means AWS_REGION, AWS_DEFAULT_REGION or the
	// profile's.
	Region string
	// Workspace is the id of a workspace at Anthropic. It is required; empty means
	// ANTHROPIC_AWS_WORKSPACE_ID.
	Workspace string
	// Config has the credentials; nil loads them as the AWS SDK does.
	Config *aws.Config
	// API are the options of the client that sends the requests. APIKey is a key of the
	// platform, which is sent instead of a signature; empty means ANTHROPIC_AWS_API_KEY.
	// BaseURL, or ANTHROPIC_AWS_BASE_URL, replaces the region's address.
	API anthropic.Options
}

var rules = platform.Rules{
	Name:     "Claude Platform on AWS",
	Features: *anthropic.AllFeatures(),
	Paths:    []string{platform.Messages, platform.CountTokens, platform.Batches, platform.Files, platform.Models},
	IDs:      platform.PlainIDs,
	Speeds:   func(string) bool { return false },
	NoModels: []string{"claude-mythos-5-1", "claude-mythos-5-2"},
}

// New returns a client of the platform. It fails if the region, the workspace or
// credentials are missing. The error names each place that was searched.
func New(ctx context.Context, o Options) (*platform.Client, error) {
	workspace := cmp.Or(o.Workspace, os.Getenv("ANTHROPIC_AWS_WORKSPACE_ID"), o.API.Header.Get("Anthropic-Workspace-Id"))
	if workspace == "" {
		return nil, &platform.SettingError{Platform: rules.Name, Setting: "workspace", Why: "none is set, and every request needs one", Remedy: "set Options.Workspace or ANTHROPIC_AWS_WORKSPACE_ID"}
	}
	signer, err := awsauth.New(ctx, awsauth.Setup{
		Platform: rules.Name, Service: "aws-external-anthropic", Region: o.Region, Config: o.Config,
		APIKey: o.API.APIKey, KeyVars: []string{"ANTHROPIC_AWS_API_KEY"},
	})
	if err != nil {
		return nil, err
	}
	api := o.API
	api.APIKey, api.AuthToken = secret.Value{}, secret.Value{}
	api.Header = api.Header.Clone()
	if api.Header == nil {
		api.Header = http.Header{}
	}
	api.Header.Set("Anthropic-Workspace-Id", workspace)
	return platform.New(platform.Config{
		Rules:     rules,
		BaseURL:   cmp.Or(os.Getenv("ANTHROPIC_AWS_BASE_URL"), fmt.Sprintf("https://aws-external-anthropic.%s.api.aws", signer.Region())),
		Options:   api,
		Authorize: signer.Authorize,
		Answer: func(_ *http.Request, resp *http.Response) (bool, error) {
			return signer.ClockWrong(resp), nil
		},
	})
}

var _ transport.Client = (*platform.Client)(nil)
