package transport

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ParseError makes an [*Error] of a response whose status isn't 200. The body
// may be the service's own form, the bare form that its edge and some gateways
// use (wire §1.5), or no JSON at all; then the message is its text and the
// type follows from the status. A status of 0 means that none belongs to the
// error; then it follows from the type. It keeps body.
func ParseError(status int, body []byte) *Error {
	e := &Error{Status: status}
	e.read(body)
	if status == 0 {
		if e.Status == 0 {
			e.Status = e.statusOfCode()
		}
		// The code says more than a type that stands for whatever went wrong.
		if known := knownStatus(e.Type); e.Status != 0 && (known == 0 || known == http.StatusInternalServerError) {
			e.Type = typeOfStatus(e.Status)
		}
		e.Type = cmp.Or(e.Type, ErrAPI)
		e.Status = cmp.Or(knownStatus(e.Type), e.Status, http.StatusInternalServerError)
		status = e.Status
	}
	if e.Type == "" {
		e.Type = typeOfStatus(status)
	}
	if e.Message == "" {
		e.Message = http.StatusText(status)
	}
	return e
}

// streamedError makes an Error of an error event.
func streamedError(data []byte) *Error {
	e := ParseError(0, bytes.Clone(data))
	e.InStream = true
	return e
}

func (e *Error) read(body []byte) {
	body = rawjson.Trim(body)
	if len(body) == 0 {
		return
	}
	if !rawjson.Valid(body) {
		e.Message = plainText(body)
		return
	}
	e.Raw = body
	if body[0] == '[' { // Google's gateways wrap errors in a list
		for first := range rawjson.Elements(body) {
			body = first
			break
		}
	}
	e.RequestID = rawjson.GetString(body, "request_id")
	inner := rawjson.Get(body, "error")
	switch {
	case len(inner) > 0 && inner[0] == '{':
		e.Type = ErrorType(rawjson.GetString(inner, "type"))
		e.Message = rawjson.GetString(inner, "message")
		e.Code = rawjson.GetString(rawjson.Get(inner, "details"), "error_code")
	case len(inner) > 0 && inner[0] == '"':
		e.Message = rawjson.Unquote(inner)
	}
	if e.Message == "" {
		for _, key := range []string{"message", "Message", "detail"} {
			if e.Message = rawjson.GetString(body, key); e.Message != "" {
				break
			}
		}
	}
	if e.Message == "" {
		e.Message = plainText(body)
	}
	e.refine(body, inner)
	if !strings.HasSuffix(string(e.Type), "_error") && e.Type != ErrRequestTooLarge {
		e.Code = cmp.Or(e.Code, string(e.Type))
		e.Type = "" // another family of errors; the status says more
	}
}

// plainText shortens a body to one line that an error message can hold. Of a web
// page, as proxies send it, it takes the title.
func plainText(body []byte) string {
	const most = 300
	if from := bytes.Index(body, []byte("<title>")); from >= 0 && body[0] == '<' {
		title := body[from+len("<title>"):]
		if to := bytes.Index(title, []byte("</title>")); to > 0 {
			body = title[:to]
		}
	}
	text := runes.Cut(string(body[:min(len(body), most+utf8.UTFMax)]), most)
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
}

var statuses = []struct {
	status int
	typ    ErrorType
}{
	{400, ErrInvalidRequest}, {401, ErrAuthentication}, {402, ErrBilling}, {403, ErrPermission},
	{404, ErrNotFound}, {409, ErrConflict}, {413, ErrRequestTooLarge}, {429, ErrRateLimit},
	{500, ErrAPI}, {504, ErrTimeout}, {529, ErrOverloaded},
}

func typeOfStatus(status int) ErrorType {
	for _, s := range statuses {
		if s.status == status {
			return s.typ
		}
	}
	switch {
	case status == http.StatusRequestTimeout:
		return ErrTimeout
	case status >= 500:
		return ErrAPI
	case status >= 400:
		return ErrInvalidRequest
	}
	return ""
}

// knownStatus is the status of one of the service's own types, or 0.
func knownStatus(typ ErrorType) int {
	for _, s := range statuses {
		if s.typ == typ {
			return s.status
		}
	}
	return 0
}
