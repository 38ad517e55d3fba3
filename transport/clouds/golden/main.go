// Golden writes what Anthropic's Go SDK sends to each platform: the requests of
// requests.json by the SDK's own packages, against a server on this machine.
//
//	go run . > ../testdata/golden.json
//
// The tests of the module transport/clouds hold their own requests against them, and
// so don't need the SDK.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	anthropic "github.com/anthropics/anthropic-sdk-go/v2"
	anthropicaws "github.com/anthropics/anthropic-sdk-go/v2/aws"
	"github.com/anthropics/anthropic-sdk-go/v2/bedrock"
	"github.com/anthropics/anthropic-sdk-go/v2/foundry"
	"github.com/anthropics/anthropic-sdk-go/v2/googlecloud"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/anthropics/anthropic-sdk-go/v2/vertex"
	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

//go:embed requests.json
var list []byte

// An Asked is a request to make.
type Asked struct {
	Name  string          `json:"name"`
	Betas string          `json:"betas,omitempty"`
	Body  json.RawMessage `json:"body"` // MODEL stands for the model
}

// A Sent is a request as it was sent.
type Sent struct {
	Platform string            `json:"platform"`
	Name     string            `json:"name"`
	Method   string            `json:"method"`
	Path     string            `json:"path"` // as it is escaped
	Header   map[string]string `json:"header"`
	Body     string            `json:"body"`
}

// kept are the headers that say something about the platform.
var kept = []string{"Content-Type", "Anthropic-Version", "Anthropic-Beta", "X-Api-Key", "Authorization", "Anthropic-Workspace-Id", "X-Amz-Security-Token"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	for _, name := range os.Environ() { // nothing of this machine belongs into the files
		name, _, _ = strings.Cut(name, "=")
		if strings.HasPrefix(name, "ANTHROPIC_") || strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "GOOGLE_") {
			os.Unsetenv(name)
		}
	}
	var asked []Asked
	if err := json.Unmarshal(list, &asked); err != nil {
		return err
	}
	var last Sent
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last = Sent{Method: r.Method, Path: r.URL.EscapedPath(), Header: map[string]string{}, Body: string(body)}
		for _, name := range kept {
			if v := r.Header.Values(name); len(v) > 0 {
				last.Header[name] = strings.Join(v, ",")
			}
		}
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	}))
	defer srv.Close()
	clients, err := platforms(srv.URL)
	if err != nil {
		return err
	}
	var out []Sent
	for _, p := range clients {
		for _, a := range asked {
			var params anthropic.MessageNewParams
			body := strings.ReplaceAll(string(a.Body), "MODEL", p.model)
			if err := json.Unmarshal([]byte(body), &params); err != nil {
				return fmt.Errorf("%s: %w", a.Name, err)
			}
			opts := []option.RequestOption{option.WithMaxRetries(0), option.WithRequestBody("application/json", []byte(strings.Replace(body, "{", `{"stream":true,`, 1)))}
			if a.Betas != "" {
				opts = append(opts, option.WithHeader("anthropic-beta", a.Betas))
			}
			last = Sent{}
			stream := p.messages.NewStreaming(context.Background(), params, opts...)
			for stream.Next() {
			}
			stream.Close()
			if last.Path == "" {
				return fmt.Errorf("%s, %s: nothing was sent: %w", p.name, a.Name, stream.Err())
			}
			last.Platform, last.Name = p.name, a.Name
			out = append(out, last)
		}
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	return enc.Encode(out)
}

type client struct {
	name, model string
	messages    anthropic.MessageService
}

// platforms are the SDK's clients of all platforms at one address.
func platforms(base string) ([]client, error) {
	ctx := context.Background()
	config := aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "session-token-of-the-test"}, nil
	})}
	token := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token-of-the-test", TokenType: "Bearer"})
	invoke := anthropic.NewClient(bedrock.WithConfig(config), option.WithBaseURL(base))
	mantle, err := bedrock.NewMantleClient(ctx, bedrock.MantleClientConfig{AWSAccessKey: "AKIDEXAMPLE", AWSSecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", AWSSessionToken: "session-token-of-the-test", AWSRegion: "us-east-1", BaseURL: base + "/anthropic"})
	if err != nil {
		return nil, err
	}
	platform, err := anthropicaws.NewClient(ctx, anthropicaws.ClientConfig{AWSAccessKey: "AKIDEXAMPLE", AWSSecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", AWSSessionToken: "session-token-of-the-test", AWSRegion: "us-east-1", WorkspaceID: "wrkspc_01", BaseURL: base})
	if err != nil {
		return nil, err
	}
	ai := anthropic.NewClient(vertex.WithCredentials(ctx, "global", "my-project", &google.Credentials{TokenSource: token}), option.WithBaseURL(base))
	gateway, err := googlecloud.NewClient(ctx, googlecloud.ClientConfig{Project: "my-project", WorkspaceID: "wrkspc_01", TokenSource: token, BaseURL: base + "/v1/projects/my-project/locations/global/workspaces/wrkspc_01/invoke"})
	if err != nil {
		return nil, err
	}
	azure, err := foundry.NewClient(foundry.ClientConfig{AzureADTokenProvider: func(context.Context) (string, error) { return "token-of-the-test", nil }, BaseURL: base + "/anthropic/"})
	if err != nil {
		return nil, err
	}
	return []client{
		{"bedrock", "anthropic.claude-opus-5-5", invoke.Messages},
		{"bedrock-messages", "anthropic.claude-opus-5-5", mantle.Messages},
		{"aws", "claude-opus-5-5", platform.Messages},
		{"vertex", "claude-opus-5-5", ai.Messages},
		{"googlecloud", "claude-opus-5-5", gateway.Messages},
		{"foundry", "claude-opus-5-5", azure.Messages},
	}, nil
}
