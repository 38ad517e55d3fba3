package mcp

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// A hider takes the keys of a server's URL out of texts.
type hider struct{ replacer *strings.Replacer }

const hidden = "[redacted]"

// newHider fails without the URL in the error.
func newHider(endpoint string) (hider, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return hider{}, errors.New("mcp: the endpoint is no URL, such as https://example.com/mcp")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return hider{}, fmt.Errorf("mcp: the endpoint's scheme is %q; http and https are known", u.Scheme)
	}
	return hiderOf(u), nil
}

func hiderOf(u *url.URL) hider {
	var secrets []string
	add := func(s string) {
		if len(s) >= 6 {
			secrets = append(secrets, s, url.QueryEscape(s), url.PathEscape(s))
		}
	}
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
	if len(secrets) == 0 {
		return hider{}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, hidden)
	}
	return hider{strings.NewReplacer(pairs...)}
}

func (h hider) text(s string) string {
	if h.replacer == nil {
		return s
	}
	return h.replacer.Replace(s)
}

// error is err, or a text in its place if there is a key in it.
func (h hider) error(err error) error {
	if err == nil || h.replacer == nil {
		return err
	}
	if clean := h.text(err.Error()); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}
