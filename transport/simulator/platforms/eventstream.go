package platforms

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// frame is a message of AWS's event stream ("Event stream encoding" of the Amazon
// Transcribe developer guide): two lengths and their checksum, headers, the payload,
// and a checksum of all that stands before it. The headers are names and texts.
func frame(payload []byte, headers ...string) []byte {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(h, byte(len(headers[i])))
		h = append(h, headers[i]...)
		h = append(h, 7) // a text
		h = binary.BigEndian.AppendUint16(h, uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(h)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(append(out, h...), payload...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

// chunk is an event of the API as InvokeModel sends it. The padding hides the length.
func chunk(event []byte) []byte {
	payload := `{"bytes":"` + base64.StdEncoding.EncodeToString(event) + `","p":"abcdefghijklmnopqrstuvwxyzABCDEFG"}`
	return frame([]byte(payload), ":event-type", "chunk", ":content-type", "application/json", ":message-type", "event")
}

// A bedrockWriter gives an answer InvokeModel's form.
type bedrockWriter struct {
	http.ResponseWriter
	status   int
	streamed bool
	held     []byte // of an error, or of a stream behind its last whole event
}

func (w *bedrockWriter) WriteHeader(status int) {
	w.status = status
	h := w.Header()
	h.Set("X-Amzn-Requestid", h.Get("Request-Id"))
	h.Del("Request-Id")
	h.Del("Anthropic-Organization-Id")
	if w.streamed = status == http.StatusOK && bytes.HasPrefix([]byte(h.Get("Content-Type")), []byte("text/event-stream")); w.streamed {
		h.Set("Content-Type", "application/vnd.amazon.eventstream")
		h.Set("X-Amzn-Bedrock-Content-Type", "application/json")
	}
	if status == http.StatusOK {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *bedrockWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.status != http.StatusOK:
		w.held = append(w.held, p...)
		return len(p), nil
	case !w.streamed:
		return w.ResponseWriter.Write(p)
	}
	w.held = append(w.held, p...)
	for {
		event, rest, ok := bytes.Cut(w.held, []byte("\n\n"))
		if !ok {
			return len(p), nil
		}
		out := event
		w.held = append([]byte(nil), rest...)
		if err := w.event(out); err != nil {
			return 0, err
		}
	}
}

func (w *bedrockWriter) event(text []byte) error {
	_, data, ok := bytes.Cut(text, []byte("data: "))
	if !ok {
		return nil // a comment
	}
	data = bytes.TrimRight(data, " ")
	var out []byte
	switch rawjson.GetString(data, "type") {
	case "error":
		inner := rawjson.Get(data, "error")
		name := exceptionOf(rawjson.GetString(inner, "type"), 0)
		out = frame([]byte(`{"message":`+quote(rawjson.GetString(inner, "message"))+`}`), ":exception-type", lowerFirst(name), ":content-type", "application/json", ":message-type", "exception")
	case "message_stop":
		out = append(chunk(data), chunk([]byte(`{"amazon-bedrock-invocationMetrics":{"inputTokenCount":1,"outputTokenCount":1,"invocationLatency":1,"firstByteLatency":1}}`))...)
	default:
		out = chunk(data)
	}
	_, err := w.ResponseWriter.Write(out)
	return err
}

func (w *bedrockWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok && w.status == http.StatusOK {
		f.Flush()
	}
}

// done sends an error, which is whole only now.
func (w *bedrockWriter) done() {
	if w.status == 0 || w.status == http.StatusOK {
		return
	}
	inner := rawjson.Get(w.held, "error")
	name := exceptionOf(rawjson.GetString(inner, "type"), w.status)
	status := w.status
	if status == 529 {
		status = http.StatusServiceUnavailable
	}
	w.Header().Del("X-Should-Retry")
	writeBedrockError(w.ResponseWriter, &refusal{status: status, name: name, message: rawjson.GetString(inner, "message")})
}

// exceptionOf is Bedrock's name of an error.
func exceptionOf(typ string, status int) string {
	switch typ {
	case "rate_limit_error":
		return "ThrottlingException"
	case "overloaded_error":
		return "ServiceUnavailableException"
	case "permission_error", "authentication_error":
		return "AccessDeniedException"
	case "not_found_error":
		return "ResourceNotFoundException"
	case "timeout_error":
		return "ModelTimeoutException"
	case "api_error":
		return "InternalServerException"
	}
	if status >= 500 {
		return "InternalServerException"
	}
	return "ValidationException"
}

func lowerFirst(s string) string { return string(s[0]|0x20) + s[1:] }

func writeBedrockError(w http.ResponseWriter, why *refusal) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", why.name+":http://internal.amazon.com/coral/com.amazon.bedrock/")
	w.Header().Del("Content-Length")
	w.WriteHeader(why.status)
	w.Write([]byte(`{"message":` + quote(why.message) + `}`))
}
