package platform

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// A hider takes credentials out of what a platform, or something on the way, repeats: the
// newest ones, since an answer to a request may come behind the next credentials.
type hider struct {
	sent []sent
	secret.Redactor
}

// sent are the credentials of a request.
type sent struct {
	all   secret.Value // all of them, to tell them from others
	parts []secret.Value
}

const mostSent = 8

// remember makes the credentials that a request has, in its headers or its query, hidden
// from then on.
func (f *front) remember(req *http.Request) {
	header := req.Header
	if strings.HasPrefix(header.Get("Authorization"), "AWS4-") { // a signature is good for one request
		header = maps.Clone(header)
		header.Del("Authorization")
	}
	parts := append(secret.InHeader(header), secret.InQuery(req.URL)...)
	if len(parts) == 0 {
		return
	}
	all := ""
	for _, p := range parts {
		all += p.Reveal() + "\n"
	}
	now := sent{secret.New(all), parts}
	for {
		was := f.hide.Load()
		next := &hider{}
		if was != nil {
			if slices.ContainsFunc(was.sent, func(s sent) bool { return s.all.Equal(now.all) }) {
				return
			}
			next.sent = was.sent[max(0, len(was.sent)-mostSent+1):]
		}
		next.sent = append(slices.Clip(next.sent), now)
		var secrets []secret.Value
		for _, s := range next.sent {
			secrets = append(secrets, s.parts...)
		}
		next.Redactor = secret.NewRedactor(secrets...)
		if f.hide.CompareAndSwap(was, next) {
			return
		}
	}
}

// Redactor takes the credentials of requests out of texts. The client asks for it.
func (f *front) Redactor() secret.Redactor {
	if h := f.hide.Load(); h != nil {
		return h.Redactor
	}
	return secret.Redactor{}
}

// cleaned is an answer without the credentials, if it is an error.
func (f *front) cleaned(resp *http.Response) *http.Response {
	if resp.StatusCode < 300 {
		return resp
	}
	hide := f.Redactor()
	if id := resp.Header.Get("Request-Id"); id != "" {
		resp.Header.Set("Request-Id", hide.String(id))
	}
	if resp.Header.Get("Content-Encoding") != "" {
		return resp // the client decodes it, and reads its message only: see Client.hidden
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	if err != nil {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(hide.Bytes(body)), failing{err}))
		return resp
	}
	body = hide.Bytes(body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// hidden is an error without the credentials. What the service reports keeps its type;
// any other error does if its text has none, also one about an answer of status 200 that
// isn't the service's and repeats what it was sent.
func (c *Client) hidden(err error) error {
	if err == nil {
		return nil
	}
	hide := c.front.Redactor()
	var refused *transport.Error
	var broken *transport.StreamError
	switch {
	case errors.As(err, &refused):
		refused.Message = hide.String(refused.Message)
		refused.Type = transport.ErrorType(hide.String(string(refused.Type)))
		refused.Code = hide.String(refused.Code)
		refused.RequestID = hide.String(refused.RequestID)
		refused.Raw = hide.Bytes(refused.Raw)
	case errors.As(err, &broken):
		broken.Err = hide.Err(broken.Err)
	default:
		return hide.Err(err)
	}
	return err
}
