package mcp

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// A line of a stream goes on without an end behind its beginning. It counts what is read.
type endlessLine struct {
	begin string
	read  int
}

const endOfEndless = 4 << 20

func (e *endlessLine) Read(p []byte) (int, error) {
	if e.read > endOfEndless {
		return 0, io.EOF
	}
	n := copy(p, e.begin)
	e.begin = e.begin[n:]
	for i := n; i < len(p); i++ {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

func (e *endlessLine) Close() error { return nil }

// No line of a stream is kept beyond the bound of a message, whatever it begins with: one of
// data is read over, and any other ends the stream.
func TestEndlessLines(t *testing.T) {
	const most = 10_000
	for _, begin := range []string{": a comment", "event: message", "id: 1", "retry: 1", "database: 1", "x", "data: a\n: b"} {
		body := &endlessLine{begin: begin}
		if _, err := io.ReadAll(newEvents(body, newExchanges(slog.New(slog.DiscardHandler)), most)); err == nil || !strings.Contains(err.Error(), "too long") || body.read > most+128<<10 {
			t.Errorf("%q: %v after %d bytes", begin, err, body.read)
		}
	}
	for _, begin := range []string{"data: {\"id\":1,\"result\":\"", "data:", "data: a\ndata: b"} {
		body := &endlessLine{begin: begin}
		e := newEvents(body, newExchanges(slog.New(slog.DiscardHandler)), most)
		if out, err := io.ReadAll(e); err != nil || len(out) > most || cap(e.data) > 4*most {
			t.Errorf("%q: %v; %d bytes came out, %d are kept", begin, err, len(out), cap(e.data))
		}
	}
}

// An answer in a stream is one when its event is whole; what is broken off before that is
// none.
func TestEventsThatAreWhole(t *testing.T) {
	const answer = `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`
	for _, tt := range []struct {
		stream string
		taken  bool
	}{
		{"data: " + answer + "\n\n", true},
		{"data: " + answer + "\r\n\r\n", true},
		{"data:" + answer + "\n\n", true},
		{"data: " + strings.Replace(answer, `"id"`, "\ndata: \"id\"", 1) + "\n\n", true},
		{"data: " + answer + "\n", false},
		{"data: " + answer, false},
		{"data: " + answer[:20] + "\n\n", false},
		{"datax: " + answer + "\n\n", false},
		{": " + answer + "\n\n", false},
		{"data: " + answer + "\n\ndata: " + answer + "\n\n", true}, // the second is an answer to nothing
	} {
		x := newExchanges(slog.New(slog.DiscardHandler))
		s := x.sends(context.Background(), []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		out, err := io.ReadAll(newEvents(io.NopCloser(strings.NewReader(tt.stream)), x, 1<<20))
		if err != nil || strings.Contains(string(out), `data: {`) != tt.taken || strings.Count(string(out), `"result"`) > 1 || s.answered.Load() != tt.taken {
			t.Errorf("%q: %q, %v, answered: %v", tt.stream, out, err, s.answered.Load())
		}
	}
}
