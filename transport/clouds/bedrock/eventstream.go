package bedrock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A stream reads an AWS event stream as the server-sent events that it carries. The
// bytes of an event are passed on as they are; exceptions become error events of
// Anthropic's form.
type stream struct {
	in      counted
	close   io.Closer
	decoder *eventstream.Decoder
	payload []byte       // reused
	out     bytes.Buffer // server-sent events that weren't read yet
	err     error
}

func newStream(body io.ReadCloser) *stream {
	return &stream{in: counted{r: body}, close: body, decoder: eventstream.NewDecoder()}
}

// counted tells whether a message had begun when the stream ended.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func (s *stream) Close() error { return s.close.Close() }

func (s *stream) Read(p []byte) (int, error) {
	for s.out.Len() == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.err = s.next()
	}
	return s.out.Read(p)
}

// next reads one message. What stands in it is in s.out then.
func (s *stream) next() error {
	s.in.n = 0
	m, err := s.decoder.Decode(&s.in, s.payload)
	switch {
	case err == io.EOF && s.in.n == 0:
		return io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return fmt.Errorf("bedrock: the event stream can't be read: %w", err)
	}
	s.payload = m.Payload[:0]
	switch kind := header(m, ":message-type"); kind {
	case "event":
		if header(m, ":event-type") != "chunk" {
			return nil // a kind of next year
		}
		return s.chunk(m.Payload)
	case "exception":
		s.fail(header(m, ":exception-type"), m.Payload)
	case "error":
		text, _ := json.Marshal(map[string]string{"message": header(m, ":error-message")})
		s.fail(header(m, ":error-code"), text)
	default:
		return fmt.Errorf("bedrock: a message of the event stream has the type %q", kind)
	}
	return nil
}

func header(m eventstream.Message, name string) string {
	if v, ok := m.Headers.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}

// chunk passes on the event that a chunk holds: {"bytes": base64 of JSON, …}.
func (s *stream) chunk(payload []byte) error {
	var c struct {
		Bytes []byte `json:"bytes"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return fmt.Errorf("bedrock: a chunk of the event stream can't be read: %w", err)
	}
	kind := rawjson.GetString(c.Bytes, "type")
	if kind == "" {
		return nil // counts of Bedrock's own: no event of the API
	}
	s.emit(kind, c.Bytes)
	return nil
}

func (s *stream) fail(name string, payload []byte) {
	s.emit("error", errorBody(name, payload))
}

func (s *stream) emit(kind string, data []byte) {
	s.out.WriteString("event: ")
	s.out.WriteString(strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, kind))
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		s.out.WriteString("\ndata: ")
		s.out.Write(bytes.TrimSuffix(line, []byte("\r")))
	}
	s.out.WriteString("\n\n")
}

// exceptions are the names of Bedrock's errors, in lower case and without their
// ending, the status that they come with, and what Anthropic calls them.
var exceptions = map[string]struct {
	status int
	typ    transport.ErrorType
}{
	"throttling":                 {429, transport.ErrRateLimit},
	"servicequotaexceeded":       {429, transport.ErrRateLimit},
	"modelnotready":              {429, transport.ErrOverloaded},
	"serviceunavailable":         {503, transport.ErrOverloaded},
	"internalserver":             {500, transport.ErrAPI},
	"internalfailure":            {500, transport.ErrAPI},
	"modelstreamerror":           {500, transport.ErrAPI},
	"modelerror":                 {500, transport.ErrAPI},
	"modeltimeout":               {504, transport.ErrTimeout},
	"validation":                 {400, transport.ErrInvalidRequest},
	"resourcenotfound":           {404, transport.ErrNotFound},
	"accessdenied":               {403, transport.ErrPermission},
	"unrecognizedclient":         {401, transport.ErrAuthentication},
	"expiredtoken":               {401, transport.ErrAuthentication},
	"invalidsignature":           {401, transport.ErrAuthentication},
	"signaturedoesnotmatch":      {401, transport.ErrAuthentication},
	"incompletesignature":        {401, transport.ErrAuthentication},
	"invalidclienttokenid":       {401, transport.ErrAuthentication},
	"missingauthenticationtoken": {401, transport.ErrAuthentication},
	"requestexpired":             {401, transport.ErrAuthentication},
	"requesttimetooskewed":       {401, transport.ErrAuthentication},
	"notauthorized":              {403, transport.ErrPermission},
	"optinrequired":              {403, transport.ErrPermission},
	"requestentitytoolarge":      {413, transport.ErrRequestTooLarge},
	"conflict":                   {409, transport.ErrConflict},
}

// stem is the name of an exception as it stands in exceptions: AWS puts a namespace
// in front of it, and an address or "Exception" behind it, or not.
func stem(name string) string {
	name, _, _ = strings.Cut(name, ":")
	if i := strings.LastIndexByte(name, '#'); i >= 0 {
		name = name[i+1:]
	}
	return strings.TrimSuffix(strings.ToLower(name), "exception")
}

// errorBody gives an error Anthropic's form. What came is kept in it.
func errorBody(name string, came []byte) []byte {
	typ := exceptions[stem(name)].typ
	message := rawjson.GetString(came, "message")
	if message == "" {
		message = rawjson.GetString(came, "Message")
	}
	if message == "" {
		message = strings.TrimSpace(string(came))
	}
	if message == "" || message == "{}" {
		message = name
	}
	if n, ok := originalStatus(came); ok && n == 429 {
		typ = transport.ErrRateLimit
	}
	inner := []byte("{")
	if typ != "" {
		inner = append(inner, platform.Member("type", platform.Quote(string(typ)))...)
		inner = append(inner, ',')
	}
	inner = append(inner, platform.Member("message", platform.Quote(message))...)
	code, _, _ := strings.Cut(name, ":")
	if i := strings.LastIndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	if code != "" {
		inner = append(inner, ',')
		inner = append(inner, platform.Member("code", platform.Quote(code))...)
	}
	out := append([]byte(`{"type":"error","error":`), append(inner, '}')...)
	if rawjson.Valid(came) {
		out = append(out, ',')
		out = append(out, platform.Member("platform", rawjson.Trim(came))...)
	}
	return append(out, '}')
}

// originalStatus is that of the model behind a ModelErrorException or a
// ModelStreamErrorException.
func originalStatus(came []byte) (int, bool) {
	var v struct {
		Status int `json:"originalStatusCode"`
	}
	if json.Unmarshal(came, &v) != nil || v.Status == 0 {
		return 0, false
	}
	return v.Status, true
}
