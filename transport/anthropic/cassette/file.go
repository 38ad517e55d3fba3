package cassette

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/secret"
)

// A file is the JSON of a cassette. Answers are kept as text, so that they come
// back byte for byte; requests as JSON, as they are compared by value.
type file struct {
	Version   int        `json:"version"`
	Exchanges []exchange `json:"exchanges"`
}

const version = 1

type exchange struct {
	Request  request  `json:"request"`
	Response response `json:"response"`
}

type request struct {
	Method string          `json:"method"`
	Path   string          `json:"path"` // with the query
	Beta   string          `json:"anthropic_beta,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Text   string          `json:"text,omitempty"` // a body that isn't JSON
}

type response struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"`
	Events []string          `json:"events,omitempty"` // of a stream
	Body   string            `json:"body,omitempty"`   // of an answer that is none
	Bytes  []byte            `json:"bytes,omitempty"`  // the same, where it isn't UTF-8
}

func newExchange(req *http.Request, path string, body []byte, resp *http.Response, answer []byte) exchange {
	e := exchange{
		Request: request{Method: req.Method, Path: path, Beta: req.Header.Get("Anthropic-Beta")},
		Response: response{
			Status: resp.StatusCode,
			Header: make(map[string]string),
		},
	}
	if json.Valid(body) {
		e.Request.Body = body
	} else if len(body) > 0 {
		e.Request.Text = "not kept"
	}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		if keptHeader(name) {
			e.Response.Header[name] = resp.Header.Get(name)
		}
	}
	switch {
	case !utf8.Valid(answer):
		e.Response.Bytes = answer
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		for len(answer) > 0 {
			event, rest, found := bytes.Cut(answer, []byte("\n\n"))
			if found {
				event = answer[:len(event)+2]
			}
			e.Response.Events = append(e.Response.Events, string(event))
			answer = rest
		}
	default:
		e.Response.Body = string(answer)
	}
	return e
}

// pathOf is a request's path and query without what only a secret can be.
func pathOf(u *url.URL) string {
	query := u.Query()
	for name := range query {
		if secret.Named(name) {
			query.Set(name, "scrubbed")
		}
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: query.Encode()}).RequestURI()
}

// answer makes the HTTP response of a recorded one. A failure asks for a retry
// at once: nobody waits for a service that isn't there.
func (e *exchange) answer(req *http.Request) *http.Response {
	h := make(http.Header)
	for k, v := range e.Response.Header {
		h.Set(k, v)
	}
	if e.Response.Status >= http.StatusBadRequest {
		h.Del("Retry-After")
		h.Set("Retry-After-Ms", "1")
	}
	body := e.Response.Body + strings.Join(e.Response.Events, "") + string(e.Response.Bytes)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", e.Response.Status, http.StatusText(e.Response.Status)), StatusCode: e.Response.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req,
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

func load(path string) ([]exchange, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, err
	}
	if f.Version != version {
		return nil, fmt.Errorf("version %d; this package reads %d", f.Version, version)
	}
	return f.Exchanges, nil
}

// save writes the file beside its place and then moves it there.
func save(path string, exchanges []exchange) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(file{Version: version, Exchanges: exchanges}); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, buf.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
