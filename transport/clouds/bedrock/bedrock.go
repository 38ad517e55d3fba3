package bedrock

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/internal/awsauth"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Options configure a client. The zero value uses the environment.
type Options struct {
	// Region is the region of the model; empty means AWS_REGION, AWS_DEFAULT_REGION or
	// the profile's.
	Region string
	// Config has the credentials; nil loads them as the AWS SDK does.
	Config *aws.Config
	// API are the options of the client that sends the requests. APIKey is a Bedrock API
	// key, which is sent instead of a signature; empty means AWS_BEARER_TOKEN_BEDROCK.
	// BaseURL replaces the region's address, for a private endpoint.
	API anthropic.Options
}

// Versions of the API, as InvokeModel calls them. "2026-10-21" is taken by models from
// 4.7 on (wire §14.1).
const version2023 = "bedrock-2023-05-31"

// invokeRules are what InvokeModel takes (wire §14.1, §8.2, §10.4).
var invokeRules = platform.Rules{
	Name:     "Amazon Bedrock",
	Provider: "aws.bedrock",
	Features: transport.Features{LongCache: true, SystemMessages: true},
	Paths:    []string{platform.Messages},
	IDs:      platform.BedrockIDs,
	MaxBody:  20 << 20, MaxImage: 5 << 20,
	Surcharge: 1.1, OwnEnds: true,
	ServerTool: func(string) bool { return false },
	NoURLs:     true, NoFiles: true, NoMCP: true, NoContainers: true, NoFallbacks: true, NoInferenceGeo: true,
	Speeds:         func(string) bool { return false },
	AutomaticCache: since47,
}

// New returns a client of InvokeModel. It fails if the region or credentials are missing.
// The error names each place that was searched.
func New(ctx context.Context, o Options) (*platform.Client, error) {
	rules := invokeRules
	signer, err := awsauth.New(ctx, awsauth.Setup{
		Platform: rules.Name, Service: "bedrock", Region: o.Region, Config: o.Config,
		APIKey: o.API.APIKey, KeyVars: []string{"AWS_BEARER_TOKEN_BEDROCK"},
	})
	if err != nil {
		return nil, err
	}
	i := &invoke{signer: signer, newest: o.API.Version == anthropic.APIVersion2026}
	api := o.API
	api.APIKey, api.AuthToken = none, none // the signer has it
	return platform.New(platform.Config{
		Rules: rules, BaseURL: fmt.Sprintf("https://bedrock-runtime.%s.%s", signer.Region(), domain(signer.Region())), Options: api,
		Adapt: i.adapt, Authorize: signer.Authorize, Answer: i.answer,
	})
}

// domain is that of the region's partition.
func domain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// An invoke gives requests the form of InvokeModel, and answers Anthropic's.
type invoke struct {
	signer *awsauth.Signer
	newest bool // the version of the API is that of 2026
}

// adapt moves the model into the path, and version and betas into the body.
func (i *invoke) adapt(req *http.Request) error {
	betas := platform.Betas(req.Header)
	profile := req.Header.Get("Anthropic-User-Profile-Id")
	req.Header.Del("Anthropic-User-Profile-Id")
	req.Header.Del("Anthropic-Version")
	base := strings.TrimSuffix(req.URL.Path, platform.Messages)
	return platform.Reopen(req, func(o platform.Opening) ([]byte, error) {
		version := version2023
		if i.newest {
			if !since47(o.Model) {
				return nil, &platform.UnsupportedError{Platform: invokeRules.Name, Request: &transport.RequestError{
					Field: "anthropic_version", Reason: "the model takes " + version2023 + " only", Remedy: "leave Options.API.Version empty", Model: o.Model,
				}}
			}
			version = anthropic.APIVersion2026
		}
		action := "invoke"
		if o.Stream {
			action = "invoke-with-response-stream"
		}
		if strings.Trim(o.Model, ".") == "" {
			return nil, &platform.UnsupportedError{Platform: invokeRules.Name, Request: &transport.RequestError{Field: "model", Reason: strconv.Quote(o.Model) + " is no id", Remedy: "give one such as global.anthropic.claude-opus-5-5"}}
		}
		req.URL.Path = base + "/model/" + o.Model + "/" + action
		req.URL.RawPath = base + "/model/" + url.PathEscape(o.Model) + "/" + action
		members := platform.Member("anthropic_version", platform.Quote(version))
		if len(betas) > 0 {
			members = append(append(members, ','), platform.Member("anthropic_beta", platform.Strings(betas))...)
		}
		if profile != "" {
			members = append(append(members, ','), platform.Member("user_profile_id", platform.Quote(profile))...)
		}
		return members, nil
	})
}

// answer turns an answer into Anthropic's form.
func (i *invoke) answer(_ *http.Request, resp *http.Response) (again bool, err error) {
	if i.signer.ClockWrong(resp) {
		return true, nil
	}
	if id := resp.Header.Get("X-Amzn-Requestid"); id != "" && resp.Header.Get("Request-Id") == "" {
		resp.Header.Set("Request-Id", id)
	}
	if resp.StatusCode >= 400 {
		return false, i.refused(resp)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "application/vnd.amazon.eventstream" {
		resp.Body = newStream(resp.Body)
		resp.Header.Set("Content-Type", "text/event-stream")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
	}
	return false, nil
}

// refused gives an error of Bedrock's own form Anthropic's.
func (i *invoke) refused(resp *http.Response) error {
	name := resp.Header.Get("X-Amzn-Errortype")
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	if err != nil {
		return err
	}
	if name == "" {
		name = cmp.Or(rawjson.GetString(body, "__type"), rawjson.GetString(body, "code"))
	}
	if rawjson.GetString(body, "type") != "error" && (name != "" || rawjson.Valid(body)) {
		body = errorBody(name, body)
		if known, ok := exceptions[stem(name)]; ok && resp.StatusCode == http.StatusFailedDependency {
			resp.StatusCode = known.status // what the model behind Bedrock failed with may pass
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Header.Set("Content-Type", "application/json")
	return nil
}

var generation = regexp.MustCompile(`^claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2}))?(?:-|$)`)

// since47 reports whether a model is of generation 4.7 or newer, or one that isn't
// known.
func since47(id string) bool {
	plain, ok := platform.Plain(id)
	if !ok {
		return true
	}
	m := generation.FindStringSubmatch(plain)
	if m == nil {
		return true
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(cmp.Or(m[2], "0"))
	return major > 4 || major == 4 && minor >= 7
}

func fromEnv(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}
