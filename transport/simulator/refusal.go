package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Refusal is a response of status 400 or above. If a Model returns one as its error,
// the simulator sends it.
type Refusal struct {
	Status  int                 // HTTP status; inside a stream that has begun it isn't sent
	Type    transport.ErrorType // error.type
	Message string
	Code    string // error.details.error_code; empty for none
	// Details are further members of error.details, by name.
	Details map[string]any
	// RetryAfter is sent if above 0: as retry-after in seconds, or, below one second,
	// as retry-after-ms.
	RetryAfter time.Duration

	proxy bool // it is the proxy's own; see [PlatformCometAPI]
	final bool // the client is told not to try again
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.Status, r.Type, r.Message)
}

// refuse makes the most common refusal: 400 invalid_request_error.
func refuse(format string, args ...any) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Type: transport.ErrInvalidRequest, Message: fmt.Sprintf(format, args...)}
}

// notFound is the refusal of an unknown model, path or object.
func notFound(format string, args ...any) *Refusal {
	return &Refusal{Status: http.StatusNotFound, Type: transport.ErrNotFound, Message: fmt.Sprintf(format, args...)}
}

// Overloaded returns the refusal of an overloaded service (wire row 137).
func Overloaded() *Refusal {
	return &Refusal{Status: 529, Type: transport.ErrOverloaded, Message: "Overloaded"}
}

// RateLimited returns the refusal of a request over the limit (wire row 135).
func RateLimited(after time.Duration) *Refusal {
	return &Refusal{Status: http.StatusTooManyRequests, Type: transport.ErrRateLimit, RetryAfter: after,
		Message: "This request would exceed your account's rate limit. Please try again later."}
}

// InternalError returns the refusal for a failure inside the service (wire row 138).
func InternalError() *Refusal {
	return &Refusal{Status: http.StatusInternalServerError, Type: transport.ErrAPI, Message: "Internal server error"}
}

// details is the JSON of error.details, with the code in front.
func (r *Refusal) details() []byte {
	b := []byte{'{'}
	if r.Code != "" {
		b = append(b, `"error_code":`+quote(r.Code)...)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Details)) {
		value, err := rawjson.Marshal(r.Details[name])
		if err != nil {
			value = []byte("null") // not a value of JSON
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, quote(name)...), ':'), value...)
	}
	return append(b, '}')
}

// body is the error envelope (wire §1.6).
func (r *Refusal) body(requestID string) []byte {
	b := []byte(`{"type":"error","error":{`)
	if r.Code != "" || r.Details != nil {
		b = append(append(append(b, `"details":`...), r.details()...), ',')
	}
	b = append(b, `"type":`...)
	b = rawjson.AppendString(b, string(r.Type))
	b = append(b, `,"message":`...)
	b = rawjson.AppendString(b, r.Message)
	b = append(b, `},"request_id":`...)
	b = rawjson.AppendString(b, requestID)
	return append(b, '}')
}

// write sends the refusal as the whole answer.
func (r *Refusal) write(w http.ResponseWriter, requestID string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Should-Retry", strconv.FormatBool(!r.final && (r.Status == 408 || r.Status == 409 || r.Status == 429 || r.Status >= 500)))
	switch {
	case r.RetryAfter > 0 && r.RetryAfter < time.Second:
		h.Set("Retry-After-Ms", strconv.FormatInt(r.RetryAfter.Milliseconds(), 10))
	case r.RetryAfter > 0:
		h.Set("Retry-After", strconv.Itoa(int((r.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(r.Status)
	if r.proxy {
		w.Write(r.proxyBody())
		return
	}
	if r.Status == http.StatusRequestEntityTooLarge {
		// The edge refuses it, with a bare body (wire §1.5).
		w.Write([]byte(`{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`))
		return
	}
	w.Write(r.body(requestID))
}
