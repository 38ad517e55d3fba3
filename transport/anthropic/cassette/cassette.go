package cassette

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// Options configure how a cassette is used. The zero value replays strictly.
type Options struct {
	// Record sends the requests and keeps the responses, which replace the content of
	// the file.
	Record bool
	// InOrder replays the responses in the order in which they were recorded, whatever
	// the requests are. Otherwise a request gets the response to the recorded request
	// that equals it.
	InOrder bool
	// Transport sends the requests while recording; nil means
	// [http.DefaultTransport].
	Transport http.RoundTripper
	// Scrub changes a body before it is recorded, after keys and ids have been
	// replaced.
	Scrub func(body []byte) []byte
}

// A Cassette is an [http.RoundTripper] that records or replays. It is safe for
// concurrent use.
type Cassette struct {
	path string
	opts Options

	mu        sync.Mutex
	exchanges []exchange
	used      []bool // in replay
	ids       scrubber
}

// New returns a Cassette for the file path. The file must exist unless the cassette
// records.
func New(path string, o Options) (*Cassette, error) {
	c := &Cassette{path: path, opts: o, ids: newScrubber()}
	if c.opts.Transport == nil {
		c.opts.Transport = http.DefaultTransport
	}
	if o.Record {
		return c, nil
	}
	var err error
	if c.exchanges, err = load(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cassette %s: not there yet; record it by running the test with a key and WHORL_CASSETTE=record", path)
		}
		return nil, fmt.Errorf("cassette %s: %w", path, err)
	}
	c.used = make([]bool, len(c.exchanges))
	return c, nil
}

// A TB is what Open needs of a test: *testing.T, *testing.B and **testing.F implement
// it.
type TB interface {
	Helper()
	Failed() bool
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Open returns a Cassette for a test. With WHORL_CASSETTE=record in the environment it
// records, and writes the file when the test has passed. Otherwise it replays, and the
// test fails if a recorded exchange was not used.
func Open(t TB, path string) *Cassette {
	t.Helper()
	c, err := New(path, Options{Record: os.Getenv("WHORL_CASSETTE") == "record"})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		switch {
		case t.Failed():
		case c.opts.Record:
			if err := c.Save(); err != nil {
				t.Errorf("%v", err)
			}
		default:
			if n := c.Left(); n > 0 {
				t.Errorf("cassette %s: %d of %d recorded exchanges were not used", path, n, len(c.exchanges))
			}
		}
	})
	return c
}

// HTTPClient returns an HTTP client that goes through the cassette, for
// [anthropic.Options] or any other client of the service.
func (c *Cassette) HTTPClient() *http.Client { return &http.Client{Transport: c} }

// Client returns a client that goes through the cassette. While recording, it takes its
// key from the environment, as [anthropic.FromEnv] does. Client panics if there is no
// key, which ends the test.
func (c *Cassette) Client() *anthropic.Client {
	o := anthropic.Options{APIKey: secret.New("replayed")}
	if c.opts.Record {
		var err error
		if o, err = anthropic.EnvOptions(); err != nil {
			panic(err)
		}
	}
	o.HTTPClient = c.HTTPClient()
	client, err := anthropic.New(o)
	if err != nil {
		panic(err)
	}
	return client
}

// Left returns the number of recorded exchanges that have not been replayed.
func (c *Cassette) Left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, used := range c.used {
		if !used {
			n++
		}
	}
	return n
}

// Save writes what was recorded to the file.
func (c *Cassette) Save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := save(c.path, c.exchanges); err != nil {
		return fmt.Errorf("cassette %s: %w", c.path, err)
	}
	return nil
}

// RoundTrip records or replays one exchange.
func (c *Cassette) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if c.opts.Record {
		return c.record(req, body)
	}
	return c.replay(req, body)
}

// record sends the request and keeps the answer once it has been read.
func (c *Cassette) record(req *http.Request, body []byte) (*http.Response, error) {
	sent := req.Clone(req.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := c.opts.Transport.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		plain, err := gzip.NewReader(resp.Body)
		if err != nil {
			resp.Body.Close()
			return nil, err
		}
		resp.Body = struct {
			io.Reader
			io.Closer
		}{plain, resp.Body}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
	}
	// The place is taken now: answers that are read side by side stay in the order of the questions.
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.exchanges)
	c.exchanges = append(c.exchanges, exchange{})
	resp.Body = &recorder{ReadCloser: resp.Body, keep: func(answer []byte) { c.keep(i, req, body, resp, answer) }}
	return resp, nil
}

// keep stores an exchange without its secrets.
func (c *Cassette) keep(i int, req *http.Request, body []byte, resp *http.Response, answer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	secrets := secret.NewRedactor(append(secret.InQuery(req.URL), secret.InHeader(req.Header)...)...)
	clean := func(b []byte) []byte {
		b = c.ids.scrub(b, secrets)
		if c.opts.Scrub != nil {
			b = c.opts.Scrub(b)
		}
		return b
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		answer = c.ids.scrubPieces(answer, secrets)
	}
	path := string(c.ids.scrub([]byte(pathOf(req.URL)), secrets))
	c.exchanges[i] = newExchange(req, path, clean(body), resp, clean(answer))
	for name, v := range c.exchanges[i].Response.Header {
		c.exchanges[i].Response.Header[name] = string(clean([]byte(v)))
	}
}

// A recorder passes an answer on and keeps what was read when it ends or is closed.
type recorder struct {
	io.ReadCloser
	got  bytes.Buffer
	keep func([]byte)
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.got.Write(p[:n])
	return n, err
}

func (r *recorder) Close() error {
	if r.keep != nil {
		r.keep(r.got.Bytes())
		r.keep = nil
	}
	return r.ReadCloser.Close()
}

// replay answers with what was recorded.
func (c *Cassette) replay(req *http.Request, body []byte) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var nearest *Difference
	used := 0
	for i := range c.exchanges {
		e := &c.exchanges[i]
		if c.used[i] {
			if !c.opts.InOrder && difference(e, req, body) == nil {
				used++
			}
			continue
		}
		d := difference(e, req, body)
		if d == nil || c.opts.InOrder {
			c.used[i] = true
			return e.answer(req), nil
		}
		if nearest == nil {
			d.Exchange = i + 1
			nearest = d
		}
	}
	return nil, &MismatchError{Cassette: c.path, Recorded: len(c.exchanges), Difference: nearest, used: used}
}

// A MismatchError reports a request that is not on the cassette.
type MismatchError struct {
	Cassette   string
	Recorded   int         // number of exchanges on the cassette
	Difference *Difference // from the next exchange that was not used; nil if all were used

	used int // how often the very request was recorded, and used up
}

func (e *MismatchError) Error() string {
	if e.Difference == nil {
		return fmt.Sprintf("cassette %s: one request more than the %d that were recorded; record it again with WHORL_CASSETTE=record", e.Cassette, e.Recorded)
	}
	if e.used > 0 {
		return fmt.Sprintf("cassette %s: a request was sent for the %d. time, and recorded once less; if that is intended, record it again with WHORL_CASSETTE=record", e.Cassette, e.used+1)
	}
	d := e.Difference
	return fmt.Sprintf("cassette %s: a request that was not recorded; its first difference from number %d is at %s:\n  sent:     %s\n  recorded: %s\nIf the change is intended, record it again with WHORL_CASSETTE=record",
		e.Cassette, d.Exchange, d.Path, cmp.Or(d.Sent, "nothing"), cmp.Or(d.Recorded, "nothing"))
}

// Permanent reports that the same request would fail again.
func (e *MismatchError) Permanent() bool { return true }

// keptHeader tells the headers of an answer that a cassette keeps. Those that say
// something of the account, its ids and its limits, are not among them.
func keptHeader(name string) bool {
	return slices.Contains([]string{"content-type", "retry-after", "retry-after-ms", "x-should-retry", "request-id"}, strings.ToLower(name))
}
