package transport

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/whorl-go/whorl/transport/internal/limits"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Body is a request as it goes over the wire. It doesn't hold the bytes but
// knows where they are, and how many: the blocks, messages and tools of its
// Request, which must not be changed while the Body is in use (appending to
// Messages is fine). Making and reading one allocates a fixed amount of memory
// however long the conversation is.
type Body struct {
	head     []byte // the parameters, from the brace up to the tools
	tools    []ToolDefinition
	system   []Block
	messages []Message
	marks    []splice // in the order of writing
	room     [limits.Breakpoints]splice
	length   int64
}

// A splice is a cache_control mark that is inserted into a block or a tool while
// it is written: raw[:cut], text, raw[resume:].
type splice struct {
	at          Breakpoint
	cut, resume int
	text        []byte
}

// Body writes the request: the parameters first, then tools, system and
// messages, so that the part which grows is last and each body starts with the
// tools, system and messages of the one before. Breakpoints become
// cache_control members of the written copy only.
//
// It fails with a [*RequestError] if the request can't be written or would surely be
// refused for its breakpoints: one on no block or on one that takes none (wire §8.1),
// more than 4, or 1h after 5m.
func (r *Request) Body() (*Body, error) { return r.body("") }

// StreamBody is [Request.Body] for a response that is to be streamed.
func (r *Request) StreamBody() (*Body, error) { return r.body(`,"stream":true`) }

func (r *Request) body(stream string) (*Body, error) {
	if r.MaxTokens < 0 {
		return nil, r.refused(wrong("max_tokens", fmt.Sprintf("it is %d", r.MaxTokens), "give at least 1, or 0 to warm the cache without an answer"))
	}
	return r.build(true, func(w *headWriter) {
		w.dst = append(w.dst, `,"max_tokens":`...)
		w.dst = strconv.AppendInt(w.dst, int64(r.MaxTokens), 10)
		w.dst = append(w.dst, stream...)
		r.writePromptParameters(w)
		r.writeOtherParameters(w)
	})
}

// CountBody writes the request for the count_tokens endpoint, which takes only
// what bears on the prompt (wire §12.1).
func (r *Request) CountBody() (*Body, error) { return r.build(false, r.writePromptParameters) }

// build makes a Body whose head begins with the model and continues with what
// write appends. If threaded, what a thread holds of it is left out.
func (r *Request) build(threaded bool, write func(*headWriter)) (*Body, error) {
	head, e := r.head(write)
	if e != nil {
		return nil, r.refused(e)
	}
	b := &Body{head: head, tools: r.Tools, system: r.System, messages: r.Messages}
	points := r.Breakpoints
	if threaded && r.Thread.continues() {
		var e *RequestError
		if points, e = b.leaveOutHeld(r.Thread.Held, points); e != nil {
			return nil, r.refused(e)
		}
	}
	if e := checkMessages(b.messages, len(r.Messages)-len(b.messages)); e != nil {
		return nil, r.refused(e)
	}
	if e := b.place(points, r.CacheControl); e != nil {
		return nil, r.refused(e)
	}
	b.length = b.measure()
	return b, nil
}

// leaveOutHeld leaves out what a thread holds. The breakpoints, which count the
// request's messages, may stand on new ones only: a mark that was sent stays where
// it is (wire §15.5).
func (b *Body) leaveOutHeld(held int, points []Breakpoint) ([]Breakpoint, *RequestError) {
	if held < 0 || held > len(b.messages) {
		return nil, wrong("thread", fmt.Sprintf("Held is %d, and there are %d messages", held, len(b.messages)), "count the messages up to the previous response, that one included")
	}
	b.tools, b.system, b.messages = nil, nil, b.messages[held:]
	if len(points) == 0 {
		return nil, nil
	}
	moved := make([]Breakpoint, len(points))
	for i, p := range points {
		if p.Part != PartMessages || p.Index < held {
			return nil, wrong(p.place(), "the thread holds it already", "mark what is new")
		}
		p.Index -= held
		moved[i] = p
	}
	return moved, nil
}

// measure counts the bytes of the body.
func (b *Body) measure() int64 {
	n := len(b.head) + len(textMessages) + len(textEnd)
	if len(b.tools) > 0 {
		n += len(textTools) + len(b.tools) - 1 + len(textListEnd)
	}
	for i := range b.tools {
		n += len(b.tools[i].raw)
	}
	if len(b.system) > 0 {
		n += len(textSystem) + len(b.system) - 1 + len(textListEnd)
	}
	for i := range b.system {
		n += len(b.system[i].raw)
	}
	n += max(0, len(b.messages)-1)
	for i := range b.messages {
		n += b.messages[i].length()
	}
	for i := range b.marks {
		n += len(b.marks[i].text) - (b.marks[i].resume - b.marks[i].cut)
	}
	return int64(n)
}

// MarshalJSON returns the request as it is sent when it isn't streamed.
func (r *Request) MarshalJSON() ([]byte, error) {
	b, err := r.Body()
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Len is the number of bytes of the body.
func (b *Body) Len() int64 { return b.length }

// Bytes returns a copy of the body in one piece.
func (b *Body) Bytes() []byte {
	out := make([]byte, 0, b.length)
	c := cursor{body: b}
	for seg := c.next(); seg != nil; seg = c.next() {
		out = append(out, seg...)
	}
	return out
}

// WriteTo writes the body to w.
func (b *Body) WriteTo(w io.Writer) (int64, error) {
	var total int64
	c := cursor{body: b}
	for seg := c.next(); seg != nil; seg = c.next() {
		n, err := w.Write(seg)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// NewReader returns a reader of the body from its start. Readers are
// independent of each other, so it serves as [net/http.Request.GetBody].
func (b *Body) NewReader() io.ReadCloser { return &bodyReader{cursor: cursor{body: b}} }

type bodyReader struct {
	cursor cursor
	rest   []byte // of the segment being read
	done   bool
}

// Read fills p across segments.
func (r *bodyReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && !r.done {
		if len(r.rest) == 0 {
			if r.rest = r.cursor.next(); r.rest == nil {
				r.done = true
				break
			}
		}
		k := copy(p[n:], r.rest)
		n += k
		r.rest = r.rest[k:]
	}
	if n == 0 && r.done && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Next returns the next bytes of the body, at most so many, without a copy, and
// nil at the end. They must not be modified.
func (r *bodyReader) Next(most int) []byte {
	if len(r.rest) == 0 && !r.done {
		r.rest = r.cursor.next()
	}
	piece := r.rest[:min(most, len(r.rest))]
	r.rest = r.rest[len(piece):]
	return piece
}

// Close ends the reading.
func (r *bodyReader) Close() error {
	r.done = true
	return nil
}

// head writes the parameters, all that is neither tools, system nor messages,
// without a closing brace.
func (r *Request) head(write func(*headWriter)) ([]byte, *RequestError) {
	if r.Model == "" {
		return nil, wrong("model", "none is given", "set Model")
	}
	w := headWriter{dst: append(make([]byte, 0, 512), `{"model":`...), extra: r.Extra}
	w.dst = rawjson.AppendString(w.dst, r.Model)
	write(&w)
	return w.dst, w.err
}

// writePromptParameters writes the parameters that bear on the prompt.
func (r *Request) writePromptParameters(w *headWriter) {
	writeObject(w, "tool_choice", r.ToolChoice)
	writeObject(w, "thinking", r.Thinking)
	writeObject(w, "output_config", r.OutputConfig)
	if r.CacheControl != nil {
		w.object("cache_control", markText(r.CacheControl.TTL)[len(`,"cache_control":`):])
	} else {
		w.object("cache_control", nil)
	}
	w.text("speed", r.Speed)
	w.raw("context_management", r.ContextManagement)
	w.raw("compaction", r.Compaction)
	w.raw("mcp_servers", r.MCPServers)
}

// writeOtherParameters writes the rest.
func (r *Request) writeOtherParameters(w *headWriter) {
	if len(r.StopSequences) > 0 {
		w.value("stop_sequences", r.StopSequences)
	}
	var metadata []byte
	if r.UserID != "" {
		metadata = append(rawjson.AppendString([]byte(`{"user_id":`), r.UserID), '}')
	}
	w.object("metadata", metadata)
	w.text("service_tier", r.ServiceTier)
	w.text("inference_geo", r.InferenceGeo)
	if r.Temperature != nil {
		w.value("temperature", *r.Temperature)
	}
	if r.TopP != nil {
		w.value("top_p", *r.TopP)
	}
	if r.TopK != nil {
		w.value("top_k", *r.TopK)
	}
	w.raw("container", r.Container)
	w.raw("fallbacks", r.Fallbacks)
	var thread, diagnostics []byte
	switch t := r.Thread; {
	case t.continues():
		thread = append(rawjson.AppendString([]byte(`{"type":"continue","previous_message_id":`), t.PreviousMessageID), '}')
	case t != nil:
		thread = []byte(`{"type":"create"}`)
	}
	w.object("thread", thread)
	if r.Diagnostics != nil {
		id := r.Diagnostics.PreviousMessageID
		diagnostics = append(make([]byte, 0, 32+len(id)), `{"previous_message_id":`...)
		if id != "" {
			diagnostics = rawjson.AppendString(diagnostics, id)
		} else {
			diagnostics = append(diagnostics, "null"...)
		}
		diagnostics = append(diagnostics, '}')
	}
	w.object("diagnostics", diagnostics)
	if len(r.Extra) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(r.Extra)) {
		if slices.Contains(ownMembers, key) {
			if objectMembers[key] != nil {
				continue // written with the field's
			}
			w.err = cmp.Or(w.err, wrong(key, "it is in Extra, and Request has a field for it", "set that"))
		}
		w.raw(key, r.Extra[key])
	}
}

// ownMembers are the members of a request that have a field or a parameter here.
var ownMembers = []string{
	"model", "max_tokens", "stream", "tools", "system", "messages", "tool_choice", "thinking", "output_config",
	"stop_sequences", "metadata", "service_tier", "speed", "inference_geo", "temperature", "top_p", "top_k",
	"cache_control", "container", "context_management", "compaction", "mcp_servers", "fallbacks", "thread", "diagnostics",
}

// A headWriter appends members to an object that has some already.
type headWriter struct {
	dst   []byte
	err   *RequestError
	extra map[string]json.RawMessage // the request's
}

func (w *headWriter) key(name string) {
	w.dst = append(w.dst, ',')
	w.dst = append(rawjson.AppendString(w.dst, name), ':')
}

func (w *headWriter) text(name, s string) {
	if s != "" {
		w.key(name)
		w.dst = rawjson.AppendString(w.dst, s)
	}
}

func (w *headWriter) value(name string, v any) {
	raw, err := rawjson.Marshal(v)
	if err != nil {
		w.err = cmp.Or(w.err, wrong(name, err.Error(), ""))
		return
	}
	w.key(name)
	w.dst = append(w.dst, raw...)
}

func (w *headWriter) raw(name string, raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	if !rawjson.Valid(raw) {
		w.err = cmp.Or(w.err, wrong(name, "not JSON: "+brief(raw), ""))
		return
	}
	w.key(name)
	w.dst = append(w.dst, raw...)
}

// Texts that stand between the frozen bytes.
var (
	textTools    = []byte(`,"tools":[`)
	textSystem   = []byte(`,"system":[`)
	textMessages = []byte(`,"messages":[`)
	textComma    = []byte(`,`)
	textListEnd  = []byte(`]`)
	textEnd      = []byte(`]}`)
)

// A cursor yields the body's bytes, segment by segment. The zero state is the start.
type cursor struct {
	body  *Body
	state cursorState
	msg   int // index into messages
	item  int // index into the list being written
	mark  int // index into body.marks of the next one
	phase int // of a marked item: 1 the text next, 2 the rest next
	comma bool
}

type cursorState int

const (
	atHead cursorState = iota
	atTools
	inTools
	atSystem
	inSystem
	atMessages
	atMessage
	inMessage
	atEnd
	done
)

// next returns the next segment, never empty, or nil at the end.
func (c *cursor) next() []byte {
	b := c.body
	for {
		switch c.state {
		case atHead:
			c.state = atTools
			return b.head
		case atTools:
			if c.state = atSystem; len(b.tools) > 0 {
				c.enter(inTools)
				return textTools
			}
		case inTools:
			if c.item < len(b.tools) {
				return c.piece(PartTools, b.tools[c.item].raw)
			}
			c.state = atSystem
			return textListEnd
		case atSystem:
			if c.state = atMessages; len(b.system) > 0 {
				c.enter(inSystem)
				return textSystem
			}
		case inSystem:
			if c.item < len(b.system) {
				return c.piece(PartSystem, b.system[c.item].raw)
			}
			c.state = atMessages
			return textListEnd
		case atMessages:
			c.state, c.msg, c.comma = atMessage, 0, false
			return textMessages
		case atMessage:
			if c.msg == len(b.messages) {
				c.state = atEnd
				continue
			}
			if c.comma {
				c.comma = false
				return textComma
			}
			c.enter(inMessage)
			return b.messages[c.msg].opening()
		case inMessage:
			m := &b.messages[c.msg]
			if c.item < len(m.Content) {
				return c.piece(PartMessages, m.Content[c.item].raw)
			}
			c.msg++
			c.state, c.comma = atMessage, true
			return m.closing()
		case atEnd:
			c.state = done
			return textEnd
		case done:
			return nil
		}
	}
}

func (c *cursor) enter(s cursorState) { c.state, c.item, c.phase, c.comma = s, 0, 0, false }

// piece returns the next segment of a list item: a comma, the whole item, or one
// of the three parts of a marked one.
func (c *cursor) piece(part Part, raw []byte) []byte {
	if c.comma {
		c.comma = false
		return textComma
	}
	if c.mark < len(c.body.marks) {
		if m := &c.body.marks[c.mark]; m.at.Part == part && c.isAt(m.at) {
			switch c.phase {
			case 0:
				c.phase = 1
				return raw[:m.cut]
			case 1:
				c.phase = 2
				return m.text
			}
			c.mark++
			raw = raw[m.resume:]
		}
	}
	c.item++
	c.phase, c.comma = 0, true
	return raw
}

func (c *cursor) isAt(at Breakpoint) bool {
	if at.Part == PartMessages {
		return at.Index == c.msg && at.Block == c.item
	}
	return at.Index == c.item
}

// markText is a cache_control member with the comma in front of it.
func markText(ttl TTL) []byte {
	switch ttl {
	case TTL1h:
		return markText1h
	case TTL5m:
		return markText5m
	}
	return markTextDefault
}

var (
	markTextDefault = []byte(`,"cache_control":{"type":"ephemeral"}`)
	markText5m      = []byte(`,"cache_control":{"type":"ephemeral","ttl":"5m"}`)
	markText1h      = []byte(`,"cache_control":{"type":"ephemeral","ttl":"1h"}`)
)

// spliceFor finds where a mark goes in raw: before the closing brace, or in place
// of a cache_control that is null. Only if null is true may there be one.
func spliceFor(at Breakpoint, raw []byte, null bool) splice {
	text := markText(at.TTL)
	if null {
		if start, end, ok := rawjson.Span(raw, "cache_control"); ok {
			return splice{at: at, cut: start, resume: end, text: text[len(`,"cache_control":`):]}
		}
	}
	end := bytes.LastIndexByte(raw, '}')
	return splice{at: at, cut: end, resume: end, text: text}
}
