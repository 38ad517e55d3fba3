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

// decoded reads a body as its Content-Encoding says. The client asks for none,
// but some proxies compress all the same.
func decoded(h http.Header, body io.Reader) (io.Reader, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(body)
	case "deflate":
		in := bufio.NewReader(body)
		// It should be the zlib format (RFC 9110, section 8.4.1.2), but isn't always.
		if head, err := in.Peek(2); err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			return zlib.NewReader(in)
		}
		return flate.NewReader(in), nil
	default:
		return nil, &encodingError{encoding}
	}
}

// An encodingError is an answer in a Content-Encoding that was not asked for.
type encodingError struct{ encoding string }

func (e *encodingError) Error() string {
	return fmt.Sprintf("the answer has the Content-Encoding %q, which was not asked for; turn it off in the proxy or gateway in between", e.encoding)
}

// Permanent tells that the same request would fail again.
func (e *encodingError) Permanent() bool { return true }

// errorBody reads the beginning of a failure's body: what can be read of it.
func errorBody(h http.Header, body io.Reader) []byte {
	raw, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	plain, err := decoded(h, bytes.NewReader(raw))
	if err != nil {
		return raw // some label as compressed what is not
	}
	text, _ := io.ReadAll(io.LimitReader(plain, maxErrorBody))
	return text
}

// A form is what a body of status 200 holds.
type form int

const (
	formStream form = iota
	formJSON
	formPage
)

// formOf tells the form of an answer by its Content-Type, or by its first
// character where the type says nothing that is of use.
func formOf(h http.Header, body io.Reader) (form, io.Reader) {
	mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch mediaType = strings.ToLower(strings.TrimSpace(mediaType)); {
	case mediaType == "text/event-stream":
		return formStream, body
	case mediaType == "application/json":
		return formJSON, body
	case mediaType == "text/html":
		return formPage, body
	}
	in := bufio.NewReader(body)
	for {
		c, err := in.ReadByte()
		switch {
		case err != nil:
			return formStream, in
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		}
		_ = in.UnreadByte()
		switch c {
		case '{':
			return formJSON, in
		case '<':
			return formPage, in
		}
		return formStream, in
	}
}
