package anthropic

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A headReader is a reader whose beginning can be looked at.
type headReader struct {
	head []byte // read ahead: buf[from:to]
	src  io.Reader
	buf  [16]byte
}

// peek reads until n bytes are there, or src ends or fails: what it returned then
// comes again when it is read on.
func (r *headReader) peek(n int) []byte {
	for len(r.head) < n {
		if cap(r.head) == 0 {
			r.head = r.buf[:0]
		}
		m, err := r.src.Read(r.buf[len(r.head):])
		r.head = r.buf[:len(r.head)+m]
		if err != nil {
			r.src = errorReader{err}
			break
		}
	}
	return r.head
}

func (r *headReader) Read(p []byte) (int, error) {
	if len(r.head) == 0 {
		return r.src.Read(p)
	}
	n := copy(p, r.head)
	r.head = r.head[n:]
	return n, nil
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// decoded reads a body as its first bytes say, and as its Content-Encoding says
// where they leave it open. The client asks for no encoding, but some proxies
// compress all the same, and some decompress and leave the label.
func decoded(h http.Header, body *headReader) (*headReader, error) {
	encoding := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding")))
	if encoding == "" || encoding == "identity" {
		// The answer to a request that wants none begins with a letter, a colon or a
		// bracket: what begins otherwise is compressed and not labelled so.
		if !isGzip(body.peek(1)) || !isGzip(body.peek(2)) {
			return body, nil
		}
		encoding = "gzip"
	}
	head := body.peek(2)
	if isPlain(head) {
		return body, nil
	}
	switch encoding {
	case "gzip", "x-gzip":
		if isZlib(head) {
			return inflated(zlib.NewReader(body))
		}
		return inflated(gzip.NewReader(body))
	case "deflate":
		// It should be the zlib format (RFC 9110, section 8.4.1.2), but isn't always.
		switch {
		case isGzip(head):
			return inflated(gzip.NewReader(body))
		case isZlib(head):
			return inflated(zlib.NewReader(body))
		}
		return &headReader{src: flate.NewReader(bufio.NewReader(body))}, nil
	}
	return nil, &encodingError{encoding}
}

func inflated(r io.Reader, err error) (*headReader, error) {
	if err != nil {
		return nil, &permanentError{fmt.Errorf("the answer is labelled as compressed and is not; turn that off in the proxy or gateway in between: %w", err)}
	}
	return &headReader{src: r}, nil
}

// isGzip reports whether a body may begin with the bytes of gzip.
func isGzip(head []byte) bool {
	return len(head) > 0 && bytes.HasPrefix([]byte{0x1f, 0x8b}, head[:min(2, len(head))])
}

func isZlib(head []byte) bool {
	return len(head) > 1 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0
}

// isPlain reports whether a body begins as a stream of events, JSON or a web page
// does.
func isPlain(head []byte) bool {
	if len(head) == 0 {
		return true
	}
	if bytes.HasPrefix([]byte("\xef\xbb\xbf"), head[:min(2, len(head))]) {
		return true // a byte order mark
	}
	if !strings.ContainsRune("{[<: \t\r\nedri", rune(head[0])) {
		return false
	}
	return len(head) < 2 || head[1] == '\n' || head[1] == '\r' || head[1] == '\t' || head[1] >= ' ' && head[1] < 0x7f
}

// An encodingError is an answer in a Content-Encoding that was not asked for.
type encodingError struct{ encoding string }

func (e *encodingError) Error() string {
	return fmt.Sprintf("the answer has the Content-Encoding %q, which was not asked for; turn it off in the proxy or gateway in between", e.encoding)
}

// Permanent reports that the same request would fail again.
func (e *encodingError) Permanent() bool { return true }

// errorBody reads the beginning of a failure's body: what can be read of it.
func errorBody(h http.Header, body io.Reader) []byte {
	raw, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	plain, err := decoded(h, &headReader{src: bytes.NewReader(raw)})
	if err != nil {
		return raw // some label as compressed what is not
	}
	text, _ := io.ReadAll(io.LimitReader(plain, maxErrorBody))
	return text
}

// A form is what a body of a successful answer holds.
type form int

const (
	formStream form = iota
	formJSON
	formPage
)

// formOf tells the form of an answer by its first character that is not white
// space. Gateways label streams as JSON, JSON as a stream, and both as text.
func formOf(body *headReader) form {
	for n := 1; n <= len(body.buf); n++ {
		head := body.peek(n)
		if len(head) < n {
			return formStream
		}
		switch head[n-1] {
		case ' ', '\t', '\r', '\n', 0xef, 0xbb, 0xbf:
			continue
		case '{', '[':
			return formJSON
		case '<':
			return formPage
		}
		return formStream
	}
	return formStream
}
