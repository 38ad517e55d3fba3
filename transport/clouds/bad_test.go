package clouds_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds"
	"github.com/whorl-go/whorl/transport/clouds/awsplatform"
	"github.com/whorl-go/whorl/transport/clouds/bedrock"
	"github.com/whorl-go/whorl/transport/clouds/foundry"
	"github.com/whorl-go/whorl/transport/clouds/googlecloud"
	"github.com/whorl-go/whorl/transport/clouds/internal/fronts"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/clouds/vertex"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/simulator/platforms"
)

func tool(t *testing.T, raw string) []transport.ToolDefinition {
	t.Helper()
	d, err := transport.ParseToolDefinition([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return []transport.ToolDefinition{d}
}

func block(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A lack is something of a request that some platforms don't take.
type lack struct {
	name    string
	on      string // platforms, by their names
	field   string // of the error
	instead string // in the remedy
	change  func(*testing.T, *transport.Request)
}

const (
	amazon   = "bedrock "
	amazons  = "bedrock bedrock-messages "
	noState  = "bedrock bedrock-messages vertex "
	noFiles  = "bedrock bedrock-messages vertex "
	anywhere = "bedrock bedrock-messages aws vertex googlecloud foundry "
)

var lacks = []lack{
	{"a thread", noState, "thread", "whole conversation", func(_ *testing.T, r *transport.Request) { r.Thread = &transport.Thread{} }},
	{"diagnostics", noState + "googlecloud foundry ", "diagnostics", "leave it out", func(_ *testing.T, r *transport.Request) { r.Diagnostics = &transport.Diagnostics{} }},
	{"compaction", amazons, "compaction", "request of its own", func(_ *testing.T, r *transport.Request) { r.Compaction = json.RawMessage(`{"type":"summarize"}`) }},
	{"the older compaction", amazons, "context_management", "request of its own", func(_ *testing.T, r *transport.Request) {
		r.ContextManagement = json.RawMessage(`{"edits":[{"type":"compact_20260112"}]}`)
	}},
	{"MCP servers", noState, "mcp_servers", "tools/mcp", func(_ *testing.T, r *transport.Request) {
		r.MCPServers = json.RawMessage(`[{"type":"url","name":"a","url":"https://a.example"}]`)
	}},
	{"a container", amazon + "vertex ", "container", "tool of the program", func(_ *testing.T, r *transport.Request) { r.Container = json.RawMessage(`"container_1"`) }},
	{"fallbacks", noState + "foundry ", "fallbacks", "transport/failover", func(_ *testing.T, r *transport.Request) {
		r.Fallbacks = json.RawMessage(`[{"model":"claude-opus-5"}]`)
	}},
	{"a place of inference", noState, "inference_geo", "choose the region", func(_ *testing.T, r *transport.Request) { r.InferenceGeo = "us" }},
	{"fast mode", amazon + "aws vertex foundry ", "speed", "leave it out", func(_ *testing.T, r *transport.Request) { r.Speed = "fast" }},
	{"a new web search", amazon + "vertex ", "tools.0", "", func(t *testing.T, r *transport.Request) {
		r.Tools = tool(t, `{"type":"web_search_20260209","name":"web_search"}`)
	}},
	{"code execution", amazon + "vertex ", "tools.0", "tools/shell", func(t *testing.T, r *transport.Request) {
		r.Tools = tool(t, `{"type":"code_execution_20260120","name":"code_execution"}`)
	}},
	{"web fetch", amazon + "vertex ", "tools.0", "tools/fetch", func(t *testing.T, r *transport.Request) {
		r.Tools = tool(t, `{"type":"web_fetch_20250910","name":"web_fetch"}`)
	}},
	{"the advisor", amazon + "vertex foundry ", "tools.0", "", func(t *testing.T, r *transport.Request) {
		r.Tools = tool(t, `{"type":"advisor_20260301","name":"advisor","model":"claude-opus-5-5"}`)
	}},
	{"a file", noFiles, "messages.0.content.1", "data itself", func(t *testing.T, r *transport.Request) {
		r.Messages[0].Content = append(r.Messages[0].Content, block(t, `{"type":"document","source":{"type":"file","file_id":"file_1"}}`))
	}},
	{"a URL inside a result", amazon + "vertex ", "messages.0.content.1.content.0", "fetch it", func(t *testing.T, r *transport.Request) {
		r.Messages[0].Content = append(r.Messages[0].Content, block(t, `{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"image","source":{"type":"url","url":"https://a.example/a.png"}}]}`))
	}},
	{"an upload to a container", noState, "messages.0.content.1", "as data", func(t *testing.T, r *transport.Request) {
		r.Messages[0].Content = append(r.Messages[0].Content, block(t, `{"type":"container_upload","file_id":"file_1"}`))
	}},
	{"a large picture", noState, "messages.0.content.1", "smaller", func(t *testing.T, r *transport.Request) {
		r.Messages[0].Content = append(r.Messages[0].Content, block(t, `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"`+strings.Repeat("A", 5<<20+4)+`"}}`))
	}},
	{"a system message inside the conversation", "foundry ", "messages.1.role", "system prompt", func(_ *testing.T, r *transport.Request) {
		r.Messages = append(r.Messages, transport.SystemText("be brief"))
	}},
	{"a change of tools", noState + "foundry ", "", "", func(t *testing.T, r *transport.Request) {
		r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, Content: []transport.Block{block(t, `{"type":"tool_removal","tool":{"type":"tool_reference","name":"a"}}`)}})
	}},
	{"an id of a far platform", anywhere, "model", "here it is", func(*testing.T, *transport.Request) {}}, // see foreignID
}

// foreignID is an id that a platform doesn't know the model by.
func foreignID(p platforms.Platform) string {
	if strings.HasPrefix(string(p), "bedrock") {
		return "claude-haiku-4-5@20251001"
	}
	return "us.anthropic.claude-haiku-4-5-20251001-v1:0"
}

// TestLacks holds what each platform doesn't take: an error that says where and what
// to use instead, and nothing sent. What is not in the table for a platform is sent.
func TestLacks(t *testing.T) {
	var sent atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		sent.Add(1)
		w.WriteHeader(400)
	}))
	defer srv.Close()
	for _, p := range platforms.All() {
		client := fronts.Client(t, p, srv.URL, anthropic.Options{MaxRetries: -1})
		for _, l := range lacks {
			req := ask(p, "hi")
			if l.field == "model" {
				req.Model = foreignID(p)
			}
			l.change(t, req)
			before := sent.Load()
			_, err := transport.Create(t.Context(), client, req)
			var unsupported *platform.UnsupportedError
			refused := errors.As(err, &unsupported)
			if want := strings.Contains(l.on, string(p)+" "); refused != want || (sent.Load() > before) == want {
				t.Errorf("%s, %s: %v", p, l.name, err)
				continue
			}
			if refused && (!errors.Is(err, transport.ErrInvalidRequest) || l.field != "" && unsupported.Request.Field != l.field || unsupported.Request.Remedy == "" || !strings.Contains(unsupported.Request.Remedy, l.instead)) {
				t.Errorf("%s, %s: %+v", p, l.name, unsupported.Request)
			}
		}
		if _, err := client.API().File(t.Context(), "file_1"); errors.As(err, new(*platform.UnsupportedError)) != strings.Contains(noFiles, string(p)+" ") {
			t.Errorf("%s: files: %v", p, err)
		}
		for range client.API().Models(t.Context()) {
			break
		}
		_, err := client.CountTokens(t.Context(), ask(p, "hi"))
		if errors.As(err, new(*platform.UnsupportedError)) != (p == platforms.Bedrock) {
			t.Errorf("%s: counting: %v", p, err)
		}
		foreign := ask(p, "hi")
		foreign.Model = foreignID(p)
		before := sent.Load()
		if _, err := client.CountTokens(t.Context(), foreign); !errors.As(err, new(*platform.UnsupportedError)) || sent.Load() != before {
			t.Errorf("%s: counting for another platform's id: %v", p, err)
		}
		for _, mythos := range []string{"claude-mythos-5-1", "claude-mythos-5-2"} {
			req := ask(p, "hi")
			if req.Model = mythos; strings.HasPrefix(string(p), "bedrock") {
				req.Model = "anthropic." + mythos
			}
			if err := client.Check(req); (err != nil) != (p == platforms.AWS) {
				t.Errorf("%s: %s: %v", p, mythos, err)
			}
		}
	}
}

// TestTooLong refuses a request that is longer than a platform takes.
func TestTooLong(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer srv.Close()
	for p, size := range map[platforms.Platform]int{platforms.Bedrock: 20 << 20, platforms.Vertex: 30 << 20} {
		client := fronts.Client(t, p, srv.URL, anthropic.Options{})
		_, err := transport.Create(t.Context(), client, ask(p, strings.Repeat("x", size)))
		if !errors.As(err, new(*platform.UnsupportedError)) || !strings.Contains(err.Error(), "shorten the conversation") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// TestIDs turns the ids of each platform into those of the others.
func TestIDs(t *testing.T) {
	for plain, want := range map[string][2]string{ // Bedrock, Vertex
		"claude-opus-5-5":   {"anthropic.claude-opus-5-5", "claude-opus-5-5"},
		"claude-fable-5-2":  {"anthropic.claude-fable-5-2", "claude-fable-5-2"},
		"claude-haiku-4-5":  {"anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5@20251001"},
		"claude-sonnet-4-5": {"anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5@20250929"},
		"claude-opus-4-6":   {"anthropic.claude-opus-4-6-v1", "claude-opus-4-6"},
	} {
		for _, from := range []string{plain, want[0], "global." + want[0], "us-gov." + want[0], want[1]} {
			b, _ := platform.BedrockIDs.ID(from)
			v, _ := platform.VertexIDs.ID(from)
			p, _ := platform.PlainIDs.ID(from)
			if b != want[0] || v != want[1] || p != plain {
				t.Errorf("%s: %s %s %s", from, b, v, p)
			}
		}
	}
	if _, ok := platform.Plain("claude-none-1"); ok {
		t.Error("a model that nobody knows has an id")
	}
}

// TestPrices holds the surcharge of places that aren't global.
func TestPrices(t *testing.T) {
	used := transport.Usage{InputTokens: 1_000_000, OutputTokens: 1_000_000, CacheReadInputTokens: 1_000_000, CacheCreationInputTokens: 1_000_000}
	known, _ := models.Lookup("claude-opus-5-5")
	plain, _ := known.Cost(used, time.Now())
	cost := func(c *platform.Client, asked string) float64 {
		m, ok := models.Lookup("claude-opus-5-5", c.Models(asked)...) // answers name it so
		if !ok {
			t.Fatal("no model")
		}
		usd, ok := m.Cost(used, time.Now())
		if !ok {
			t.Fatal("no price")
		}
		return usd / plain
	}
	b, err := bedrock.New(t.Context(), bedrock.Options{Config: fronts.AWS()})
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]float64{"global.anthropic.claude-opus-5-5": 1, "anthropic.claude-opus-5-5": 1.1}
	for _, profile := range []string{"us", "eu", "apac", "jp", "au", "ca", "us-gov"} {
		asked[profile+".anthropic.claude-opus-5-5"] = 1.1
	}
	if m, ok := models.Lookup("claude-opus-5-5", b.Models()...); !ok || m.ID != "global.anthropic.claude-opus-5-5" {
		t.Errorf("an answer is priced as %q", m.ID)
	}
	for asked, want := range asked {
		if got := cost(b, asked); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s: %v", asked, got)
		}
	}
	for location, want := range map[string]float64{"global": 1, "us": 1.1, "europe-west1": 1.1} {
		v, err := vertex.New(t.Context(), vertex.Options{Project: "p", Location: location, Credentials: fronts.Google()})
		if err != nil {
			t.Fatal(err)
		}
		if got := cost(v, "claude-opus-5-5"); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s: %v", location, got)
		}
		if want := map[string]string{"global": "https://aiplatform.googleapis.com", "us": "https://aiplatform.us.rep.googleapis.com", "europe-west1": "https://europe-west1-aiplatform.googleapis.com"}[location]; v.BaseURL() != want {
			t.Errorf("%s: %s", location, v.BaseURL())
		}
	}
}

// bare is an environment that names nothing.
func bare(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		for _, p := range []string{"AWS_", "ANTHROPIC_", "GOOGLE_", "CLOUD_ML_", "AZURE_", "CLAUDE_CODE_", "COMETAPI_", "IDENTITY_", "MSI_"} {
			if strings.HasPrefix(name, p) {
				t.Setenv(name, "")
				os.Unsetenv(name)
			}
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PATH", home) // no command-line programs of the clouds
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// TestMissing holds settings and credentials that are missing, or can't be right.
func TestMissing(t *testing.T) {
	bare(t)
	ctx := t.Context()
	setting := func(name string, err error, wants ...string) {
		t.Helper()
		var bad *platform.SettingError
		if !errors.As(err, &bad) || bad.Setting != name {
			t.Errorf("%s: %v", name, err)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("no %s in %v", want, err)
			}
		}
	}
	_, err := bedrock.New(ctx, bedrock.Options{})
	setting("region", err, "AWS_REGION", "Options.Region")
	_, err = awsplatform.New(ctx, awsplatform.Options{Config: fronts.AWS()})
	setting("workspace", err, "ANTHROPIC_AWS_WORKSPACE_ID")
	_, err = vertex.New(ctx, vertex.Options{Credentials: fronts.Google()})
	setting("project", err, "ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")
	_, err = vertex.New(ctx, vertex.Options{Credentials: fronts.Google(), Project: "a/b"})
	setting("project", err)
	_, err = vertex.New(ctx, vertex.Options{Credentials: fronts.Google(), Project: "p", Location: "us-east5.evil.example/"})
	setting("location", err, "CLOUD_ML_REGION")
	_, err = googlecloud.New(ctx, googlecloud.Options{Credentials: fronts.Google(), Project: "p"})
	setting("workspace", err, "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID")
	_, err = googlecloud.New(ctx, googlecloud.Options{Credentials: fronts.Google(), Workspace: ".."})
	setting("project", err)
	_, err = foundry.New(ctx, foundry.Options{Credential: fronts.Azure()})
	setting("resource", err, "ANTHROPIC_FOUNDRY_RESOURCE")
	_, err = foundry.New(ctx, foundry.Options{Credential: fronts.Azure(), Resource: "evil.example/"})
	setting("resource", err)

	credentials := func(err error, wants ...string) {
		t.Helper()
		if !errors.As(err, new(*platform.CredentialsError)) || !errors.Is(err, transport.ErrAuthentication) {
			t.Errorf("%v", err)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("no %s in %v", want, err)
			}
		}
	}
	_, err = vertex.New(ctx, vertex.Options{Project: "p"})
	credentials(err, "GOOGLE_APPLICATION_CREDENTIALS (not set)", "application_default_credentials.json (no such file", "metadata server")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")
	_, err = googlecloud.New(ctx, googlecloud.Options{Project: "p", Workspace: "w"})
	credentials(err, "GOOGLE_APPLICATION_CREDENTIALS (set, but there is no such file)")
	short, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err = foundry.New(short, foundry.Options{Resource: "r", Credential: failing{}})
	credentials(err, "ANTHROPIC_FOUNDRY_API_KEY (not set)", "AZURE_CLIENT_ID (not set)", "run az login")
}

// TestMissingOnAWS holds what is missing on AWS: the region, and credentials, with each
// place that was looked at.
func TestMissingOnAWS(t *testing.T) {
	bare(t)
	ctx := t.Context()
	for name, open := range map[string]func(region string) error{
		"bedrock": func(region string) error { _, err := bedrock.New(ctx, bedrock.Options{Region: region}); return err },
		"bedrock messages": func(region string) error {
			_, err := bedrock.NewMessages(ctx, bedrock.Options{Region: region})
			return err
		},
		"aws": func(region string) error {
			_, err := awsplatform.New(ctx, awsplatform.Options{Region: region, Workspace: "w"})
			return err
		},
	} {
		var setting *platform.SettingError
		if err := open(""); !errors.As(err, &setting) || setting.Setting != "region" || !strings.Contains(err.Error(), "AWS_REGION") {
			t.Errorf("%s, no region: %v", name, err)
		}
		if err := open("us-east-1.evil.example/"); !errors.As(err, &setting) || setting.Setting != "region" {
			t.Errorf("%s, no name of a region: %v", name, err)
		}
		err := open("us-east-1")
		var none *platform.CredentialsError
		if !errors.As(err, &none) || !errors.Is(err, transport.ErrAuthentication) {
			t.Errorf("%s, no credentials: %v", name, err)
			continue
		}
		places := []string{"AWS_ACCESS_KEY_ID (not set)", "AWS_SECRET_ACCESS_KEY (not set)", "AWS_PROFILE (not set)", ".aws/credentials (no such file)", ".aws/config (no such file)", "AWS_WEB_IDENTITY_TOKEN_FILE (not set)", "turned off by AWS_EC2_METADATA_DISABLED"}
		places = append(places, map[string]string{"bedrock": "AWS_BEARER_TOKEN_BEDROCK (not set)", "bedrock messages": "AWS_BEARER_TOKEN_BEDROCK (not set)", "aws": "ANTHROPIC_AWS_API_KEY (not set)"}[name])
		for _, place := range places {
			if !strings.Contains(err.Error(), place) {
				t.Errorf("%s: no %q in %v", name, place, err)
			}
		}
	}
}

type failing struct{}

func (failing) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, errors.New("run az login")
}

// ended are credentials that have ended.
type ended struct{}

func (ended) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: "old-token", Expiry: time.Now().Add(-time.Hour)}, nil
}

func (ended) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "old-token", ExpiresOn: time.Now().Add(-time.Hour)}, nil
}

func (ended) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDOLD", SecretAccessKey: "old-secret", SessionToken: "old-token", CanExpire: true, Expires: time.Now().Add(-time.Hour)}, nil
}

// TestEndedTokens sends nothing with credentials that have ended.
func TestEndedTokens(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer srv.Close()
	ctx := t.Context()
	api := anthropic.Options{BaseURL: srv.URL, MaxRetries: -1}
	google := auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: ended{}})
	amazon := &aws.Config{Region: fronts.Region, Credentials: ended{}}
	for p, open := range map[platforms.Platform]func() (*platform.Client, error){
		platforms.Bedrock: func() (*platform.Client, error) { return bedrock.New(ctx, bedrock.Options{Config: amazon, API: api}) },
		platforms.BedrockMessages: func() (*platform.Client, error) {
			return bedrock.NewMessages(ctx, bedrock.Options{Config: amazon, API: api})
		},
		platforms.AWS: func() (*platform.Client, error) {
			return awsplatform.New(ctx, awsplatform.Options{Config: amazon, Workspace: fronts.Workspace, API: api})
		},
		platforms.Vertex: func() (*platform.Client, error) {
			return vertex.New(ctx, vertex.Options{Project: "p", Credentials: google, API: api})
		},
		platforms.GoogleCloud: func() (*platform.Client, error) {
			return googlecloud.New(ctx, googlecloud.Options{Project: "p", Workspace: "w", Credentials: google, API: api})
		},
		platforms.Foundry: func() (*platform.Client, error) {
			return foundry.New(ctx, foundry.Options{Credential: ended{}, Resource: "r", API: api})
		},
	} {
		c, err := open()
		if err == nil {
			_, err = transport.Create(ctx, c, ask(p, "hi"))
		}
		if !errors.As(err, new(*platform.CredentialsError)) || !errors.Is(err, transport.ErrAuthentication) || !strings.Contains(err.Error(), "log in again") {
			t.Errorf("%s: %v", p, err)
		} else if strings.Contains(err.Error(), "old-token") || strings.Contains(err.Error(), "old-secret") {
			t.Errorf("%s: the error has the credentials: %v", p, err)
		}
	}
}

// TestClock signs by a clock that is wrong: the service's counts from then on.
func TestClock(t *testing.T) {
	for _, p := range []platforms.Platform{platforms.Bedrock, platforms.BedrockMessages, platforms.AWS} {
		for _, off := range []time.Duration{-3 * time.Hour, 20 * time.Minute} {
			var asked atomic.Int64
			api := simulator.New(simulator.Options{})
			now := func() time.Time { return time.Now().Add(off) }
			base := fronts.Serve(t, p, api, now)
			dated := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
				forward(t, w, r, base)
			}))
			t.Cleanup(dated.Close)
			client := fronts.Client(t, p, dated.URL, anthropic.Options{MaxRetries: -1})
			for i, want := range []int64{2, 3} {
				if _, err := transport.Create(t.Context(), client, ask(p, "hi")); err != nil || asked.Load() != want {
					t.Errorf("%s, %s, request %d: asked %d times, %v", p, off, i, asked.Load(), err)
				}
			}
		}
	}
}

// forward passes a request on with the host that it was signed for.
func forward(t *testing.T, w http.ResponseWriter, r *http.Request, base string) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = "http", strings.TrimPrefix(base, "http://")
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	for name, v := range resp.Header {
		if name != "Date" {
			w.Header()[name] = v
		}
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// TestWrongCredentials holds the refusals of each front: typed, not retried, and
// without the credentials.
func TestWrongCredentials(t *testing.T) {
	for _, p := range platforms.All() {
		front, err := platforms.New(platforms.Options{Platform: p, Next: simulator.New(simulator.Options{}), AccessKey: "AKIDOTHER", SecretKey: "other", Token: "other-token"})
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			front.ServeHTTP(w, r)
		}))
		client := fronts.Client(t, p, srv.URL, anthropic.Options{})
		_, err = transport.Create(t.Context(), client, ask(p, "hi"))
		if !errors.Is(err, transport.ErrAuthentication) || asked.Load() != 1 || strings.Contains(err.Error(), fronts.Token) || strings.Contains(err.Error(), fronts.SessionToken) {
			t.Errorf("%s, asked %d times: %v", p, asked.Load(), err)
		}
		srv.Close()
	}
}

// TestRedirects follows none: a signature or a token stays at its origin.
func TestRedirects(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	for _, p := range platforms.All() {
		follows := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		for _, own := range []*http.Client{nil, follows} { // one that a program gives follows none either
			client := fronts.Client(t, p, srv.URL, anthropic.Options{MaxRetries: -1, HTTPClient: own})
			if _, err := transport.Create(t.Context(), client, ask(p, "hi")); err == nil || !strings.Contains(err.Error(), "not followed") && !strings.Contains(err.Error(), "307") {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
	if stolen.Load() > 0 {
		t.Errorf("%d requests went elsewhere", stolen.Load())
	}
}

// TestLimited holds a rate limit in each platform's own form, in front of a stream and
// inside one.
func TestLimited(t *testing.T) {
	for _, p := range platforms.All() {
		base := fronts.Start(t, p, simulator.Options{Faults: []simulator.Fault{{Status: 429}, {Status: 529, AfterEvents: 3}, {CutAfter: 700}}, Model: simulator.Script(simulator.Say(strings.Repeat("word ", 500)), simulator.Say(strings.Repeat("word ", 500)))})
		client := fronts.Client(t, p, base, anthropic.Options{MaxRetries: -1})
		if _, err := transport.Create(t.Context(), client, ask(p, "hi")); !errors.Is(err, transport.ErrRateLimit) {
			t.Errorf("%s: %v", p, err)
		}
		var broken *transport.StreamError
		if _, err := transport.Create(t.Context(), client, ask(p, "hi")); !errors.As(err, &broken) || !errors.Is(err, transport.ErrOverloaded) {
			t.Errorf("%s: %v", p, err)
		}
		if _, err := transport.Create(t.Context(), client, ask(p, "hi")); !errors.As(err, &broken) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// TestFromEnv picks by the variables, and doesn't guess between two platforms.
func TestFromEnv(t *testing.T) {
	bare(t)
	creds := t.TempDir() + "/adc.json"
	if err := os.WriteFile(creds, []byte(`{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string // a platform's name, or a part of the error
	}{
		"nothing":                  {nil, "a profile of package identity (none)"},
		"nothing, and no home":     {map[string]string{"HOME": "", "XDG_CONFIG_HOME": "", "ANTHROPIC_CONFIG_DIR": ""}, "ANTHROPIC_API_KEY (not set)"},
		"a key":                    {map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api03-x"}, "https://api.anthropic.com"},
		"a key and an identity":    {map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api03-x", "ANTHROPIC_PROFILE": "p"}, "https://api.anthropic.com"},
		"an identity":              {map[string]string{"ANTHROPIC_FEDERATION_RULE_ID": "fdrl_1", "ANTHROPIC_ORGANIZATION_ID": "o", "ANTHROPIC_IDENTITY_TOKEN": "jwt-of-the-test"}, "the Claude API"},
		"a profile that isn't":     {map[string]string{"ANTHROPIC_PROFILE": "nobody"}, "nobody.json"},
		"a key of Bedrock":         {map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "key-of-bedrock", "AWS_REGION": "us-east-1"}, "Amazon Bedrock"},
		"Bedrock by Claude Code's": {map[string]string{"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "ANTHROPIC_API_KEY": "sk-ant-api03-x"}, "Amazon Bedrock"},
		"Bedrock turned off":       {map[string]string{"CLAUDE_CODE_USE_BEDROCK": "0", "ANTHROPIC_API_KEY": "sk-ant-api03-x"}, "https://api.anthropic.com"},
		"Mantle":                   {map[string]string{"CLAUDE_CODE_USE_MANTLE": "1", "AWS_REGION": "us-east-1", "AWS_BEARER_TOKEN_BEDROCK": "key-of-bedrock"}, "Amazon Bedrock (Messages)"},
		"AWS":                      {map[string]string{"ANTHROPIC_AWS_WORKSPACE_ID": "wrkspc_1", "ANTHROPIC_AWS_API_KEY": "key-of-aws", "AWS_REGION": "us-east-1"}, "Claude Platform on AWS"},
		"Vertex":                   {map[string]string{"ANTHROPIC_VERTEX_PROJECT_ID": "p", "GOOGLE_APPLICATION_CREDENTIALS": creds}, "Vertex AI"},
		"the gateway":              {map[string]string{"ANTHROPIC_GOOGLE_CLOUD_PROJECT": "p", "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID": "w", "GOOGLE_APPLICATION_CREDENTIALS": creds}, "Google Cloud's gateway"},
		"Foundry":                  {map[string]string{"ANTHROPIC_FOUNDRY_RESOURCE": "r", "ANTHROPIC_FOUNDRY_API_KEY": "key-of-foundry"}, "Microsoft Foundry"},
		"two clouds":               {map[string]string{"ANTHROPIC_FOUNDRY_RESOURCE": "r", "ANTHROPIC_VERTEX_PROJECT_ID": "p"}, "ANTHROPIC_VERTEX_PROJECT_ID means Vertex AI, ANTHROPIC_FOUNDRY_RESOURCE means Microsoft Foundry"},
		"two of Claude Code's":     {map[string]string{"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_USE_VERTEX": "1"}, "are both set"},
		"a key and a cloud":        {map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api03-x", "ANTHROPIC_VERTEX_PROJECT_ID": "p"}, "ANTHROPIC_API_KEY means the Claude API"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			client, err := clouds.FromEnv(t.Context())
			got := ""
			switch client := client.(type) {
			case *platform.Client:
				got = client.Platform()
			case *anthropic.Client:
				got = client.BaseURL()
			default:
				got = err.Error()
			}
			if (err == nil && got != c.want) || !strings.Contains(got, c.want) || strings.Contains(got, "sk-ant") {
				t.Errorf("%s", got)
			}
		})
	}
}

// TestNilRequest refuses a request that is nil on each platform.
func TestNilRequest(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer srv.Close()
	for _, p := range platforms.All() {
		client := fronts.Client(t, p, srv.URL, anthropic.Options{})
		_, err := client.CountTokens(t.Context(), nil)
		for _, streamed := range client.Stream(t.Context(), nil) {
			if !errors.As(err, new(*transport.RequestError)) || !errors.As(streamed, new(*transport.RequestError)) {
				t.Errorf("%s: %v, %v", p, streamed, err)
			}
		}
	}
}

// TestRedirectedTokens sends what a service account has signed, or a user's refresh
// token, nowhere that a redirect points to.
func TestRedirectedTokens(t *testing.T) {
	bare(t)
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stolen.Add(1)
		io.WriteString(w, `{"access_token":"of-a-thief","token_type":"Bearer","expires_in":3600}`)
	}))
	defer thief.Close()
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	account, err := json.Marshal(map[string]string{"type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": string(private), "client_email": "a@p.iam.gserviceaccount.com", "token_uri": srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/account.json"
	if err := os.WriteFile(file, account, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	client, err := vertex.New(t.Context(), vertex.Options{Project: "p", API: anthropic.Options{BaseURL: srv.URL, MaxRetries: -1}})
	if err == nil {
		_, err = transport.Create(t.Context(), client, ask(platforms.Vertex, "hi"))
	}
	refused := func(name, why string, err error) {
		t.Helper()
		if !errors.As(err, new(*platform.CredentialsError)) || !strings.Contains(err.Error(), why) || stolen.Load() != 0 || asked.Load() == 0 {
			t.Errorf("%s: asked %d times, sent elsewhere %d times: %v", name, asked.Load(), stolen.Load(), err)
		}
		asked.Store(0)
		stolen.Store(0)
	}
	why := "redirects to " + thief.URL
	refused("Google", why, err)
	t.Setenv("IDENTITY_ENDPOINT", srv.URL) // a machine's identity at Azure
	t.Setenv("IDENTITY_HEADER", "header-of-the-test")
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = foundry.New(ctx, foundry.Options{Resource: "r"})
	refused("Azure", why, err)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", srv.URL) // a container's role at AWS
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token-of-the-test")
	_, err = bedrock.New(ctx, bedrock.Options{Region: "us-east-1"})
	refused("AWS", why, err)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
	token := t.TempDir() + "/token"
	if err := os.WriteFile(token, []byte("jwt-of-the-test"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token) // web identity, as in Kubernetes
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
	t.Setenv("AWS_ENDPOINT_URL_STS", srv.URL)
	_, err = bedrock.New(ctx, bedrock.Options{Region: "us-east-1"})
	refused("AWS, by web identity", "307", err)
}

// TestAddresses holds where requests go that the program names no address for: to the region
// or the location that it does name, over https. An address that the environment has goes
// before that one, and one of the program's before both.
func TestAddresses(t *testing.T) {
	bare(t)
	ctx := t.Context()
	for _, c := range []struct {
		want, variable string
		open           func(base string) (*platform.Client, error)
	}{
		{"https://bedrock-runtime.eu-west-1.amazonaws.com", "", func(base string) (*platform.Client, error) {
			return bedrock.New(ctx, bedrock.Options{Region: "eu-west-1", Config: fronts.AWS(), API: anthropic.Options{BaseURL: base}})
		}},
		{"https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "", func(base string) (*platform.Client, error) {
			return bedrock.New(ctx, bedrock.Options{Region: "cn-north-1", Config: fronts.AWS(), API: anthropic.Options{BaseURL: base}})
		}},
		{"https://bedrock-mantle.us-east-1.api.aws/anthropic", "ANTHROPIC_BEDROCK_MANTLE_BASE_URL", func(base string) (*platform.Client, error) {
			return bedrock.NewMessages(ctx, bedrock.Options{Config: fronts.AWS(), API: anthropic.Options{BaseURL: base}})
		}},
		{"https://aws-external-anthropic.us-east-1.api.aws", "ANTHROPIC_AWS_BASE_URL", func(base string) (*platform.Client, error) {
			return awsplatform.New(ctx, awsplatform.Options{Config: fronts.AWS(), Workspace: "w", API: anthropic.Options{BaseURL: base}})
		}},
		{"https://aiplatform.eu.rep.googleapis.com", "", func(base string) (*platform.Client, error) {
			return vertex.New(ctx, vertex.Options{Project: "p", Location: "eu", Credentials: fronts.Google(), API: anthropic.Options{BaseURL: base}})
		}},
		{"https://claude.googleapis.com/v1/projects/p/locations/global/workspaces/w/invoke", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL", func(base string) (*platform.Client, error) {
			return googlecloud.New(ctx, googlecloud.Options{Project: "p", Workspace: "w", Credentials: fronts.Google(), API: anthropic.Options{BaseURL: base}})
		}},
		{"https://r.services.ai.azure.com/anthropic", "ANTHROPIC_FOUNDRY_BASE_URL", func(base string) (*platform.Client, error) {
			return foundry.New(ctx, foundry.Options{Resource: "r", Credential: fronts.Azure(), API: anthropic.Options{BaseURL: base}})
		}},
	} {
		at := func(base, want string) {
			t.Helper()
			if client, err := c.open(base); err != nil || client.BaseURL() != want {
				t.Errorf("%v, want %s", err, want)
				if err == nil {
					t.Error("it is " + client.BaseURL())
				}
			}
		}
		at("", c.want)
		if c.variable != "" {
			t.Setenv(c.variable, "https://of.the.environment.example")
			at("", "https://of.the.environment.example")
		}
		at("https://of.the.program.example", "https://of.the.program.example")
	}
}

// TestPrivateEndpoints goes where the variables of a private endpoint say, also by FromEnv.
func TestPrivateEndpoints(t *testing.T) {
	bare(t)
	creds := t.TempDir() + "/adc.json"
	if err := os.WriteFile(creds, []byte(`{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for variable, env := range map[string]map[string]string{
		"ANTHROPIC_BEDROCK_BASE_URL":        {"AWS_BEARER_TOKEN_BEDROCK": "key-of-bedrock", "AWS_REGION": "us-east-1"},
		"ANTHROPIC_BEDROCK_MANTLE_BASE_URL": {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"},
		"ANTHROPIC_AWS_BASE_URL":            {"ANTHROPIC_AWS_WORKSPACE_ID": "w", "ANTHROPIC_AWS_API_KEY": "key-of-aws", "AWS_REGION": "us-east-1"},
		"ANTHROPIC_VERTEX_BASE_URL":         {"ANTHROPIC_VERTEX_PROJECT_ID": "p", "GOOGLE_APPLICATION_CREDENTIALS": creds},
		"ANTHROPIC_GOOGLE_CLOUD_BASE_URL":   {"GOOGLE_APPLICATION_CREDENTIALS": creds},
		"ANTHROPIC_FOUNDRY_BASE_URL":        {"ANTHROPIC_FOUNDRY_API_KEY": "key-of-foundry"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "https://private.example")
			for k, v := range env {
				t.Setenv(k, v)
			}
			client, err := clouds.FromEnv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := client.(*platform.Client); !ok || c.BaseURL() != "https://private.example" {
				t.Errorf("%T goes to %s", client, c.BaseURL())
			}
		})
	}
}

// TestKeys sends a key of the program's in the one header that the platform takes it in, and
// no other key with it.
func TestKeys(t *testing.T) {
	bare(t)
	t.Setenv("ANTHROPIC_API_KEY", "sk-ant-api03-of-the-environment") // is for another service
	var sent http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Clone()
		w.WriteHeader(400)
	}))
	defer srv.Close()
	ctx := t.Context()
	api := anthropic.Options{BaseURL: srv.URL, MaxRetries: -1, APIKey: secret.New("key-of-the-program")}
	for p, open := range map[platforms.Platform]func() (*platform.Client, error){
		platforms.Bedrock: func() (*platform.Client, error) {
			return bedrock.New(ctx, bedrock.Options{Region: "us-east-1", API: api})
		},
		platforms.BedrockMessages: func() (*platform.Client, error) {
			return bedrock.NewMessages(ctx, bedrock.Options{Region: "us-east-1", API: api})
		},
		platforms.AWS: func() (*platform.Client, error) {
			return awsplatform.New(ctx, awsplatform.Options{Region: "us-east-1", Workspace: "w", API: api})
		},
		platforms.Foundry: func() (*platform.Client, error) { return foundry.New(ctx, foundry.Options{Resource: "r", API: api}) },
	} {
		client, err := open()
		if err != nil {
			t.Fatal(err)
		}
		sent = nil
		transport.Create(ctx, client, ask(p, "hi"))
		bearer, key := "Bearer key-of-the-program", ""
		if p == platforms.Foundry {
			bearer, key = "", "key-of-the-program"
		}
		if sent == nil || sent.Get("Authorization") != bearer || sent.Get("X-Api-Key") != key {
			t.Errorf("%s: %v", p, sent)
		}
	}
}

// basic gives tokens of another kind than Bearer.
type basic struct{}

func (basic) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: "value-of-the-test", Type: "Basic"}, nil
}

// TestOtherTokens sends no token of Google's as what it isn't.
func TestOtherTokens(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer srv.Close()
	client, err := vertex.New(t.Context(), vertex.Options{Project: "p", Credentials: auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: basic{}}), API: anthropic.Options{BaseURL: srv.URL, MaxRetries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = transport.Create(t.Context(), client, ask(platforms.Vertex, "hi")); !errors.As(err, new(*platform.CredentialsError)) || strings.Contains(err.Error(), "value-of-the-test") {
		t.Errorf("%v", err)
	}
}

// TestVertexPaths holds where the requests of a location go: its paths, for messages and for
// counts. What the program names goes before the environment.
func TestVertexPaths(t *testing.T) {
	bare(t)
	var path string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		w.WriteHeader(400)
	}))
	defer srv.Close()
	t.Setenv("ANTHROPIC_VERTEX_PROJECT_ID", "of-the-environment")
	t.Setenv("CLOUD_ML_REGION", "us-east5")
	for want, o := range map[string]vertex.Options{
		"/v1/projects/p/locations/europe-west1/publishers/anthropic/models/":              {Project: "p", Location: "europe-west1"},
		"/v1/projects/of-the-environment/locations/us-east5/publishers/anthropic/models/": {},
	} {
		o.Credentials, o.API = fronts.Google(), anthropic.Options{BaseURL: srv.URL, MaxRetries: -1}
		client, err := vertex.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if transport.Create(t.Context(), client, ask(platforms.Vertex, "hi")); path != want+"claude-opus-5-5:streamRawPredict" {
			t.Errorf("messages: %s", path)
		}
		if client.CountTokens(t.Context(), ask(platforms.Vertex, "hi")); path != want+"count-tokens:rawPredict" {
			t.Errorf("counts: %s", path)
		}
		path = ""
		for _, id := range []string{".", ".."} {
			req := ask(platforms.Vertex, "hi")
			req.Model = id
			if _, err := transport.Create(t.Context(), client, req); err == nil || path != "" {
				t.Errorf("%q: %s, %v", id, path, err)
			}
		}
	}
}

// TestKeysOfOthers sends AWS no key of the Claude API, and leaves the program's header as it is.
func TestKeysOfOthers(t *testing.T) {
	bare(t)
	t.Setenv("ANTHROPIC_API_KEY", "sk-ant-api03-of-the-environment")
	header := http.Header{"A": {"b"}}
	_, err := awsplatform.New(t.Context(), awsplatform.Options{Region: "us-east-1", Workspace: "w", API: anthropic.Options{Header: header}})
	if !errors.As(err, new(*platform.CredentialsError)) {
		t.Errorf("without credentials: %v", err)
	}
	_, err = awsplatform.New(t.Context(), awsplatform.Options{Config: fronts.AWS(), Workspace: "w", API: anthropic.Options{Header: header}})
	if err != nil || len(header) != 1 {
		t.Errorf("%v: the header is %v", err, header)
	}
}
