package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Values of [Error.Type], as the service names them (reference §1.6).
const (
	TypeInvalidRequest  = "invalid_request_error"
	TypeAuthentication  = "authentication_error"
	TypeBilling         = "billing_error"
	TypePermission      = "permission_error"
	TypeNotFound        = "not_found_error"
	TypeConflict        = "conflict_error"
	TypeRequestTooLarge = "request_too_large"
	TypeRateLimit       = "rate_limit_error"
	TypeAPI             = "api_error"
	TypeTimeout         = "timeout_error"
	TypeOverloaded      = "overloaded_error"
)

// Errors to compare with by [errors.Is]. An [*Error] matches the one of its type.
var (
	ErrInvalidRequest  = errors.New("invalid request")
	ErrAuthentication  = errors.New("authentication failed")
	ErrBilling         = errors.New("billing problem")
	ErrPermission      = errors.New("permission denied")
	ErrNotFound        = errors.New("not found")
	ErrConflict        = errors.New("conflict")
	ErrRequestTooLarge = errors.New("request too large")
	ErrRateLimit       = errors.New("rate limited")
	ErrAPI             = errors.New("internal error of the service")
	ErrTimeout         = errors.New("the service timed out")
	ErrOverloaded      = errors.New("the service is overloaded")
)

// What an [ErrInvalidRequest] is about, where a program can do something about it.
var (
	// ErrPromptTooLong is a prompt, or a prompt and max_tokens, that the model's
	// window doesn't hold: compact the conversation, or lower max_tokens.
	ErrPromptTooLong = errors.New("the prompt is too long")
	// ErrThinkingMismatch is a thinking block whose signature doesn't fit what stands
	// before it: the history was changed. Send it again with
	// Thinking.BlockBinding{"drop_block"}, and keep to that (reference §9.4).
	ErrThinkingMismatch = errors.New("a thinking block doesn't fit its conversation")
)

var byType = map[string]error{
	TypeInvalidRequest: ErrInvalidRequest, TypeAuthentication: ErrAuthentication, TypeBilling: ErrBilling,
	TypePermission: ErrPermission, TypeNotFound: ErrNotFound, TypeConflict: ErrConflict,
	TypeRequestTooLarge: ErrRequestTooLarge, TypeRateLimit: ErrRateLimit, TypeAPI: ErrAPI,
	TypeTimeout: ErrTimeout, TypeOverloaded: ErrOverloaded,
}

// An Error is a refusal or a failure that the service reported, by a status or
// by an error event inside a stream.
type Error struct {
	Status    int    // the HTTP status; for an error inside a stream, the one its type stands for
	Type      string // "rate_limit_error" and so on; may be one that this package doesn't know
	Message   string
	Code      string // error.details.error_code, where there is one; of a gateway, its own code
	RequestID string
	InStream  bool // came as an event of a stream that had begun with status 200

	// RetryAfter is how long the service asks to wait, or 0.
	RetryAfter time.Duration
	// ShouldRetry is the service's own word on it, from x-should-retry; nil if it gave none.
	ShouldRetry *bool
	// Attempts is how many times the request was sent, this failure included.
	Attempts int

	Raw json.RawMessage // the body, if it was JSON
}

// Error says what the service said, the request id to quote to its support, and
// what to do where that is plain.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s (HTTP %d): %s", e.Type, e.Status, e.Message)
	if e.Type == "" {
		s = fmt.Sprintf("HTTP %d: %s", e.Status, e.Message)
	}
	if e.Code != "" {
		s += " [" + e.Code + "]"
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	if e.Attempts > 1 {
		s += fmt.Sprintf(", after %d attempts", e.Attempts)
	}
	return s + e.remedy()
}

// remedy says what to do, where the service's words leave it open.
func (e *Error) remedy() string {
	switch {
	case e.Is(ErrPromptTooLong):
		return "; shorten the conversation, or lower max_tokens"
	case e.Is(ErrAuthentication):
		return "; check the key, and that it belongs to this endpoint"
	case e.Is(ErrBilling):
		return "; see to the account's credit"
	case e.Is(ErrNotFound):
		return "; check the id and the base URL"
	}
	return ""
}

// Is makes errors.Is(err, ErrOverloaded) and its like true for errors of that type.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrPromptTooLong:
		return e.Type == TypeRequestTooLarge || e.says(promptCodes, promptWords)
	case ErrThinkingMismatch:
		return strings.Contains(e.Message, "Invalid `signature` in `thinking` block") || strings.Contains(e.Message, "thinking.signature: Field required")
	case ErrBilling:
		// The service itself reports a low balance with status 400.
		if e.says(billingCodes, billingWords) {
			return true
		}
	case ErrRateLimit:
		if e.says(billingCodes, billingWords) {
			return false // some report it with 429, but waiting doesn't help
		}
	}
	t, ok := byType[e.Type]
	if !ok { // another family of errors, or a type of next year
		t = byType[typeOfStatus(e.Status)]
	}
	return t == target
}

// A StreamError is a stream that broke after it had begun: the connection was
// cut, nothing came for too long, the service sent an error event, or the
// events made no sense.
type StreamError struct {
	// Err is the cause: an [*Error] if the service sent an error event.
	Err error
	// Partial is what had come by then; nil if not even message_start had. Its
	// content holds the blocks that were complete and, last, the text that was not.
	Partial *Response
	// Delivered is true if events of content had been yielded to the caller, so that
	// sending the request again would show them twice.
	Delivered bool
}

func (e *StreamError) Error() string { return "the response was cut off: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Err }

// A LostError is a request that failed, and of which nothing came back in some
// attempts although the service may have worked on them: what they cost is not
// known.
type LostError struct {
	Err      error // the failure of the last attempt, which need not be one of these
	Attempts int   // how many they are
}

func (e *LostError) Error() string { return e.Err.Error() }

// Unwrap returns the failure.
func (e *LostError) Unwrap() error { return e.Err }
