package foundry

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// A credential gives tokens of some length, and counts them.
type credential struct {
	life  time.Duration
	given int
	scope string // of the last one
}

func (c *credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.given++
	c.scope = strings.Join(o.Scopes, " ")
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
	own := &credential{life: time.Hour}
	for _, tt := range []struct {
		o           Options
		bearer, key string
	}{
		{Options{Credential: own}, "Bearer token-of-the-program", ""},
		{Options{API: anthropic.Options{APIKey: secret.New("key-of-the-program")}}, "", "key-of-the-program"},
		{Options{API: anthropic.Options{APIKey: secret.New("key-of-the-program"), AuthToken: secret.New("token-of-another")}}, "", "key-of-the-program"},
		{Options{}, "", "key-of-the-environment"},
	} {
		tt.o.Resource, tt.o.API.HTTPClient = "mine", send
		c, err := New(t.Context(), tt.o)
		if err != nil {
			t.Fatal(err)
		}
		for range c.Stream(t.Context(), request()) {
		}
		if sent.Get("Authorization") != tt.bearer || sent.Get("X-Api-Key") != tt.key {
			t.Errorf("sent with %v, want %q and %q", sent, tt.bearer, tt.key)
		}
	}
	if own.scope != "https://ai.azure.com/.default" {
		t.Errorf("the token is for %q", own.scope)
	}
	_, err := New(t.Context(), Options{Resource: "mine", Credential: own, API: anthropic.Options{APIKey: secret.New("key-of-the-program")}})
	if !errors.As(err, new(*platform.SettingError)) || strings.Contains(err.Error(), "key-of-the-program") {
		t.Errorf("both: %v", err)
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

func request() *transport.Request {
	return &transport.Request{Model: "claude-opus-5-5", MaxTokens: 9, Messages: []transport.Message{transport.UserText("hi")}}
}

// What deployments on Azure lack is refused before it is sent; those of Anthropic's have it.
func TestOnAzure(t *testing.T) {
	tool := func(raw string) []transport.ToolDefinition {
		d, err := transport.ParseToolDefinition([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return []transport.ToolDefinition{d}
	}
	block := func(raw string) []transport.Block {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return []transport.Block{b}
	}
	for _, onAzure := range []bool{false, true} {
		c, err := New(t.Context(), Options{Resource: "mine", Credential: &credential{life: time.Hour}, OnAzure: onAzure})
		if err != nil {
			t.Fatal(err)
		}
		for field, change := range map[string]func(*transport.Request){
			"output_config.format": func(r *transport.Request) {
				r.OutputConfig = &transport.OutputConfig{Format: json.RawMessage(`{"type":"json_schema","schema":{}}`)}
			},
			"tools.0.strict": func(r *transport.Request) {
				r.Tools = tool(`{"name":"a","input_schema":{"type":"object"},"strict":true}`)
			},
			"tools.0":   func(r *transport.Request) { r.Tools = tool(`{"type":"web_search_20250305","name":"web_search"}`) },
			"container": func(r *transport.Request) { r.Container = json.RawMessage(`"container_1"`) },
			"messages.0.content.0": func(r *transport.Request) {
				r.Messages[0].Content = block(`{"type":"document","source":{"type":"file","file_id":"file_1"}}`)
			},
			"": func(r *transport.Request) {
				r.Tools = tool(`{"name":"a","input_schema":{"type":"object"},"strict":false}`)
			},
		} {
			req := request()
			change(req)
			err := c.Check(req)
			var refused *transport.RequestError
			if errors.As(err, &refused) != (onAzure && field != "") || refused != nil && refused.Field != field {
				t.Errorf("on Azure %v, %s: %v", onAzure, field, err)
			}
		}
	}
}
