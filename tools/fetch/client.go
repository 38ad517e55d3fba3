package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/internal/runes"
)

const maxURL = 2048

// newClient makes a client whose every connection is checked when it is made.
func (f *Fetcher) newClient() *http.Client {
	dialer := &net.Dialer{Control: f.guard(net.InterfaceAddrs), Resolver: f.options.Resolver, Timeout: 10 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true, // a connection belongs to one fetch
			MaxResponseHeaderBytes: 64 << 10,
			TLSHandshakeTimeout:    10 * time.Second,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > f.options.MaxRedirects {
				return &refusal{fmt.Errorf("%w, more than %d", errRedirects, max(f.options.MaxRedirects, 0))}
			}
			req.Header.Del("Referer")
			u, err := f.check(req.URL.String())
			if err != nil {
				return &refusal{fmt.Errorf("the redirect is not allowed: %w", err)}
			}
			req.URL.Host = u.Host
			if f.options.Robots && req.Context().Value(robotsFile{}) == nil {
				if err := f.obey(req.Context(), u); err != nil {
					return &refusal{err}
				}
			}
			return nil
		},
	}
}

// check refuses a URL by what it says. What its host turns out to be is checked
// when it is dialled.
func (f *Fetcher) check(rawURL string) (*url.URL, error) {
	if len(rawURL) > maxURL {
		return nil, fmt.Errorf("the URL has %d bytes; at most %d are allowed", len(rawURL), maxURL)
	}
	u, err := url.Parse(strings.TrimSpace(rawURL))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the URL %q can't be read", clip(rawURL))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the URL %q must start with http:// or https://", clip(rawURL))
	case u.Hostname() == "":
		return nil, fmt.Errorf("the URL %q has no host", clip(rawURL))
	case u.User != nil:
		return nil, errors.New("the URL has a user name in it; leave it out")
	}
	host, err := plainHost(u.Hostname())
	if err != nil {
		return nil, err
	}
	if len(f.hosts) > 0 && !within(host, f.hosts) || within(host, f.notHosts) {
		return nil, fmt.Errorf("fetching pages of %s is not allowed", clip(host))
	}
	setHost(u, host)
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// open sends a GET and returns the response with a body that ends at the limit.
func (f *Fetcher) open(ctx context.Context, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", f.options.UserAgent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,text/plain,application/json,application/pdf,image/*;q=0.8,*/*;q=0.5")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, reasonOf(err)
	}
	return resp, nil
}

func (f *Fetcher) get(ctx context.Context, u *url.URL) (*Page, error) {
	resp, err := f.open(ctx, u)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", statusOf(resp))
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, errors.New("the body is compressed in a way that was not asked for")
	}
	if resp.ContentLength > f.options.MaxBytes {
		return nil, fmt.Errorf("the page has %d bytes; at most %d are read", resp.ContentLength, f.options.MaxBytes)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, f.options.MaxBytes+1))
	switch {
	case err != nil:
		return nil, &reason{"the body broke off", err}
	case int64(len(body)) > f.options.MaxBytes:
		return nil, fmt.Errorf("the page has more than %d bytes", f.options.MaxBytes)
	}
	page := &Page{URL: encodeURL(resp.Request.URL), Fetched: time.Now()}
	return page, page.read(ctx, body, resp.Header.Get("Content-Type"), resp.Request.URL, f.options)
}

// statusOf is a status in our words: the server's may be anything.
func statusOf(resp *http.Response) string {
	return strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
}

// clip is the beginning of s, without what can't be seen.
func clip(s string) string {
	s = visibleOnly(s)
	if len(s) > 100 {
		return runes.Cut(s, 100) + "…"
	}
	return s
}
