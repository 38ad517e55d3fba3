package mcp

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/whorl-go/whorl/transport/secret"
)

// A hider takes the keys of a server's URL out of texts.
type hider struct{ redactor secret.Redactor }

// newHider fails without the URL in the error.
func newHider(endpoint string, token secret.Value) (hider, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return hider{}, errors.New("mcp: the endpoint is no URL, such as https://example.com/mcp")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return hider{}, fmt.Errorf("mcp: the endpoint's scheme is %q; http and https are known", u.Scheme)
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
	return hider{secret.NewRedactor(secrets...)}
}

func (h hider) text(s string) string { return h.redactor.String(s) }

// error is err, or a text in its place if there is a key in it.
func (h hider) error(err error) error { return h.redactor.Err(err) }
