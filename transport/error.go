package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An ErrorType is the type of an [Error], as the service names it (wire
// §1.6). It is an error itself, to compare with by [errors.Is]: an *Error matches
// its own type. The service may have types that are not listed here.
type ErrorType string

// The types of errors.
const (
	ErrInvalidRequest  ErrorType = "invalid_request_error"
	ErrAuthentication  ErrorType = "authentication_error"
	ErrBilling         ErrorType = "billing_error"
	ErrPermission      ErrorType = "permission_error"
	ErrNotFound        ErrorType = "not_found_error"
	ErrConflict        ErrorType = "conflict_error"
	ErrRequestTooLarge ErrorType = "request_too_large"
	ErrRateLimit       ErrorType = "rate_limit_error"
	ErrAPI             ErrorType = "api_error"
	ErrTimeout         ErrorType = "timeout_error"
	ErrOverloaded      ErrorType = "overloaded_error"
)

func (t ErrorType) Error() string { return string(t) }

// What an [ErrInvalidRequest] is about, if a program can do something.
var (
	// ErrPromptTooLong is a prompt, or a prompt and max_tokens, that the model's
	// window doesn't hold: compact the conversation, or lower max_tokens.
	ErrPromptTooLong = errors.New("the prompt is too long")
	// ErrThinkingMismatch is a thinking block whose signature doesn't fit what stands
	// before it: the history was changed. Send it again with
	// Thinking.BlockBinding{"drop_block"}, and keep to that (wire §9.4).
	ErrThinkingMismatch = errors.New("a thinking block doesn't fit its conversation")
)

// An Error is a refusal or a failure that the service reported, by a status or
// by an error event inside a stream.
type Error struct {
	Status    int // the HTTP status; for an error inside a stream, the one its type stands for
	Type      ErrorType
	Message   string
	Code      string // error.details.error_code, where there is one; of a gateway, its own code
	RequestID string
	InStream  bool // came as an event of a stream that had begun with status 200

	// RetryAfter is how long the service asks to wait, or 0.
	RetryAfter time.Duration
	// ShouldRetry is the value of the header x-should-retry; nil if there was none.
	ShouldRetry *bool
	// Attempts is how many times the request was sent, this failure included.
	Attempts int

	Raw json.RawMessage // the body, if it was JSON
}

// Error returns what the service said, the request id to quote to its support, and
// what to do if that is known.
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
	case e.refusesBlock():
		return "; if another back end wrote that block, continue the log there, or begin a session without it: docs/errors.md, A log of another back end"
	}
	return ""
}

// Is makes errors.Is(err, ErrOverloaded) true for errors of that type.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrPromptTooLong:
		return e.Type == ErrRequestTooLarge || e.says(promptCodes, promptWords)
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
	t := e.Type
	if knownStatus(t) == 0 && typeOfStatus(e.Status) != "" { // another family of errors, or a type of next year
		if target == t {
			return true
		}
		t = typeOfStatus(e.Status)
	}
	return target == t
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

// A LostError is a request that failed, with attempts that brought no response
// although the service may have worked on them: their cost is unknown.
type LostError struct {
	Err      error // the failure of the last attempt, which need not be one of these
	Attempts int   // how many they are
}

func (e *LostError) Error() string { return e.Err.Error() }

// Unwrap returns the failure.
func (e *LostError) Unwrap() error { return e.Err }
