package transport_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// TestWrappedClientKeepsFeatures is case W3: a wrapper lost the client's features,
// so that the cache was written for five minutes only, without a word.
func TestWrappedClientKeepsFeatures(t *testing.T) {
	client, err := anthropic.New(anthropic.Options{APIKey: secret.New("key")})
	if err != nil {
		t.Fatal(err)
	}
	want := client.Features()
	if !want.LongCache || !want.Diagnostics || !want.SystemMessages {
		t.Fatalf("the client itself says %+v", want)
	}
	pass := func(next transport.StreamFunc) transport.StreamFunc { return next }
	for name, c := range map[string]transport.Client{
		"itself":              client,
		"embedded":            struct{ transport.Client }{client},
		"embedded by pointer": &struct{ transport.Client }{client},
		"embedded twice":      struct{ transport.Client }{&struct{ transport.Client }{client}},
		"wrapped":             transport.Wrap(client, pass),
		"wrapped by nothing":  transport.Wrap(client),
		"both":                transport.Wrap(struct{ transport.Client }{transport.Wrap(client, pass, nil)}, pass),
	} {
		if got := transport.FeaturesOf(c); got != want {
			t.Errorf("%s: %+v", name, got)
		}
		if b, ok := transport.As[interface{ BaseURL() string }](c); !ok || b.BaseURL() != client.BaseURL() {
			t.Errorf("%s: the address is lost", name)
		}
	}
	if got := transport.FeaturesOf(nil); got != (transport.Features{}) {
		t.Errorf("of nil: %+v", got)
	}
}

type echo struct{ seen *[]string }

func (e echo) Stream(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	*e.seen = append(*e.seen, req.Model)
	return func(func(transport.Event, error) bool) {}
}

func TestWrapOrder(t *testing.T) {
	var seen []string
	say := func(word string) transport.Middleware {
		return func(next transport.StreamFunc) transport.StreamFunc {
			return func(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
				seen = append(seen, word)
				return next(ctx, req)
			}
		}
	}
	c := transport.Wrap(echo{&seen}, say("first"), nil, say("second"))
	for range c.Stream(t.Context(), &transport.Request{Model: "m"}) {
	}
	if want := []string{"first", "second", "m"}; !slices.Equal(seen, want) {
		t.Errorf("called in the order %q, want %q", seen, want)
	}
}
