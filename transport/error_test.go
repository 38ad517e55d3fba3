package transport

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// An error says what was said, by whom, and what to do.
func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{Status: 529, Type: ErrOverloaded, Message: "Overloaded"}, "overloaded_error (HTTP 529): Overloaded"},
		{Error{Status: 302, Message: "Found", Attempts: 1}, "HTTP 302: Found"},
		{Error{Status: 429, Type: ErrRateLimit, Message: "m", Code: "ramp", RequestID: "req_1", Attempts: 2}, "rate_limit_error (HTTP 429): m [ramp] (request req_1), after 2 attempts"},
		{Error{Status: 400, Type: ErrInvalidRequest, Message: "prompt is too long"}, "invalid_request_error (HTTP 400): prompt is too long; shorten the conversation, or lower max_tokens"},
		{Error{Status: 401, Type: ErrAuthentication, Message: "m"}, "authentication_error (HTTP 401): m; check the key, and that it belongs to this endpoint"},
		{Error{Status: 402, Type: ErrBilling, Message: "m"}, "billing_error (HTTP 402): m; see to the account's credit"},
		{Error{Status: 404, Type: ErrNotFound, Message: "m"}, "not_found_error (HTTP 404): m; check the id and the base URL"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	lost := &LostError{Err: io.EOF, Attempts: 2}
	broken := &StreamError{Err: lost}
	if broken.Error() != "the response was cut off: EOF" || !errors.Is(broken, io.EOF) || lost.Error() != "EOF" {
		t.Errorf("got %v", broken)
	}
	r := &RequestError{Field: "f", Reason: "r"}
	if r.Error() != "request: f: r" || (&RequestError{Field: "f", Reason: "r", Remedy: "d"}).Error() != "request: f: r; d" || !errors.Is(r, ErrInvalidRequest) || errors.Is(r, ErrAPI) {
		t.Errorf("got %v", r)
	}
}

// What a body says is found wherever its sender puts it.
func TestParseError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   Error // without Raw
		raw    bool
	}{
		{"the service's", 429, ` {"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"ramp"}},"request_id":"req_1"}`,
			Error{Status: 429, Type: ErrRateLimit, Message: "m", Code: "ramp", RequestID: "req_1"}, true},
		{"nothing", 503, ``, Error{Status: 503, Type: ErrAPI, Message: "Service Unavailable"}, false},
		{"white space", 500, " \n", Error{Status: 500, Type: ErrAPI, Message: "Internal Server Error"}, false},
		{"a word", 502, "bad\r\n gateway", Error{Status: 502, Type: ErrAPI, Message: "bad gateway"}, false},
		{"a page", 502, "<html><head><title>502 Bad\nGateway</title></head><body>nginx</body></html>", Error{Status: 502, Type: ErrAPI, Message: "502 Bad Gateway"}, false},
		{"a page with an empty title", 502, "<title></title>x", Error{Status: 502, Type: ErrAPI, Message: "<title></title>x"}, false},
		{"a page without the title's end", 502, "<title>x", Error{Status: 502, Type: ErrAPI, Message: "<title>x"}, false},
		{"a word with a title in it", 502, "not <title>x</title>", Error{Status: 502, Type: ErrAPI, Message: "not <title>x</title>"}, false},
		{"a string", 400, `{"error":"no"}`, Error{Status: 400, Type: ErrInvalidRequest, Message: "no"}, true},
		{"a message", 400, `{"message":"no","detail":"d"}`, Error{Status: 400, Type: ErrInvalidRequest, Message: "no"}, true},
		{"Amazon's message", 403, `{"Message":"no"}`, Error{Status: 403, Type: ErrPermission, Message: "no"}, true},
		{"a detail", 404, `{"detail":"no"}`, Error{Status: 404, Type: ErrNotFound, Message: "no"}, true},
		{"no words", 409, `{"x":1}`, Error{Status: 409, Type: ErrConflict, Message: `{"x":1}`}, true},
		{"a list", 400, `[{"error":{"message":"first","code":7}},{"error":{"message":"second"}}]`, Error{Status: 400, Type: ErrInvalidRequest, Message: "first", Code: "7"}, true},
		{"an empty list", 408, `[]`, Error{Status: 408, Type: ErrTimeout, Message: `[]`}, true},
		{"another family", 403, `{"error":{"type":"forbidden","message":"m"}}`, Error{Status: 403, Type: ErrPermission, Message: "m", Code: "forbidden"}, true},
		{"another family with a code", 403, `{"error":{"type":"forbidden","message":"m","code":"c"}}`, Error{Status: 403, Type: ErrPermission, Message: "m", Code: "c"}, true},
		{"a code outside", 403, `{"error":{"message":"m"},"code":"c"}`, Error{Status: 403, Type: ErrPermission, Message: "m", Code: "c"}, true},
		{"two codes", 403, `{"error":{"message":"m","code":"inner"},"code":"outer"}`, Error{Status: 403, Type: ErrPermission, Message: "m", Code: "inner"}, true},
		{"details win", 403, `{"error":{"message":"m","code":"inner","details":{"error_code":"d"}}}`, Error{Status: 403, Type: ErrPermission, Message: "m", Code: "d"}, true},
		{"a code that is none", 403, `{"error":{"message":"m","code":null},"code":{}}`, Error{Status: 403, Type: ErrPermission, Message: "m"}, true},
		{"a list of codes", 403, `{"error":{"message":"m","code":[1]}}`, Error{Status: 403, Type: ErrPermission, Message: "m"}, true},
		{"a type of next year", 418, `{"error":{"type":"teapot_error","message":"m"}}`, Error{Status: 418, Type: "teapot_error", Message: "m"}, true},
		{"no status, the service's type", 0, `{"error":{"type":"overloaded_error","message":"m"}}`, Error{Status: 529, Type: ErrOverloaded, Message: "m"}, true},
		{"no status, too large", 0, `{"error":{"type":"request_too_large","message":"m"}}`, Error{Status: 413, Type: ErrRequestTooLarge, Message: "m"}, true},
		{"no status, nothing", 0, `{}`, Error{Status: 500, Type: ErrAPI, Message: `{}`}, true},
		{"no status, a code", 0, `{"error":{"message":"m","code":429}}`, Error{Status: 429, Type: ErrRateLimit, Message: "m", Code: "429"}, true},
		{"no status, the lowest code", 0, `{"error":{"message":"m","code":400}}`, Error{Status: 400, Type: ErrInvalidRequest, Message: "m", Code: "400"}, true},
		{"no status, a code below", 0, `{"error":{"message":"m","code":399}}`, Error{Status: 500, Type: ErrAPI, Message: "m", Code: "399"}, true},
		{"no status, a code above", 0, `{"error":{"message":"m","code":600}}`, Error{Status: 500, Type: ErrAPI, Message: "m", Code: "600"}, true},
		{"no status, a code's status wins over api_error", 0, `{"error":{"type":"api_error","message":"m","code":"too_many_requests"}}`, Error{Status: 429, Type: ErrRateLimit, Message: "m", Code: "too_many_requests"}, true},
		{"no status, but not over another type", 0, `{"error":{"type":"overloaded_error","message":"m","code":"too_many_requests"}}`, Error{Status: 529, Type: ErrOverloaded, Message: "m", Code: "too_many_requests"}, true},
		{"no status, a long prompt", 0, `{"error":{"message":"Prompt is too LONG","code":"x"}}`, Error{Status: 400, Type: ErrInvalidRequest, Message: "Prompt is too LONG", Code: "x"}, true},
		{"a status stays", 403, `{"error":{"message":"m","code":429}}`, Error{Status: 403, Type: ErrPermission, Message: "m", Code: "429"}, true},
	} {
		got := *ParseError(tt.status, []byte(tt.body))
		if tt.raw != (got.Raw != nil) || tt.raw && string(got.Raw) != strings.TrimSpace(tt.body) {
			t.Errorf("%s: raw is %s", tt.name, got.Raw)
		}
		if got.Raw = nil; got.Status != tt.want.Status || got.Type != tt.want.Type || got.Message != tt.want.Message || got.Code != tt.want.Code || got.RequestID != tt.want.RequestID || got.InStream {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	for _, n := range []int{299, 300, 301, 400} {
		if e := ParseError(500, []byte(strings.Repeat("é", n/2)+strings.Repeat("x", n%2))); len(e.Message) > 304 || len(e.Message) < min(n, 299) || !strings.HasPrefix(e.Message, "éé") || strings.Contains(e.Message, "\ufffd") {
			t.Errorf("%d bytes: the message has %d", n, len(e.Message))
		}
	}
}

// A type stands for its status and each status for a type, also those that have no
// type of their own.
func TestErrorOfStatus(t *testing.T) {
	for status, want := range map[int]ErrorType{
		400: ErrInvalidRequest, 401: ErrAuthentication, 402: ErrBilling, 403: ErrPermission, 404: ErrNotFound, 409: ErrConflict, 413: ErrRequestTooLarge, 429: ErrRateLimit,
		500: ErrAPI, 504: ErrTimeout, 529: ErrOverloaded, 408: ErrTimeout, 422: ErrInvalidRequest, 499: ErrInvalidRequest, 501: ErrAPI, 503: ErrAPI, 399: "", 302: "",
	} {
		if e := ParseError(status, nil); e.Type != want || want != "" && !errors.Is(e, want) {
			t.Errorf("%d: %s", status, e.Type)
		}
	}
	// A type that isn't known matches itself and what its status says.
	e := &Error{Status: 429, Type: "next_year_error"}
	if !errors.Is(e, ErrorType("next_year_error")) || !errors.Is(e, ErrRateLimit) || errors.Is(e, ErrAPI) {
		t.Errorf("%v matches otherwise", e)
	}
	if e = (&Error{Status: 302, Type: "next_year_error"}); !errors.Is(e, ErrorType("next_year_error")) || errors.Is(e, ErrorType("")) {
		t.Errorf("%v matches otherwise", e)
	}
	// A known type matches itself alone, whatever its status.
	if e = (&Error{Status: 429, Type: ErrOverloaded}); !errors.Is(e, ErrOverloaded) || errors.Is(e, ErrRateLimit) {
		t.Errorf("%v matches otherwise", e)
	}
	if e = (&Error{Status: 413, Type: ErrRequestTooLarge}); !errors.Is(e, ErrPromptTooLong) || errors.Is(e, ErrThinkingMismatch) || errors.Is(e, ErrBilling) {
		t.Errorf("%v matches otherwise", e)
	}
	if e = (&Error{Status: 400, Type: ErrInvalidRequest, Message: "no"}); errors.Is(e, ErrPromptTooLong) || errors.Is(e, ErrThinkingMismatch) || errors.Is(e, ErrBilling) {
		t.Errorf("%v matches otherwise", e)
	}
}
