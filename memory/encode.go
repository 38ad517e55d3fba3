package memory

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// recordVersion is the version of the JSON form that AppendJSON writes.
// ParseRecord reads it and all before it.
const recordVersion = "1"

// AppendJSON appends the record's JSON form to dst: one object without a line
// break, in UTF-8. [ParseRecord] reads it, and gives back a record that puts the
// same bytes on the wire. docs/sessions.md describes the form.
//
// JSON that came from elsewhere is embedded as it came. If it has a line break
// between its tokens, or is itself a string, it is embedded as a string that holds
// its text; if it is not UTF-8, as a string of "base64:" and its bytes.
//
// It fails if the record's kind is unknown, if what the kind needs is missing,
// or if an id is not UTF-8.
func (r *Record) AppendJSON(dst []byte) ([]byte, error) {
	e := encoder{out: dst}
	e.raw(`{"v":`, recordVersion)
	e.string("kind", string(r.Kind))
	if !r.Time.IsZero() {
		e.time("time", r.Time)
	}
	if len(r.Aside) > 0 {
		e.strings("aside", r.Aside)
	}
	switch r.Kind {
	case KindRun:
		if l := r.Limits; l != nil {
			e.out = fmt.Appendf(e.out, `,"limits":{"steps":%d,"pauses":%d,"cuts":%d`, l.Steps, l.Pauses, l.Cuts)
			if l.Malformed != 0 {
				e.out = fmt.Appendf(e.out, `,"malformed":%d`, l.Malformed)
			}
			e.raw("}")
		}
		e.data(r.Data)
	case KindInput:
		e.message(&r.Message)
		if r.Queued != 0 {
			e.int("queued", r.Queued)
		}
	case KindSummary:
		e.message(&r.Message)
		e.int("replaces", int64(r.Replaces))
	case KindResponse:
		e.response(r.Response)
		e.data(r.Data)
	case KindStarted:
		e.strings("calls", r.Calls)
	case KindResult:
		e.json("block", r.Block.Raw())
		if r.Final {
			e.raw(`,"final":true`)
		}
	case KindApprovalRequest:
		e.asks(r.ApprovalRequests)
	case KindDecision:
		e.decision(r.Decision)
	case KindOmission:
		e.omission(r.Omission)
	case KindNote, KindSealed:
		if r.Note != "" {
			e.string("note", r.Note)
		}
		e.data(r.Data)
	default:
		e.fail(fmt.Errorf("the kind %q is unknown", r.Kind))
	}
	e.raw("}")
	if e.err != nil {
		return dst, fmt.Errorf("encode %s record: %w", r.Kind, e.err)
	}
	return e.out, nil
}

// An encoder appends members of an object. It keeps the first error.
type encoder struct {
	out []byte
	err error
}

func (e *encoder) data(data []byte) {
	if len(data) > 0 {
		e.checked("data", data)
	}
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) raw(parts ...string) {
	for _, p := range parts {
		e.out = append(e.out, p...)
	}
}

// name begins a member.
func (e *encoder) name(name string) {
	if e.out[len(e.out)-1] != '{' {
		e.raw(",")
	}
	e.raw(`"`, name, `":`)
}

func (e *encoder) text(s string) {
	if !utf8.ValidString(s) {
		e.fail(fmt.Errorf("%q is not UTF-8", s))
	}
	e.out = rawjson.AppendString(e.out, s)
}

func (e *encoder) string(name, s string) {
	e.name(name)
	e.text(s)
}

func (e *encoder) int(name string, n int64) {
	e.name(name)
	e.out = fmt.Append(e.out, n)
}

func (e *encoder) time(name string, t time.Time) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		e.fail(fmt.Errorf("%s: the year %d has no RFC 3339 form", name, y))
	}
	e.name(name)
	e.raw(`"`)
	e.out = t.AppendFormat(e.out, time.RFC3339Nano)
	e.raw(`"`)
}

func (e *encoder) strings(name string, list []string) {
	e.name(name)
	e.raw("[")
	for i, s := range list {
		if i > 0 {
			e.raw(",")
		}
		e.text(s)
	}
	e.raw("]")
}

func (e *encoder) json(name string, value []byte) {
	e.name(name)
	e.value(value)
}

// checked is json for a value that nobody has looked at yet.
func (e *encoder) checked(name string, value []byte) {
	if !rawjson.Valid(value) {
		e.fail(fmt.Errorf("%s is not JSON: %s", name, brief(value)))
		return
	}
	e.json(name, value)
}

// value writes JSON that came from elsewhere.
func (e *encoder) value(value []byte) {
	value = rawjson.Trim(value)
	if len(value) == 0 {
		e.fail(errors.New("JSON that it must hold is missing"))
		return
	}
	switch {
	case !utf8.Valid(value):
		e.raw(`"`, base64Prefix)
		e.out = base64.StdEncoding.AppendEncode(e.out, value)
		e.raw(`"`)
	case value[0] == '"' || hasLineBreak(value):
		e.out = rawjson.AppendString(e.out, string(value))
	default:
		e.out = append(e.out, value...)
	}
}

// base64Prefix begins a string that holds bytes. No JSON text begins so.
const base64Prefix = "base64:"

func hasLineBreak(b []byte) bool {
	for _, c := range b {
		if c == '\n' || c == '\r' {
			return true
		}
	}
	return false
}

func (e *encoder) message(m *transport.Message) {
	e.name("message")
	e.raw("{")
	e.string("role", string(m.Role))
	e.name("content")
	e.raw("[")
	for i, b := range m.Content {
		if i > 0 {
			e.raw(",")
		}
		e.value(b.Raw())
	}
	e.raw("]")
	if m.ClearAt != "" {
		e.string("clear_at", m.ClearAt)
	}
	if len(m.OutputConfig) > 0 {
		e.checked("output_config", m.OutputConfig)
	}
	if len(m.Extra) > 0 {
		e.name("extra")
		e.raw("{")
		for i, name := range slices.Sorted(maps.Keys(m.Extra)) {
			if i > 0 {
				e.raw(",")
			}
			e.text(name)
			e.raw(":")
			if !rawjson.Valid(m.Extra[name]) {
				e.fail(fmt.Errorf("%q is not JSON: %s", name, brief(m.Extra[name])))
			}
			e.value(m.Extra[name])
		}
		e.raw("}")
	}
	e.raw("}")
}

func (e *encoder) response(r *transport.Response) {
	if r == nil {
		e.fail(errors.New("no response"))
		return
	}
	e.json("response", r.Raw())
	if len(r.Cut) > 0 {
		e.strings("cut", r.Cut)
	}
	m := r.Meta
	if m == (transport.Meta{}) {
		return
	}
	e.name("meta")
	e.raw("{")
	if m.RequestID != "" {
		e.string("request_id", m.RequestID)
	}
	if m.Endpoint != "" {
		e.string("endpoint", m.Endpoint)
	}
	if m.Attempts != 0 {
		e.int("attempts", int64(m.Attempts))
	}
	if m.FirstDelta != 0 {
		e.int("first_delta_ns", int64(m.FirstDelta))
	}
	if m.Duration != 0 {
		e.int("duration_ns", int64(m.Duration))
	}
	if m.Sent != 0 {
		e.int("sent_bytes", m.Sent)
	}
	if l := m.RateLimit; l != nil {
		e.name("rate_limit")
		e.raw("{")
		e.allowance("requests", l.Requests)
		e.allowance("tokens", l.Tokens)
		e.allowance("input_tokens", l.InputTokens)
		e.allowance("output_tokens", l.OutputTokens)
		e.raw("}")
	}
	e.raw("}")
}

func (e *encoder) allowance(name string, a transport.Allowance) {
	if a == (transport.Allowance{}) {
		return
	}
	e.name(name)
	e.raw("{")
	e.int("limit", a.Limit)
	e.int("remaining", a.Remaining)
	if !a.Reset.IsZero() {
		e.time("reset", a.Reset)
	}
	e.raw("}")
}

func (e *encoder) omission(o *omit.Omission) {
	if o == nil {
		e.fail(errors.New("no omission"))
		return
	}
	raw, err := rawjson.Marshal(o)
	if err != nil {
		e.fail(err)
		return
	}
	e.json("omission", raw)
}

func (e *encoder) asks(asks []ApprovalRequest) {
	e.name("asks")
	e.raw("[")
	for i, a := range asks {
		if i > 0 {
			e.raw(",")
		}
		e.raw("{")
		e.string("call_id", a.CallID)
		e.string("hash", a.Hash)
		if a.Reason != "" {
			e.string("reason", a.Reason)
		}
		if a.Rule != "" {
			e.string("rule", a.Rule)
		}
		e.raw("}")
	}
	e.raw("]")
}

func (e *encoder) decision(d *Decision) {
	if d == nil {
		e.fail(errors.New("no decision"))
		return
	}
	e.name("decision")
	e.raw("{")
	e.string("call_id", d.CallID)
	e.string("hash", d.Hash)
	e.raw(`,"approve":`, strconv.FormatBool(d.Approve))
	if d.Reason != "" {
		e.string("reason", d.Reason)
	}
	if d.Input != nil {
		e.checked("input", d.Input)
	}
	e.raw("}")
}
