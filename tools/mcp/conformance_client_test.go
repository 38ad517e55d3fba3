package mcp_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/tools/mcp/oauth"
	"github.com/whorl-go/whorl/transport/secret"
)

// conformanceClient does at a server what a scenario of the conformance suite wants
// a client to do. Whether it was right is judged by the server.
func conformanceClient(ctx context.Context, scenario, endpoint string) error {
	var setting struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		PrivateKey   string `json:"private_key_pem"`
		Workload     string `json:"valid_jwt"`
		IDToken      string `json:"idp_id_token"`
		IDClient     string `json:"idp_client_id"`
		IDIssuer     string `json:"idp_issuer"`
		ToolCalls    []struct {
			Name      string
			Arguments json.RawMessage
		}
	}
	if raw := os.Getenv("MCP_CONFORMANCE_CONTEXT"); raw != "" {
		if err := json.Unmarshal([]byte(raw), &setting); err != nil {
			return err
		}
	}
	var schema json.RawMessage
	o := mcp.Options{Traits: func(t *sdk.Tool) tools.Traits {
		if t.Name == "json_schema_2020_12_tool" {
			schema, _ = json.Marshal(t.InputSchema)
		}
		return tools.Traits{}
	}}
	switch {
	case strings.HasPrefix(scenario, "auth/client-credentials-"), scenario == "auth/wif-jwt-bearer", scenario == "auth/enterprise-managed-authorization":
		m := oauth.MachineOptions{ClientID: setting.ClientID, ClientSecret: secret.New(setting.ClientSecret)}
		if setting.Workload != "" {
			m.Assertion = func(context.Context, oauth.AssertionRequest) (secret.Value, error) {
				return secret.New(setting.Workload), nil
			}
		}
		if setting.IDToken != "" {
			p := &oauth.IdentityProvider{Issuer: setting.IDIssuer, ClientID: setting.IDClient, IDToken: func(context.Context) (secret.Value, error) {
				return secret.New(setting.IDToken), nil
			}}
			m.Assertion = p.Assertion
		}
		if block, _ := pem.Decode([]byte(setting.PrivateKey)); block != nil {
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return err
			}
			m.Key = key.(crypto.Signer)
		}
		h, err := oauth.NewMachine(endpoint, m)
		if err != nil {
			return err
		}
		o.OAuth = h
	case strings.HasPrefix(scenario, "auth/"):
		h, err := oauth.New(endpoint, oauth.Options{
			RedirectURL:  "http://localhost:3000/callback",
			Authorize:    willing,
			MetadataURL:  "https://conformance-test.local/client-metadata.json",
			ClientID:     setting.ClientID,
			ClientSecret: secret.New(setting.ClientSecret),
			DPoP:         strings.HasPrefix(scenario, "auth/dpop"),
		})
		if err != nil {
			return err
		}
		o.OAuth = h
	case strings.HasPrefix(scenario, "elicitation-"):
		o.Ask = answers(`{}`)
	case scenario == "sep-2322-client-request-state":
		o.Ask = answers(`{"confirmed":true}`)
	}
	c, err := mcp.HTTP(ctx, endpoint, nil, o)
	if err != nil {
		return err
	}
	defer c.Close()
	if scenario == "initialize" || scenario == "request-metadata" {
		return nil
	}
	list, err := c.Tools(ctx)
	if err != nil {
		return err
	}
	call := func(name, input string) error {
		i := slices.IndexFunc(list, func(t tools.Tool) bool { d, _ := t.Definition(); return d.Name() == name })
		if i < 0 {
			return fmt.Errorf("the server has no tool %q", name)
		}
		prepared, err := tools.Prepare(list[i].(tools.Callable), json.RawMessage(input))
		if err != nil {
			return err
		}
		_, err = list[i].(tools.Callable).Call(ctx, prepared.Input())
		return err
	}
	switch scenario {
	case "json-schema-ref-no-deref":
	case "tools_call":
		return call("add_numbers", `{"a":5,"b":3}`)
	case "elicitation-sep1034-client-defaults":
		return call("test_client_elicitation_defaults", `{}`)
	case "sse-retry":
		return call("test_reconnection", `{}`)
	case "json-schema-2020-12-preservation":
		if schema == nil {
			return errors.New("the tool with the schema is not listed")
		}
		return call("json_schema_echo", fmt.Sprintf(`{"schema":%s}`, schema))
	case "sep-2322-client-request-state":
		var all []error
		for _, name := range []string{"test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"} {
			all = append(all, call(name, `{}`))
		}
		return errors.Join(all...)
	case "http-standard-headers":
		for _, t := range list[:min(1, len(list))] {
			d, _ := t.Definition()
			if err := call(d.Name(), `{}`); err != nil {
				return err
			}
		}
		resources, err := c.Resources(ctx)
		if err != nil {
			return err
		}
		for _, r := range resources[:min(1, len(resources))] {
			if _, err := c.ReadResource(ctx, r.URI); err != nil {
				return err
			}
		}
		prompts, err := c.Prompts(ctx)
		if err != nil {
			return err
		}
		for _, p := range prompts[:min(1, len(prompts))] {
			if _, err := c.Prompt(ctx, p.Name, nil); err != nil {
				return err
			}
		}
	case "http-custom-headers":
		for _, one := range setting.ToolCalls {
			if err := call(one.Name, string(one.Arguments)); err != nil {
				fmt.Fprintln(os.Stderr, one.Name, err) // some have to be refused
			}
		}
	case "http-invalid-tool-headers":
		for _, t := range list {
			d, _ := t.Definition()
			if err := call(d.Name(), `{"region":"us-west1"}`); err != nil {
				fmt.Fprintln(os.Stderr, d.Name(), err)
			}
		}
	default:
		return call("test-tool", `{}`)
	}
	return nil
}

// willing is a user who authorizes everything.
func willing(ctx context.Context, address string) (string, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Header.Get("Location"), nil
}

func answers(value string) func(context.Context, tools.Question) (tools.Answer, error) {
	return func(context.Context, tools.Question) (tools.Answer, error) {
		return tools.Answer{Value: json.RawMessage(value)}, nil
	}
}
