package memory

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ParseRecord reads the JSON form of a record, of this version or an older one.
// It keeps raw, which must not be modified afterwards.
//
// It fails if raw is not valid JSON or lacks what its kind needs, and if it has a
// version, a kind or a member that this library doesn't know: such a record was
// written by a newer library, and dropping the unknown part would change it. The error
// then matches [errors.ErrUnsupported].
func ParseRecord(raw []byte) (Record, error) {
	raw = rawjson.Trim(raw)
	if !rawjson.Valid(raw) || len(raw) == 0 || raw[0] != '{' {
		return Record{}, fmt.Errorf("not a JSON object: %s", brief(raw))
	}
	var d decoder
	r := d.record(raw)
	if d.err != nil {
		return Record{}, d.err
	}
	return r, nil
}

// brief shortens bytes for an error message.
func brief(raw []byte) string {
	const most = 60
	if len(raw) > most {
		return fmt.Sprintf("%q… (%d bytes)", raw[:most], len(raw))
	}
	return fmt.Sprintf("%q", raw)
}

// A newerError says that something can't be read because it was written by a newer
// version. It matches [errors.ErrUnsupported].
type newerError struct{}

func (newerError) Error() string {
	return "it was written by a newer version of this library, or by another program"
}

func (newerError) Is(target error) bool { return target == errors.ErrUnsupported }

var newer error = newerError{}

// A decoder reads values out of valid JSON. It keeps the first error.
type decoder struct{ err error }

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) unknown(key []byte) {
	d.fail(fmt.Errorf("unknown member %q: %w", key, newer))
}

func (d *decoder) record(raw []byte) Record {
	var r Record
	known := false
	found := false // what the kind needs
	var cut []string
	var meta transport.Meta
	at := 0
	for key, v := range rawjson.Fields(raw) {
		if at++; at <= 2 { // so that nothing is read before it is known how
			if r.Kind, known = d.opening(at, key, v); d.err != nil {
				return r
			}
			continue
		}
		switch name := string(key); {
		case name == "time":
			r.Time = d.time(v)
		case name == "aside":
			r.Aside = d.strings(v)
		case r.Kind == KindRun && name == "limits":
			r.Limits = new(Limits)
			d.strict(v, r.Limits)
		case (r.Kind == KindInput || r.Kind == KindSummary) && name == "message":
			r.Message, found = d.message(v), true
		case r.Kind == KindInput && name == "queued":
			r.Queued = d.int(v)
		case r.Kind == KindSummary && name == "replaces":
			r.Replaces = int(d.int(v))
		case r.Kind == KindOmission && name == "omission":
			r.Omission, found = new(omit.Omission), true
			d.strict(v, r.Omission)
		case r.Kind == KindResponse && name == "response":
			r.Response, found = d.response(v), true
		case r.Kind == KindResponse && name == "cut":
			cut = d.strings(v)
		case r.Kind == KindResponse && name == "meta":
			meta = d.meta(v)
		case r.Kind == KindStarted && name == "calls":
			r.Calls, found = d.strings(v), true
		case r.Kind == KindResult && name == "block":
			r.Block, found = d.block(v), true
		case r.Kind == KindResult && name == "final":
			r.Final = d.bool(v)
		case r.Kind == KindApprovalRequest && name == "asks":
			r.ApprovalRequests, found = d.asks(v), true
		case r.Kind == KindDecision && name == "decision":
			r.Decision, found = d.decision(v), true
		case (r.Kind == KindNote || r.Kind == KindSealed) && name == "note":
			r.Note = d.string(v)
		case name == "data" && r.Kind.hasData():
			r.Data = d.value(v)
		default:
			d.unknown(key)
		}
	}
	switch {
	case !known:
		d.fail(errors.New(`"v" and "kind" are missing`))
	case d.err != nil:
		d.err = fmt.Errorf("%s record: %w", r.Kind, d.err)
	case !found && r.Kind != KindRun && r.Kind != KindNote && r.Kind != KindSealed:
		d.fail(fmt.Errorf("%s record: what it is about is missing", r.Kind))
	case r.Response != nil:
		r.Response.Cut, r.Response.Meta = cut, meta
	}
	return r
}

// opening reads the members that a record begins with, and reports whether they
// are complete.
func (d *decoder) opening(at int, key, v []byte) (kind Kind, complete bool) {
	switch {
	case at == 1 && string(key) != "v", at == 2 && string(key) != "kind":
		d.fail(fmt.Errorf(`a record begins with "v" and "kind", not with %q`, key))
	case at == 1 && string(v) != recordVersion:
		d.fail(fmt.Errorf("unknown version %s, this library reads 1: %w", v, newer))
	case at == 2:
		if kind = kindOf(v); kind == "" {
			d.fail(fmt.Errorf("unknown kind %s: %w", v, newer))
		}
	}
	return kind, at == 2
}

// hasData reports whether records of the kind may have Data.
func (k Kind) hasData() bool {
	return k == KindRun || k == KindResponse || k == KindNote || k == KindSealed
}

var kinds = []Kind{KindRun, KindInput, KindResponse, KindStarted, KindResult, KindApprovalRequest, KindDecision, KindSummary, KindOmission, KindNote, KindSealed}

// kindOf is the kind of a quoted name, or "" if it is unknown.
func kindOf(v []byte) Kind {
	name := v
	if bytes.IndexByte(v, '\\') >= 0 {
		name = strconv.AppendQuote(nil, rawjson.Unquote(v))
	}
	for _, k := range kinds {
		if len(name) == len(k)+2 && name[0] == '"' && string(name[1:len(name)-1]) == string(k) {
			return k
		}
	}
	return ""
}

// value reads JSON that came from elsewhere: as it stands, or the text that a
// string holds.
func (d *decoder) value(v []byte) []byte {
	if v[0] != '"' {
		return v
	}
	text := rawjson.AppendUnquoted(nil, v)
	if b64, ok := bytes.CutPrefix(text, []byte(base64Prefix)); ok {
		var err error
		if text, err = base64.StdEncoding.AppendDecode(nil, b64); err != nil {
			d.fail(err)
		}
	}
	if text = rawjson.Trim(text); !rawjson.Valid(text) {
		d.fail(fmt.Errorf("a string that should hold JSON does not: %s", brief(text)))
	}
	return text
}

func (d *decoder) string(v []byte) string {
	if v[0] != '"' || !utf8.Valid(v) {
		d.fail(fmt.Errorf("not a string of UTF-8: %s", brief(v)))
	}
	return rawjson.Unquote(v)
}

func (d *decoder) int(v []byte) int64 {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		d.fail(fmt.Errorf("not an integer: %s", brief(v)))
	}
	return n
}

func (d *decoder) bool(v []byte) bool {
	yes := string(v) == "true"
	if !yes && string(v) != "false" {
		d.fail(fmt.Errorf("neither true nor false: %s", brief(v)))
	}
	return yes
}

func (d *decoder) time(v []byte) time.Time {
	var t time.Time
	err := t.UnmarshalText(rawjson.Inner(v))
	if err != nil { // as it is with escapes, and with what is less than strictly RFC 3339
		t, err = time.Parse(time.RFC3339Nano, d.string(v))
	}
	if t = t.UTC(); err != nil || t.Year() < 0 || t.Year() > 9999 {
		d.fail(fmt.Errorf("no RFC 3339 time: %s", brief(v)))
	}
	return t
}

func (d *decoder) strings(v []byte) []string {
	var list []string
	if v[0] != '[' {
		d.fail(fmt.Errorf("not a list: %s", brief(v)))
	}
	for e := range rawjson.Elements(v) {
		list = append(list, d.string(e))
	}
	return list
}

func (d *decoder) asks(v []byte) (asks []ApprovalRequest) {
	d.strict(v, &asks)
	return asks
}

// strict reads a value whose members are all known.
func (d *decoder) strict(v []byte, to any) {
	if rawjson.IsNull(v) {
		d.fail(errors.New("null is no value"))
	}
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		d.fail(err)
	}
}

func (d *decoder) block(v []byte) transport.Block {
	b, err := transport.ParseBlock(d.value(v))
	if err != nil {
		d.fail(err)
	}
	return b
}

func (d *decoder) message(v []byte) (m transport.Message) {
	d.object(v, func(key, v []byte) {
		switch string(key) {
		case "role":
			m.Role = transport.Role(d.string(v))
		case "content":
			m.Content = d.blocks(v)
		case "clear_at":
			m.ClearAt = d.string(v)
		case "output_config":
			m.OutputConfig = d.value(v)
		case "extra":
			m.Extra = d.extra(v)
		default:
			d.unknown(key)
		}
	})
	return m
}

func (d *decoder) blocks(v []byte) (list []transport.Block) {
	if v[0] != '[' {
		d.fail(fmt.Errorf("message: content is not a list: %s", brief(v)))
	}
	for e := range rawjson.Elements(v) {
		list = append(list, d.block(e))
	}
	return list
}

func (d *decoder) extra(v []byte) map[string]json.RawMessage {
	if v[0] != '{' {
		d.fail(fmt.Errorf("message: extra is not an object: %s", brief(v)))
	}
	extra := make(map[string]json.RawMessage)
	for name, v := range rawjson.Members(v) {
		extra[name] = d.value(v)
	}
	return extra
}

func (d *decoder) response(v []byte) *transport.Response {
	r, err := transport.ParseResponse(d.value(v))
	if err != nil {
		d.fail(err)
	}
	return r
}

// object reads an object's members.
func (d *decoder) object(v []byte, member func(key, v []byte)) {
	if v[0] != '{' {
		d.fail(fmt.Errorf("not an object: %s", brief(v)))
	}
	for key, v := range rawjson.Fields(v) {
		member(key, v)
	}
}

func (d *decoder) meta(v []byte) (m transport.Meta) {
	d.object(v, func(key, v []byte) {
		switch string(key) {
		case "request_id":
			m.RequestID = d.string(v)
		case "endpoint":
			m.Endpoint = d.string(v)
		case "attempts":
			m.Attempts = int(d.int(v))
		case "first_delta_ns":
			m.FirstDelta = time.Duration(d.int(v))
		case "duration_ns":
			m.Duration = time.Duration(d.int(v))
		case "sent_bytes":
			m.Sent = d.int(v)
		case "rate_limit":
			m.RateLimit = d.rateLimit(v)
		default:
			d.unknown(key)
		}
	})
	return m
}

func (d *decoder) rateLimit(v []byte) *transport.RateLimit {
	l := new(transport.RateLimit)
	d.object(v, func(key, v []byte) {
		switch string(key) {
		case "requests":
			l.Requests = d.allowance(v)
		case "tokens":
			l.Tokens = d.allowance(v)
		case "input_tokens":
			l.InputTokens = d.allowance(v)
		case "output_tokens":
			l.OutputTokens = d.allowance(v)
		default:
			d.unknown(key)
		}
	})
	return l
}

func (d *decoder) allowance(v []byte) (a transport.Allowance) {
	d.object(v, func(key, v []byte) {
		switch string(key) {
		case "limit":
			a.Limit = d.int(v)
		case "remaining":
			a.Remaining = d.int(v)
		case "reset":
			a.Reset = d.time(v)
		default:
			d.unknown(key)
		}
	})
	return a
}

func (d *decoder) decision(v []byte) *Decision {
	dec := new(Decision)
	d.object(v, func(key, v []byte) {
		switch string(key) {
		case "call_id":
			dec.CallID = d.string(v)
		case "hash":
			dec.Hash = d.string(v)
		case "approve":
			dec.Approve = d.bool(v)
		case "reason":
			dec.Reason = d.string(v)
		case "input":
			dec.Input = d.value(v)
		default:
			d.unknown(key)
		}
	})
	return dec
}
