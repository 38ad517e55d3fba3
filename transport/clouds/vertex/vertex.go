package vertex

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"cloud.google.com/go/auth"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/internal/googleauth"
	"github.com/whorl-go/whorl/transport/clouds/platform"
)

// Options configure a client. The zero value uses the environment.
type Options struct {
	// Project is the id of the project; empty means ANTHROPIC_VERTEX_PROJECT_ID,
	// GOOGLE_CLOUD_PROJECT, or that of the credentials.
	Project string
	// Location is a region such as "us-east5", "us" or "eu" for several regions, or
	// "global"; empty means CLOUD_ML_REGION, or "global". Locations other than "global"
	// cost 10% more.
	Location string
	// Credentials are Google credentials; nil means the Application Default Credentials.
	Credentials *auth.Credentials
	// API are the options of the client that sends the requests. They must not have keys.
	// BaseURL replaces the location's address, for a private endpoint.
	API anthropic.Options
}

const version2023 = "vertex-2023-10-16"

var rules = platform.Rules{
	Name:     "Vertex AI",
	Provider: "gcp.vertex_ai",
	Features: transport.Features{LongCache: true, SystemMessages: true, Compaction: true},
	Paths:    []string{platform.Messages, platform.CountTokens},
	IDs:      platform.VertexIDs,
	MaxBody:  30 << 20, MaxImage: 5 << 20,
	OwnEnds: true,
	ServerTool: func(t string) bool {
		return t == "web_search_20250305" || strings.HasPrefix(t, "tool_search_tool_")
	},
	NoURLs: true, NoFiles: true, NoMCP: true, NoContainers: true, NoFallbacks: true, NoInferenceGeo: true,
	Speeds: func(string) bool { return false },
}

// location is what a location may be called: "global", "us", "us-east5" and so on.
var location = regexp.MustCompile(`^[a-z]+(-[a-z]+\d+)?$`)

// New returns a client of Vertex AI. It fails if the project or credentials are missing.
// The error names each place that was searched.
func New(ctx context.Context, o Options) (*platform.Client, error) {
	r := rules
	where := cmp.Or(o.Location, os.Getenv("CLOUD_ML_REGION"), "global")
	if !location.MatchString(where) {
		return nil, &platform.SettingError{Platform: r.Name, Setting: "location", Why: strconv.Quote(where) + " is no location", Remedy: `set Options.Location or CLOUD_ML_REGION to "global", "us", "eu" or a region such as us-east5`}
	}
	source, err := googleauth.New(r.Name, o.Credentials)
	if err != nil {
		return nil, err
	}
	project := cmp.Or(o.Project, os.Getenv("ANTHROPIC_VERTEX_PROJECT_ID"), os.Getenv("GOOGLE_CLOUD_PROJECT"))
	if project == "" {
		project = source.Project(ctx)
	}
	if err := googleauth.Segment(r.Name, "project", project, "set Options.Project, ANTHROPIC_VERTEX_PROJECT_ID or GOOGLE_CLOUD_PROJECT, or use credentials that belong to a project"); err != nil {
		return nil, err
	}
	if where != "global" {
		r.Surcharge = 1.1
	}
	v := &form{models: "/v1/projects/" + url.PathEscape(project) + "/locations/" + where + "/publishers/anthropic/models/", version: version2023}
	if o.API.Version == anthropic.APIVersion2026 {
		v.version = anthropic.APIVersion2026
	}
	return platform.New(platform.Config{Rules: r, BaseURL: "https://" + host(where), Options: o.API, Adapt: v.adapt, Authorize: source.Authorize})
}

// host is that of a location (wire §14.1).
func host(where string) string {
	switch where {
	case "global":
		return "aiplatform.googleapis.com"
	case "us", "eu":
		return "aiplatform." + where + ".rep.googleapis.com"
	}
	return where + "-aiplatform.googleapis.com"
}

// A form gives requests the form of Vertex.
type form struct{ models, version string }

// adapt moves the model into the path, and the version into the body.
func (f *form) adapt(req *http.Request) error {
	req.Header.Del("Anthropic-Version")
	version := platform.Member("anthropic_version", platform.Quote(f.version))
	if base, ok := strings.CutSuffix(req.URL.Path, platform.CountTokens); ok {
		f.to(req, base, "count-tokens", "rawPredict")
		return platform.Prepend(req, version)
	}
	base := strings.TrimSuffix(req.URL.Path, platform.Messages)
	return platform.Reopen(req, func(o platform.Opening) ([]byte, error) {
		if strings.Trim(o.Model, ".") == "" {
			return nil, &platform.UnsupportedError{Platform: rules.Name, Request: &transport.RequestError{Field: "model", Reason: strconv.Quote(o.Model) + " is no id", Remedy: "give one such as claude-opus-5-5"}}
		}
		action, members := "rawPredict", version
		if o.Stream {
			action, members = "streamRawPredict", append(version, `,"stream":true`...)
		}
		f.to(req, base, o.Model, action)
		return members, nil
	})
}

func (f *form) to(req *http.Request, base, model, action string) {
	escaped := base + f.models + strings.ReplaceAll(url.PathEscape(model), ":", "%3A") + ":" + action
	req.URL.RawPath = escaped
	req.URL.Path, _ = url.PathUnescape(escaped)
}
