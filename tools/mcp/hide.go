package mcp

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/whorl-go/whorl/transport/secret"
)

// A hider takes the keys of a server's URL, and the tokens that were sent, out of texts.
type hider struct {
	redactor secret.Redactor
	sent     *sentTokens // nil if none are sent
}

// sentTokens are the newest tokens that an OAuth handler has given for requests.
type sentTokens struct {
	mu       sync.Mutex
	list     []secret.Value
	redactor secret.Redactor
}

const maxSentTokens = 8

func (s *sentTokens) add(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := secret.New(token)
	if slices.ContainsFunc(s.list, v.Equal) {
		return
	}
	s.list = append(s.list, v)
	s.list = s.list[max(0, len(s.list)-maxSentTokens):]
	s.redactor = secret.NewRedactor(s.list...)
}

func (s *sentTokens) current() secret.Redactor {
	if s == nil {
		return secret.Redactor{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.redactor
}

// newHider fails without the URL in the error.
func newHider(endpoint string, token secret.Value) (hider, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return hider{}, errors.New("mcp: the endpoint is not a URL; it must be one such as https://example.com/mcp")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return hider{}, fmt.Errorf("mcp: the endpoint's scheme is %q; it must be http or https", u.Scheme)
	}
	return hiderOf(u, token), nil
}

func hiderOf(u *url.URL, more ...secret.Value) hider {
	secrets := more
	add := func(s string) { secrets = append(secrets, secret.New(s)) }
	if u.User != nil {
		password, has := u.User.Password()
		if add(password); !has {
			add(u.User.Username())
		}
	}
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= 16 && strings.ContainsFunc(segment, unicode.IsDigit) && strings.ContainsFunc(segment, unicode.IsLetter) {
			add(segment)
		}
	}
	return hider{redactor: secret.NewRedactor(secrets...)}
}

func (h hider) text(s string) string { return h.sent.current().String(h.redactor.String(s)) }

// error is err, or a text in its place if there is a key in it.
func (h hider) error(err error) error { return h.sent.current().Err(h.redactor.Err(err)) }
