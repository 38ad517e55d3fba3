// Package sent reads and writes what the record of a response holds of its request.
package sent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Data is what a response's record holds of its request.
type Data struct {
	// Breakpoints are places such as "system.0" or "messages.4.content.1", those that
	// live for an hour with "=1h" behind.
	Breakpoints []string `json:"breakpoints,omitempty"`
	// MaxTokens is that of a request which a budget made shorter; 0 for the configured one.
	MaxTokens int `json:"max_tokens,omitempty"`
	// Estimate is what the usage of the response doesn't tell; nil if it tells all.
	Estimate *Estimate `json:"estimate,omitempty"`
	// Previous is diagnostics.previous_message_id; nil if no diagnosis was asked for.
	Previous *string `json:"previous_message_id,omitempty"`
	// Without is what the endpoint lacked, where the messages were others than the
	// log's: the names of a Lacks.
	Without []string `json:"without,omitempty"`
	// Thread says how the request went into a message thread; empty if it did not.
	Thread string `json:"thread,omitempty"`
	// CacheControl is the lifetime of the mark at the top that a thread's requests have
	// in the place of breakpoints; nil for what was configured.
	CacheControl *transport.TTL `json:"cache_control,omitempty"`
}

// What Data.Thread may be.
const (
	ThreadCreate   = "create"
	ThreadContinue = "continue"
	ThreadReplay   = "replay" // a create in the place of a continue that was refused
	ThreadOff      = "off"    // it was refused; no more are tried in the conversation
)

// An Estimate is what a request is taken to have counted, in tokens, where the endpoint
// told nothing. A field is 0 where it told.
type Estimate struct {
	Input  int64 `json:"input_tokens,omitempty"`
	Output int64 `json:"output_tokens,omitempty"`
}

// EstimateOf is the estimate in the data of a response's record.
func EstimateOf(data []byte) (e Estimate) {
	raw := rawjson.Get(data, "estimate")
	if raw == nil || json.Unmarshal(raw, &e) != nil {
		return Estimate{}
	}
	return e
}

// AppendTo appends the estimate to data, which sentWith made.
func (e Estimate) AppendTo(data []byte) []byte {
	if e == (Estimate{}) {
		return data
	}
	raw, err := json.Marshal(struct {
		Estimate Estimate `json:"estimate"`
	}{e})
	if err != nil {
		return data
	}
	return rawjson.Merge(data, raw)
}

// AppendPlace appends the place of b as it stands in Data.
func AppendPlace(dst []byte, b transport.Breakpoint) []byte {
	switch b.Part {
	case transport.PartTools:
		dst = strconv.AppendInt(append(dst, "tools."...), int64(b.Index), 10)
	case transport.PartSystem:
		dst = strconv.AppendInt(append(dst, "system."...), int64(b.Index), 10)
	default:
		dst = strconv.AppendInt(append(dst, "messages."...), int64(b.Index), 10)
		dst = strconv.AppendInt(append(dst, ".content."...), int64(b.Block), 10)
	}
	if b.TTL != "" {
		dst = append(append(dst, '='), b.TTL...)
	}
	return dst
}

// ParsePlace reads what AppendPlace writes.
func ParsePlace(s string) (b transport.Breakpoint, err error) {
	place, ttl, _ := strings.Cut(s, "=")
	b.TTL = transport.TTL(ttl)
	parts := strings.Split(place, ".")
	i := slices.Index([]string{"tools", "system", "messages"}, parts[0])
	if i < 0 || len(parts) != 2 && (len(parts) != 4 || parts[2] != "content") {
		return b, fmt.Errorf("breakpoint %q is no place in a request", s)
	}
	b.Part = []transport.Part{transport.PartTools, transport.PartSystem, transport.PartMessages}[i]
	if b.Index, err = strconv.Atoi(parts[1]); err == nil && len(parts) == 4 {
		b.Block, err = strconv.Atoi(parts[3])
	}
	return b, err
}

// Breakpoints tells where the request was marked that brought the response of a
// record with that data.
func Breakpoints(data []byte) ([]transport.Breakpoint, error) {
	var d Data
	if len(data) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	marks := make([]transport.Breakpoint, len(d.Breakpoints))
	for i, s := range d.Breakpoints {
		b, err := ParsePlace(s)
		if err != nil {
			return nil, err
		}
		marks[i] = b
	}
	return marks, nil
}

// NewestConfig is the configuration of the newest run in front of record n.
func NewestConfig(log *memory.Log, n int) []byte {
	var config []byte
	for i, r := range log.Records(0) {
		if i >= n {
			break
		}
		if r.Kind == memory.KindRun && r.Data != nil {
			config = r.Data
		}
	}
	return config
}

// A Sent is a request that was answered, as the log describes it.
type Sent struct {
	// Request is what was sent, but for credentials of MCP servers.
	Request *transport.Request
	// Configured is false if the log does not tell the configuration: it was written
	// by something else than an Agent. Request then holds messages only.
	Configured bool
}

// Request returns the request that brought the response at record n of a
// log: body for body what went over the wire. It fails if record n is no
// response.
func Request(log *memory.Log, n int) (*Sent, error) {
	before, err := log.ForkAt(n)
	if err != nil {
		return nil, err
	}
	var rec memory.Record
	for _, rec = range log.Records(n) {
		break
	}
	if rec.Kind != memory.KindResponse {
		return nil, fmt.Errorf("record %d is no response, so no request was sent for it", n)
	}
	s := &Sent{Request: new(transport.Request)}
	if config := NewestConfig(before, n); config != nil {
		if err := json.Unmarshal(config, s.Request); err != nil {
			return nil, fmt.Errorf("the configuration in front of record %d: %w", n, err)
		}
		s.Configured = true
	}
	s.Request.Messages = before.Messages()
	state := before.State()
	Carry(s.Request, &state)
	s.Request.Breakpoints, err = Breakpoints(rec.Data)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	var d Data
	if json.Unmarshal(rec.Data, &d) == nil {
		if d.Previous != nil {
			s.Request.Diagnostics = &transport.Diagnostics{PreviousMessageID: *d.Previous}
		}
		if d.MaxTokens != 0 {
			s.Request.MaxTokens = d.MaxTokens
		}
		if d.CacheControl != nil {
			s.Request.CacheControl = &transport.CacheControl{TTL: *d.CacheControl}
		}
		switch d.Thread {
		case ThreadCreate, ThreadReplay:
			s.Request.Thread = new(transport.Thread)
		case ThreadContinue:
			c := Write(s.Request.Messages, lacking(d.Without))
			state := before.State()
			if c.Adjust(&state); state.Response != nil {
				s.Request.Thread = &transport.Thread{PreviousMessageID: state.Response.ID, Held: state.Sent + 1}
			}
		}
		s.Request.Messages = Write(s.Request.Messages, lacking(d.Without)).Messages
	}
	return s, nil
}

// Carry gives a request, as it is configured, what the log says of its fields other
// than messages: the container to go on with, and what is left out.
func Carry(r *transport.Request, s *memory.State) {
	s.Omitted.Configuration(r)
	if c := containerOf(s.Container, r.Container); c != nil {
		r.Container = c
	}
}

// containerOf is the container to send behind a response that used one: its id,
// quoted, as the service wants the bare id back (wire §6.3). Where configured,
// the container that the program asked for, has skills, it is that object with
// the id in front: the skills are the same on every request. Nil means that
// configured stands.
func containerOf(container string, configured []byte) []byte {
	if container == "" {
		return nil
	}
	id := rawjson.AppendString(nil, container)
	if rawjson.IsNull(rawjson.Get(configured, "skills")) {
		return id
	}
	object := append([]byte(`{"id":`), id...)
	for key, value := range rawjson.Members(configured) {
		if key != "id" {
			object = append(rawjson.AppendString(append(object, ','), key), ':')
			object = append(object, value...)
		}
	}
	return append(object, '}')
}
