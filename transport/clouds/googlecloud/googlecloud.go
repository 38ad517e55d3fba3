// Package googlecloud connects to Claude through Google Cloud's gateway ("Anthropic
// managed"): the Claude API itself, with Google credentials and Google billing.
//
//	client, err := googlecloud.New(ctx, googlecloud.Options{Project: "my-project", Workspace: "wrkspc_01…"})
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
//
// This package has not been tested against the live service; docs/clouds.md lists what it
// was tested against.
package googlecloud

import (
	"cmp"
	"context"
	"net/url"
	"os"

	"cloud.google.com/go/auth"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/internal/googleauth"
	"github.com/whorl-go/whorl/transport/clouds/platform"
)

// Options configure a client. The zero value uses the environment.
type Options struct {
	// Project is the id of the project; empty means ANTHROPIC_GOOGLE_CLOUD_PROJECT,
	// GOOGLE_CLOUD_PROJECT, or that of the credentials.
	Project string
	// Workspace is the id of a workspace at Anthropic; empty means
	// ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID.
	Workspace string
	// Location is the gateway's location; empty means ANTHROPIC_GOOGLE_CLOUD_LOCATION, or
	// "global", which is the only one so far.
	Location string
	// Credentials are Google credentials; nil means the Application Default Credentials.
	Credentials *auth.Credentials
	// API are the options of the client that sends the requests. They must not have keys.
	// BaseURL, or ANTHROPIC_GOOGLE_CLOUD_BASE_URL, replaces the whole address; Project
	// and Workspace are then not needed.
	API anthropic.Options
}

var rules = platform.Rules{
	Name: "Google Cloud's gateway",
	// Diagnostics are open (wire §14.1).
	Features: transport.Features{LongCache: true, SystemMessages: true, Compaction: true, InlineTools: true, Threads: true},
	Paths:    []string{platform.Messages, platform.CountTokens, platform.Batches, platform.Files, platform.Models},
	IDs:      platform.PlainIDs,
	Speeds: func(model string) bool {
		plain, ok := platform.Plain(model)
		return !ok || plain == "claude-opus-5-5"
	},
}

// New returns a client of the gateway. It fails if the project, the workspace or
// credentials are missing. The error names each place that was searched.
func New(ctx context.Context, o Options) (*platform.Client, error) {
	source, err := googleauth.New(rules.Name, o.Credentials)
	if err != nil {
		return nil, err
	}
	base := cmp.Or(o.API.BaseURL, os.Getenv("ANTHROPIC_GOOGLE_CLOUD_BASE_URL"))
	if base == "" {
		project := cmp.Or(o.Project, os.Getenv("ANTHROPIC_GOOGLE_CLOUD_PROJECT"), os.Getenv("GOOGLE_CLOUD_PROJECT"))
		if project == "" {
			project = source.Project(ctx)
		}
		place := cmp.Or(o.Location, os.Getenv("ANTHROPIC_GOOGLE_CLOUD_LOCATION"), "global")
		workspace := cmp.Or(o.Workspace, os.Getenv("ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID"))
		for _, s := range []struct{ setting, value, remedy string }{
			{"project", project, "set Options.Project, ANTHROPIC_GOOGLE_CLOUD_PROJECT or GOOGLE_CLOUD_PROJECT, or use credentials that belong to a project"},
			{"location", place, "set Options.Location or ANTHROPIC_GOOGLE_CLOUD_LOCATION, or leave both empty"},
			{"workspace", workspace, "set Options.Workspace or ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID"},
		} {
			if err := googleauth.Segment(rules.Name, s.setting, s.value, s.remedy); err != nil {
				return nil, err
			}
		}
		base = Path("https://claude.googleapis.com", project, place, workspace)
	}
	return platform.New(platform.Config{Rules: rules, BaseURL: base, Options: o.API, Authorize: source.Authorize})
}

// Path returns the address of a workspace at a host of the gateway.
func Path(host, project, location, workspace string) string {
	return host + "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(location) + "/workspaces/" + url.PathEscape(workspace) + "/invoke"
}
