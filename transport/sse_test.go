package transport

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Events as the HTML standard defines them (section 9.2.6), however they arrive.
func TestServerSentEvents(t *testing.T) {
	for name, tt := range map[string]struct{ stream, want string }{
		"LF":                     {"event: a\ndata: 1\n\ndata: 2\n\n", "a=1;=2;"},
		"CRLF":                   {"event: a\r\ndata: 1\r\ndata: 2\r\n\r\ndata: 3\r\n\r\n", "a=1|2;=3;"},
		"CR":                     {"event: a\rdata: 1\rdata: 2\r\rdata: 3\r\r", "a=1|2;=3;"},
		"byte order mark":        {"\xef\xbb\xbfevent: a\ndata: 1\n\n", "a=1;"},
		"mark inside":            {"event: a\ndata: \xef\xbb\xbf1\n\n", "a=\xef\xbb\xbf1;"},
		"comments":               {": x\n\nevent: a\n:\ndata: 1\n: y\n\n", "a=1;"},
		"no space":               {"event:a\ndata:1\n\n", "a=1;"},
		"two spaces":             {"event: a\ndata:  1\n\n", "a= 1;"},
		"no data":                {"event: a\n\ndata: 1\n\n", "=1;"},
		"empty data":             {"event: a\ndata:\n\ndata: 1\n\n", "=1;"},
		"other fields":           {"id: 7\nretry: 9\ndata: 1\nfoo\n\n", "=1;"},
		"end without empty line": {"event: a\ndata: 1\n", "a=1;"},
		"data without its end":   {"event: a\ndata: 1\n\ndata: 2", "a=1;=2;"},
		"end without a line":     {"event: a\ndata: 1", "a=1;"},
		"nothing":                {"", ""},
		"short":                  {"\n", ""},
	} {
		for way, src := range map[string]io.Reader{"at once": strings.NewReader(tt.stream), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.stream)), "with its end": iotest.DataErrReader(strings.NewReader(tt.stream))} {
			var r sseReader
			r.reset(src)
			got := ""
			event, data, err := r.next()
			for ; err == nil; event, data, err = r.next() {
				got += string(event) + "=" + strings.ReplaceAll(string(data), "\n", "|") + ";"
			}
			if got != tt.want || err != io.EOF {
				t.Errorf("%s, %s: %q, want %q (%v)", name, way, got, tt.want, err)
			}
		}
	}
	// What a broken connection cut off is no event.
	lost := errors.New("lost")
	var r sseReader
	r.reset(io.MultiReader(strings.NewReader("data: 1\n\ndata: 2\n"), iotest.ErrReader(lost)))
	if _, data, err := r.next(); err != nil || string(data) != "1" {
		t.Errorf("%q, %v", data, err)
	}
	if _, data, err := r.next(); !errors.Is(err, lost) {
		t.Errorf("%q, %v", data, err)
	}
}

// An event without an end doesn't fill the memory.
func TestEventWithoutEnd(t *testing.T) {
	for _, stream := range []string{"data: ", "event: ", "data: a\ndata: "} {
		var r sseReader
		r.reset(io.MultiReader(strings.NewReader(stream), io.LimitReader(letters{}, 5*maxLine/2)))
		if _, data, err := r.next(); err == nil || !strings.Contains(err.Error(), "an event of more than 64 MB") {
			t.Errorf("%q without an end: %d bytes, %v", stream, len(data), err)
		}
	}
}

// Letters are an io.Reader of the letter x, without end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for n := copy(p, "x"); n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	return len(p), nil
}
