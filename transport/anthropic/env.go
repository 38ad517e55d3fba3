package anthropic

import (
	"fmt"
	"os"

	"github.com/whorl-go/whorl/transport/secret"
)

// FromEnv returns a Client that is configured by environment variables:
//
//	ANTHROPIC_API_KEY     the key, sent as x-api-key
//	ANTHROPIC_AUTH_TOKEN  instead of a key, sent as a Bearer token
//	ANTHROPIC_BASE_URL    another service than Anthropic's own
//	COMETAPI_KEY          a key for CometAPI; used if none of the others is set
//
// It fails if none of them is set, as [EnvOptions] does. A program that runs offline then
// asks EnvOptions first.
func FromEnv() (*Client, error) {
	o, err := EnvOptions()
	if err != nil {
		return nil, err
	}
	return New(o)
}

// EnvOptions returns the options that [FromEnv] uses, for a program that sets more. It
// fails with [ErrNoKey] if the environment has no key and names no other service.
func EnvOptions() (Options, error) {
	o := Options{
		BaseURL: os.Getenv("ANTHROPIC_BASE_URL"),
		APIKey:  secret.FromEnv("ANTHROPIC_API_KEY"),
	}
	if o.APIKey.IsZero() {
		o.AuthToken = secret.FromEnv("ANTHROPIC_AUTH_TOKEN")
	}
	if o.BaseURL != "" || !o.APIKey.IsZero() || !o.AuthToken.IsZero() {
		return o, nil
	}
	if key := secret.FromEnv("COMETAPI_KEY"); !key.IsZero() {
		return Options{BaseURL: CometBaseURL, APIKey: key}, nil
	}
	return o, fmt.Errorf("anthropic: %w in the environment: set ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or COMETAPI_KEY, or ANTHROPIC_BASE_URL for a service on this machine", ErrNoKey)
}
