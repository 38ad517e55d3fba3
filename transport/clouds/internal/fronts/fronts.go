// Package fronts makes clients of all platforms, each before a simulator with that
// platform's front. It is for tests.
package fronts

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"cloud.google.com/go/auth"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/awsplatform"
	"github.com/whorl-go/whorl/transport/clouds/bedrock"
	"github.com/whorl-go/whorl/transport/clouds/foundry"
	"github.com/whorl-go/whorl/transport/clouds/googlecloud"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/clouds/vertex"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/simulator/platforms"
)

// What the fronts take.
const (
	AccessKey, SecretKey, SessionToken = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token-of-the-test"
	Token                              = "token-of-the-test"
	Region, Project, Workspace         = "us-east-1", "my-project", "wrkspc_01"
)

// TB is what of *testing.T is needed.
type TB interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
	Context() context.Context
}

// Start serves a platform's front with a simulator behind it, and returns its
// address.
func Start(t TB, p platforms.Platform, o simulator.Options) string {
	return Serve(t, p, simulator.New(o), nil)
}

// Serve is Start with another server behind the front, and a clock.
func Serve(t TB, p platforms.Platform, next http.Handler, now func() time.Time) string {
	t.Helper()
	front, err := platforms.New(platforms.Options{
		Platform: p, Next: next, AccessKey: AccessKey, SecretKey: SecretKey, SessionToken: SessionToken, Token: Token,
		Region: map[bool]string{true: "global", false: Region}[p == platforms.Vertex || p == platforms.GoogleCloud], Project: Project, Workspace: Workspace, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(front)
	t.Cleanup(srv.Close)
	return srv.URL
}

// AWS are the credentials of AWS.
func AWS() *aws.Config {
	return &aws.Config{Region: Region, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: AccessKey, SecretAccessKey: SecretKey, SessionToken: SessionToken, Source: "test"}, nil
	})}
}

type tokens struct{}

func (tokens) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: Token, Type: "Bearer", Expiry: time.Now().Add(time.Hour)}, nil
}

func (tokens) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: Token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// Google are the credentials of Google.
func Google() *auth.Credentials {
	return auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: tokens{}})
}

// Azure are the credentials of Azure.
func Azure() azcore.TokenCredential { return tokens{} }

// Client makes the client of a platform at an address.
func Client(t TB, p platforms.Platform, base string, o anthropic.Options) *platform.Client {
	t.Helper()
	o.BaseURL = base
	var c *platform.Client
	var err error
	switch p {
	case platforms.Bedrock:
		c, err = bedrock.New(t.Context(), bedrock.Options{Config: AWS(), API: o})
	case platforms.BedrockMessages:
		o.BaseURL += "/anthropic"
		c, err = bedrock.NewMessages(t.Context(), bedrock.Options{Config: AWS(), API: o})
	case platforms.AWS:
		c, err = awsplatform.New(t.Context(), awsplatform.Options{Config: AWS(), Workspace: Workspace, API: o})
	case platforms.Vertex:
		c, err = vertex.New(t.Context(), vertex.Options{Project: Project, Location: "global", Credentials: Google(), API: o})
	case platforms.GoogleCloud:
		o.BaseURL = googlecloud.Path(base, Project, "global", Workspace)
		c, err = googlecloud.New(t.Context(), googlecloud.Options{Credentials: Google(), API: o})
	case platforms.Foundry:
		o.BaseURL += "/anthropic"
		c, err = foundry.New(t.Context(), foundry.Options{Credential: Azure(), API: o})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Model is what a platform calls a model of the Claude API.
func Model(p platforms.Platform, plain string) string {
	if p == platforms.Bedrock || p == platforms.BedrockMessages {
		id, _ := platform.BedrockIDs.ID(plain)
		return id
	}
	return plain
}
