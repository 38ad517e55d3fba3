package foundry

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
)

// A credential gives tokens of some length, and counts them.
type credential struct {
	life  time.Duration
	given int
}

func (c *credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.given++
	return azcore.AccessToken{Token: "token-of-the-program", ExpiresOn: time.Now().Add(c.life)}, nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What the program gives counts, and a key of the environment doesn't.
func TestWhichCredentials(t *testing.T) {
	t.Setenv("ANTHROPIC_FOUNDRY_API_KEY", "key-of-the-environment")
	var sent http.Header
	send := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Clone()
		return &http.Response{StatusCode: 400, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})}
	c, err := New(t.Context(), Options{Resource: "mine", Credential: &credential{life: time.Hour}, API: anthropic.Options{HTTPClient: send}})
	if err != nil {
		t.Fatal(err)
	}
	for range c.Stream(t.Context(), &transport.Request{Model: "claude-opus-5-5", MaxTokens: 9, Messages: []transport.Message{transport.UserText("hi")}}) {
	}
	if sent.Get("Authorization") != "Bearer token-of-the-program" || sent.Get("X-Api-Key") != "" {
		t.Errorf("sent with %v", sent)
	}
}

// A token is used until shortly before its end.
func TestTokensEnd(t *testing.T) {
	for life, want := range map[time.Duration]int{time.Hour: 1, time.Minute: 3, 3 * time.Minute: 1} {
		c := &credential{life: life}
		tok := &tokens{credential: c, turn: make(chan struct{}, 1)}
		tok.turn <- struct{}{}
		for range 3 {
			if _, err := tok.get(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if c.given != want {
			t.Errorf("a token that lives %v: asked for %d times, want %d", life, c.given, want)
		}
	}
}
