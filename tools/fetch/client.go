package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"code.dny.dev/ssrf"
	"golang.org/x/net/html/charset"
)

const maxURL = 2048

// Addresses of clouds' own services that are public by their number.
var cloudAddresses = []netip.Prefix{netip.MustParsePrefix("168.63.129.16/32")} // Azure

var (
	errRedirects = errors.New("too many redirects")
	errPrivate   = errors.New("the address is not public")
)

// newClient makes a client whose every connection is checked when it is made.
func (f *Fetcher) newClient() *http.Client {
	ports := f.options.Ports
	if len(ports) == 0 {
		ports = []uint16{80, 443}
	}
	var v4, v6 []netip.Prefix
	for _, p := range f.options.Allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	guard := ssrf.New(ssrf.WithPorts(ports...), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...),
		ssrf.WithDeniedV4Prefixes(cloudAddresses...))
	dialer := &net.Dialer{Control: guard.Safe, Resolver: f.options.Resolver, Timeout: 10 * time.Second}
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
				return errRedirects
			}
			req.Header.Del("Referer")
			_, err := f.check(req.URL.String())
			return err
		},
	}
}

// check refuses a URL by what it says. What its host turns out to be is checked
// when it is dialled.
func (f *Fetcher) check(rawURL string) (*url.URL, error) {
	if len(rawURL) > maxURL {
		return nil, fmt.Errorf("the URL has %d bytes; at most %d are taken", len(rawURL), maxURL)
	}
	u, err := url.Parse(strings.TrimSpace(rawURL))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the URL can't be read: %w", errors.Unwrap(err))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the URL %q must start with http:// or https://", clip(rawURL))
	case u.Hostname() == "":
		return nil, fmt.Errorf("the URL %q has no host", clip(rawURL))
	case u.User != nil:
		return nil, errors.New("the URL has a user name in it; leave it out")
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if len(f.options.Hosts) > 0 && !within(host, f.options.Hosts) || within(host, f.options.NotHosts) {
		return nil, fmt.Errorf("pages of %s are not to be fetched", host)
	}
	u.Fragment = ""
	return u, nil
}

func within(host string, domains []string) bool {
	return slices.ContainsFunc(domains, func(d string) bool {
		d = strings.ToLower(d)
		return host == d || strings.HasSuffix(host, "."+d)
	})
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
	if err == nil {
		return resp, nil
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return nil, errPrivate // which one it has is nobody's business
	case errors.Is(err, ssrf.ErrProhibitedPort):
		return nil, fmt.Errorf("port %s is not allowed", u.Port())
	case errors.Is(err, errRedirects):
		return nil, fmt.Errorf("%w, more than %d", errRedirects, f.options.MaxRedirects)
	}
	return nil, err
}

func (f *Fetcher) get(ctx context.Context, u *url.URL) (*Page, error) {
	resp, err := f.open(ctx, u)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", clip(resp.Status))
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, fmt.Errorf("the body is encoded as %q, which was not asked for", clip(encoding))
	}
	if resp.ContentLength > f.options.MaxBytes {
		return nil, fmt.Errorf("the page has %d bytes; at most %d are read", resp.ContentLength, f.options.MaxBytes)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, f.options.MaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the body broke off: %w", err)
	case int64(len(body)) > f.options.MaxBytes:
		return nil, fmt.Errorf("the page has more than %d bytes", f.options.MaxBytes)
	}
	page := &Page{URL: resp.Request.URL.Redacted(), Fetched: time.Now()}
	return page, page.read(ctx, body, resp.Header.Get("Content-Type"), resp.Request.URL)
}

// read makes what the model sees of a body.
func (p *Page) read(ctx context.Context, body []byte, contentType string, base *url.URL) error {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind == "application/octet-stream" {
		contentType = http.DetectContentType(body)
		kind, _, _ = mime.ParseMediaType(contentType)
	}
	p.Kind = kind
	switch {
	case kind == "text/html" || kind == "application/xhtml+xml":
		text, err := decode(body, contentType)
		if err != nil {
			return err
		}
		p.Title, p.Text, err = markdown(ctx, text, base)
		return err
	case kind == "application/pdf":
		if http.DetectContentType(body) != kind {
			return errors.New("the body is not the PDF that it is said to be")
		}
		p.Data = body
		return nil
	case slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, kind):
		if http.DetectContentType(body) != kind {
			return errors.New("the body is not the picture that it is said to be")
		}
		p.Data = body
		return nil
	case strings.HasPrefix(kind, "text/"), kind == "application/json", kind == "application/xml", kind == "application/javascript",
		strings.HasSuffix(kind, "+json"), strings.HasSuffix(kind, "+xml"):
		text, err := decode(body, contentType)
		if err != nil {
			return err
		}
		if strings.ContainsRune(text, 0) {
			return fmt.Errorf("the body is not the text that it is said to be (%s)", clip(kind))
		}
		p.Text = text
		return nil
	}
	return fmt.Errorf("what is there is of type %s, which can't be shown", clip(kind))
}

// decode turns a body into UTF-8, by what the header or the page says.
func decode(body []byte, contentType string) (string, error) {
	if utf8.Valid(body) && !strings.Contains(strings.ToLower(contentType), "utf-16") {
		return string(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))), nil
	}
	r, err := charset.NewReader(bytes.NewReader(body), contentType)
	if err != nil {
		return "", fmt.Errorf("the body's encoding can't be read: %w", err)
	}
	text, err := io.ReadAll(r)
	return strings.ToValidUTF8(string(text), "\uFFFD"), err
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
