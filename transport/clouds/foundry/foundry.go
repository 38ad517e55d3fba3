// Package foundry connects to Claude on Microsoft Foundry.
//
//	client, err := foundry.New(ctx, foundry.Options{Resource: "my-resource"})
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
//
// The model of a request is the name of a deployment, which by default is the model's id.
// This package has not been tested against the live service; docs/clouds.md lists what it
// was tested against.
package foundry

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/internal/noredirect"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// Scope is the scope of the tokens of Entra ID.
const Scope = "https://ai.azure.com/.default"

// Options configure a client. The zero value uses the environment.
type Options struct {
	// Resource is the name in https://RESOURCE.services.ai.azure.com; empty means
	// ANTHROPIC_FOUNDRY_RESOURCE.
	Resource string
	// Credential provides tokens of Entra ID. Nil means the API key or, without one,
	// [azidentity.NewDefaultAzureCredential].
	Credential azcore.TokenCredential
	// API are the options of the client that sends the requests. APIKey is a key of the
	// resource; empty means ANTHROPIC_FOUNDRY_API_KEY. BaseURL, or
	// ANTHROPIC_FOUNDRY_BASE_URL, replaces the address, and ends with /anthropic.
	API anthropic.Options
	// OnAzure is true if the deployments are hosted on Azure, without structured outputs,
	// server tools and files.
	OnAzure bool
}

var rules = platform.Rules{
	Name:        "Microsoft Foundry",
	Features:    transport.Features{LongCache: true, Compaction: true, Threads: true},
	Paths:       []string{platform.Messages, platform.CountTokens, platform.Files},
	IDs:         platform.DeploymentNames,
	NoFallbacks: true,
	ServerTool:  func(t string) bool { return !strings.HasPrefix(t, "advisor_") },
	Speeds:      func(string) bool { return false },
}

var resourceName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

// New returns a client of Foundry. It fails if the resource or credentials are missing.
// The error names each place that was searched.
func New(ctx context.Context, o Options) (*platform.Client, error) {
	base := cmp.Or(o.API.BaseURL, os.Getenv("ANTHROPIC_FOUNDRY_BASE_URL"))
	if base == "" {
		resource := cmp.Or(o.Resource, os.Getenv("ANTHROPIC_FOUNDRY_RESOURCE"))
		switch {
		case resource == "":
			return nil, &platform.SettingError{Platform: rules.Name, Setting: "resource", Why: "none is set", Remedy: "set Options.Resource or ANTHROPIC_FOUNDRY_RESOURCE, or a base URL"}
		case !resourceName.MatchString(resource):
			return nil, &platform.SettingError{Platform: rules.Name, Setting: "resource", Why: strconv.Quote(resource) + " is no name of one", Remedy: "give the first part of its address, in front of .services.ai.azure.com"}
		}
		base = "https://" + resource + ".services.ai.azure.com/anthropic"
	}
	r := rules
	if o.OnAzure {
		r.NoStructuredOutput, r.NoFiles, r.NoContainers = true, true, true
		r.ServerTool = func(string) bool { return false }
		r.Paths = []string{platform.Messages, platform.CountTokens}
	}
	api := o.API
	key := api.APIKey
	if key.IsZero() && o.Credential == nil {
		key = secret.FromEnv("ANTHROPIC_FOUNDRY_API_KEY")
	}
	if !key.IsZero() && o.Credential != nil {
		return nil, &platform.SettingError{Platform: r.Name, Setting: "credentials", Why: "both a key and a Credential are set", Remedy: "set one of them"}
	}
	api.APIKey, api.AuthToken = secret.Value{}, secret.Value{}
	config := platform.Config{Rules: r, BaseURL: base, Options: api}
	if !key.IsZero() {
		reveal := key.Reveal
		config.Authorize = func(req *http.Request) error {
			req.Header.Set("X-Api-Key", reveal())
			return nil
		}
		return platform.New(config)
	}
	t := &tokens{credential: o.Credential, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	if t.credential == nil {
		chain, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: noredirect.Client()}})
		if err != nil {
			return nil, noCredentials(err)
		}
		t.credential = chain
	}
	if _, err := t.get(ctx); err != nil {
		return nil, err
	}
	config.Authorize = func(req *http.Request) error {
		token, err := t.get(req.Context())
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	return platform.New(config)
}

// tokens keeps a token until it ends soon: a credential of a program's own need not.
type tokens struct {
	credential azcore.TokenCredential
	turn       chan struct{} // holds one thing while nobody asks
	token      azcore.AccessToken
}

func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case <-t.turn:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { t.turn <- struct{}{} }()
	if t.token.Token != "" && time.Until(t.token.ExpiresOn) > 2*time.Minute {
		return t.token.Token, nil
	}
	token, err := t.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{Scope}})
	switch {
	case err != nil && ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", noCredentials(err)
	case token.Token == "":
		return "", noCredentials(errors.New("the token is empty"))
	case !token.ExpiresOn.IsZero() && token.ExpiresOn.Before(time.Now()):
		return "", noCredentials(errors.New("the token ended on " + token.ExpiresOn.UTC().Format(time.DateTime) + "; log in again, or correct the clock of this machine"))
	}
	t.token = token
	return token.Token, nil
}

// noCredentials is the error that names each place that was looked at. What the
// credentials of the chain say is in the library's own.
func noCredentials(err error) error {
	e := &platform.CredentialsError{Platform: rules.Name, Err: err}
	for _, name := range []string{"ANTHROPIC_FOUNDRY_API_KEY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"} {
		found := "not set"
		if os.Getenv(name) != "" {
			found = "set"
		}
		e.Looked = append(e.Looked, platform.Place{Where: name, Found: found})
	}
	for _, name := range []string{"the machine's managed identity", "the Azure CLI", "the Azure Developer CLI"} {
		e.Looked = append(e.Looked, platform.Place{Where: name, Found: "gave no token"})
	}
	return e
}
