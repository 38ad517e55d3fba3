package transport

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/internal/jsontext"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An assembler turns the events of one stream into blocks and a response. A
// streamed block is its start object with the deltas joined in: the strings of
// text, thinking and signature deltas are copied as they are escaped on the wire,
// never decoded and encoded again. What it doesn't know (events, deltas, members)
// it leaves alone.
type assembler struct {
	begun   *Response  // as message_start gave it; nil if it has not come
	message memberList // the message object, as message_delta changed it
	done    []doneBlock
	open    []openBlock // in use are those with a start; the others keep their buffers
	cut     []string
	again   bool    // the message started over
	next    int     // the position behind all blocks that have begun
	extra   []Event // that follow on the one that was returned

	usage   []byte     // room for the changed usage
	counts  memberList // room for its members
	changed [2][]byte  // room for the changed message, and for the one before it
}

type doneBlock struct {
	place int
	block Block
	cut   bool
}

// An openBlock gathers what came for a block between its start and its stop.
type openBlock struct {
	index int   // as its events name it
	place int   // where it stands in the content
	start Block // as it started; zero if this openBlock is free
	takes blocktype.Deltas
	stray bool // made here, for text that came for a block of another type

	text      []byte // what text or thinking deltas add, still escaped
	input     []byte // what input_json deltas add, decoded: it is JSON text itself
	half      []byte // of a surrogate pair: the escape that the last input_json delta ended in
	citations []byte // elements, with commas between
	signature []byte // quoted
	over      []byte // an object whose members replace those of the start

	joined []byte // room for putting the block together
}

// reset prepares the assembler for another stream and keeps small buffers.
func (a *assembler) reset() {
	clear(a.done)
	clear(a.extra)
	clear(a.message[:cap(a.message)])
	clear(a.counts[:cap(a.counts)])
	a.message, a.begun, a.done, a.cut, a.again, a.next, a.extra = a.message[:0], nil, a.done[:0], nil, false, 0, a.extra[:0]
	for i := range a.open {
		a.open[i].release()
	}
	if cap(a.changed[0])+cap(a.changed[1]) > mostKept {
		a.usage, a.changed = nil, [2][]byte{}
	}
	if cap(a.message)+cap(a.counts) > mostMembers {
		a.message, a.counts = nil, nil
	}
}

// mostKept is the size of a buffer, in bytes, that is not kept for the next stream.
const mostKept = 1 << 20

// mostMembers is how many members the lists of them may have room for to be kept.
const mostMembers = 1 << 10

func (o *openBlock) release() {
	if cap(o.text) > mostKept {
		o.text = nil
	}
	if cap(o.input) > mostKept {
		o.input = nil
	}
	if cap(o.joined) > mostKept {
		o.joined = nil
	}
	*o = openBlock{text: o.text[:0], input: o.input[:0], citations: o.citations[:0], joined: o.joined[:0]}
}

// An eventText is the JSON of an event and what is read of it before its type is known.
type eventText struct {
	raw, typ, message, start, delta, usage []byte

	at      index
	failed  bool // it has an "error"
	foreign bool // it has "choices", as no event of this API does
	beside  bool // it has more than a message_delta needs
}

// parse checks the JSON of an event and takes it apart, in one go, as most of what
// a stream brings passes here. It is false if data is not a JSON object.
func (e *eventText) parse(data []byte) bool {
	e.raw = data
	return jsontext.ValidObject(data, func(key, v []byte) {
		switch string(key) {
		case "type":
			e.typ = rawjson.Inner(v)
		case "index":
			e.at = parseIndex(v)
		case "delta":
			e.delta = v
		case "usage":
			e.usage = v
		default:
			e.beside = true
			switch string(key) {
			case "message":
				e.message = v
			case "content_block":
				e.start = v
			case "error":
				e.failed = !rawjson.IsNull(v)
			case "choices":
				e.foreign = true
			}
		}
	})
}

// apply takes in one event. The event that apply returns points into it. An error
// event comes back as an [*Error].
func (a *assembler) apply(name []byte, e *eventText) (Event, error) {
	if e.foreign && a.begun == nil {
		return Event{}, errForeign
	}
	ev := Event{Raw: e.raw, Type: eventType(e.typ), Index: e.at.n}
	if ev.Type == "" {
		ev.Type = EventType(name)
	}
	var err error
	switch ev.Type {
	case EventMessageStart:
		ev.Response, err = a.begin(e.message)
	case EventContentBlockStart:
		err = a.blockStart(&ev, e.at, e.start)
	case EventContentBlockDelta:
		err = a.blockDelta(&ev, e.at, e.delta)
	case EventContentBlockStop:
		err = a.blockStop(&ev, e.at)
	case EventMessageDelta:
		err = a.messageDelta(e)
	case EventMessageStop:
		err = a.finish(&ev, e.message)
	case "error":
		err = streamedError(e.raw)
	default:
		if e.failed {
			err = streamedError(e.raw)
		}
	}
	return ev, err
}

func (a *assembler) begin(message []byte) (*Response, error) {
	if a.begun != nil {
		a.reset()
		a.again = true
	}
	if len(message) == 0 || message[0] != '{' {
		return nil, errors.New("message_start without a message")
	}
	message = bytes.Clone(message)
	a.message = a.message.parse(message)
	a.begun = &Response{raw: message[:len(message):len(message)]}
	if err := a.begun.setAll(a.message, a.begun); err != nil {
		return nil, err
	}
	a.begun.addIDs()
	return a.begun, nil
}

// blockStart opens a block. An open block that the new one has the index of, or
// that came without a stop, has ended.
func (a *assembler) blockStart(ev *Event, at index, start []byte) error {
	if a.begun == nil {
		return errors.New("content_block_start before message_start")
	}
	if len(start) == 0 || start[0] != '{' {
		return fmt.Errorf("content_block_start %d without a content block", at.n)
	}
	b := startedText
	if string(start) != string(b.raw) {
		b = newBlock(bytes.Clone(start))
	}
	if b.typ == "" {
		return fmt.Errorf(`content_block_start %d: no "type": %s`, at.n, brief(start))
	}
	if o := a.find(at); o != nil && !at.wrong && (at.told || o.start.typ != "") {
		a.end(o)
	}
	place, err := a.placeOf(at)
	if err != nil {
		return fmt.Errorf("content_block_start: %w", err)
	}
	if b.typ == TypeToolUse {
		b = a.withID(b, place)
	}
	o := a.freeSlot()
	o.index, o.place, o.start, o.takes = at.n, place, b, blocktype.Of(b.typ).Deltas
	a.next = max(a.next, place+1)
	if b.typ == blocktype.Fallback {
		if to := rawjson.Get(rawjson.Get(b.raw, "to"), "model"); len(to) > 0 {
			a.message = a.message.set(keyModel, bytes.Clone(to))
		}
	}
	ev.Index, ev.Block = place, b
	return nil
}

// startedText is a text block as nearly all of them start.
var startedText = newBlock([]byte(`{"type":"text","text":""}`))

// withID gives a call that came without a usable id one: without it no result
// could answer the call.
func (a *assembler) withID(b Block, place int) Block {
	if v := rawjson.Get(b.raw, "id"); len(v) > 2 && v[0] == '"' {
		return b
	}
	return b.with("id", madeID(rawjson.Unquote(a.message.get("id")), place))
}

func (a *assembler) freeSlot() *openBlock {
	for i := range a.open {
		if a.open[i].start.IsZero() {
			return &a.open[i]
		}
	}
	a.open = append(a.open, openBlock{})
	return &a.open[len(a.open)-1]
}

// blockDelta adds to a block. What doesn't belong into a block of its type goes
// where it does, or is left out: no block gets a member that its type doesn't
// have, and what was thought is never shown as the answer.
func (a *assembler) blockDelta(ev *Event, at index, delta []byte) error {
	d := &ev.Delta
	d.Raw = delta
	var citation []byte
	var values deltaValues
	for key, v := range rawjson.Fields(delta) {
		switch string(key) {
		case "type":
			d.Type = deltaType(rawjson.Inner(v))
		case "text":
			values.text = v
		case "thinking":
			values.thinking = v
		case "partial_json":
			values.input = v
		case "signature":
			values.signature = v
		case "citation":
			citation = v
		}
	}
	values.choose(d)
	empty := len(d.value) <= len(`""`) && citation == nil && d.Type != deltaCompaction
	o := a.find(at)
	if o == nil || at.wrong {
		if d.value = nil; empty && !at.wrong {
			return nil
		}
		return unplaced(EventContentBlockDelta, at)
	}
	if ev.Index = o.place; !takes(o.takes, d.Type) {
		if empty {
			d.value = nil
			return nil
		}
		var err error
		if o, err = a.misplaced(ev, o); o == nil {
			return err
		}
	}
	switch d.Type {
	case DeltaText, DeltaThinking:
		if d.Type == DeltaThinking && adds(values.signature) {
			o.signature = append(o.signature[:0], values.signature...)
		}
		o.text = append(roomFor(o.text, len(d.value)), rawjson.Inner(d.value)...)
	case DeltaInputJSON:
		o.addInput(d.value)
	case deltaSignature:
		o.signature = append(o.signature[:0], d.value...)
	case deltaCitations:
		if citation == nil {
			break
		}
		if len(o.citations) > 0 {
			o.citations = append(o.citations, ',')
		}
		o.citations = append(o.citations, citation...)
	case deltaCompaction:
		o.over = bytes.Clone(delta)
	default:
		d.value = nil
	}
	return nil
}

// deltaValues are the members of a delta that may be what it adds. Some gateways write
// all of them, those that its type doesn't have empty.
type deltaValues struct{ text, thinking, input, signature []byte }

// adds reports whether a value is a string with something in it.
func adds(v []byte) bool { return len(v) > len(`""`) && v[0] == '"' }

// choose takes the value that the delta's type names; without a type, that of the only
// member that adds something. Input that came as an object and not as its text is
// taken as its text.
func (v *deltaValues) choose(d *Delta) {
	if d.Type == "" {
		for _, m := range [...]struct {
			typ   DeltaType
			value []byte
		}{{DeltaText, v.text}, {DeltaThinking, v.thinking}, {DeltaInputJSON, v.input}, {deltaSignature, v.signature}} {
			switch {
			case !adds(m.value):
			case d.Type != "":
				d.Type = ""
				return
			default:
				d.Type = m.typ
			}
		}
	}
	var value []byte
	switch d.Type {
	case DeltaText:
		value = v.text
	case DeltaThinking:
		value = v.thinking
	case DeltaInputJSON:
		if value = v.input; len(value) > 0 && (value[0] == '{' || value[0] == '[') {
			value = rawjson.AppendString(nil, string(value))
		}
	case deltaSignature:
		value = v.signature
	}
	if len(value) > 0 && value[0] == '"' {
		d.value = value
	}
}

// takes reports whether a block has a place for what a delta adds.
func takes(block blocktype.Deltas, delta DeltaType) bool {
	switch delta {
	case DeltaText, deltaCitations:
		return block.Takes(blocktype.TextDeltas)
	case DeltaThinking, deltaSignature:
		return block.Takes(blocktype.ThinkingDeltas)
	case DeltaInputJSON:
		return block.Takes(blocktype.InputDeltas)
	}
	return true
}

// misplaced finds the block for a delta that o doesn't take: the only open one
// that does, or, for text, one of its own behind o. It is nil, and the delta adds
// nothing, where there is none: thinking without a signature can't be sent back,
// and a signature belongs to the thinking that it came with. A piece of a call's
// input that belongs to no call is an error: the call would be run without it.
func (a *assembler) misplaced(ev *Event, o *openBlock) (*openBlock, error) {
	d := &ev.Delta
	var only *openBlock
	for i := range a.open {
		if p := &a.open[i]; !p.start.IsZero() && !p.stray && p.takes != 0 && takes(p.takes, d.Type) {
			if only != nil {
				only = nil
				break
			}
			only = p
		}
	}
	switch {
	case only != nil:
		ev.Index = only.place
		return only, nil
	case d.Type == DeltaInputJSON:
		return nil, fmt.Errorf("content_block_delta %d: an input_json_delta for a block of type %s", o.index, o.start.typ)
	case d.Type != DeltaText:
		d.value = nil // thinking, a signature or citations of nothing
		return nil, nil
	}
	s := a.strayOf(o)
	if s == nil {
		base := o.index
		start := startedText
		s = a.freeSlot() // o may have moved
		s.index, s.place, s.start, s.takes, s.stray = base, a.next, start, blocktype.TextDeltas, true
		a.next++
		// The delta follows on the start of its block.
		a.extra = append(a.extra, Event{Type: EventContentBlockDelta, Index: s.place, Delta: Delta{Type: d.Type, Raw: bytes.Clone(d.Raw), value: bytes.Clone(d.value)}})
		s.text = append(s.text, rawjson.Inner(d.value)...)
		*ev = Event{Type: EventContentBlockStart, Index: s.place, Block: start}
		return nil, nil
	}
	ev.Index = s.place
	return s, nil
}

// addInput adds a quoted piece of a call's input. Proxies that count in UTF-16
// part a surrogate pair between two pieces; its first half waits for the second.
func (o *openBlock) addInput(quoted []byte) {
	if len(o.half) > 0 {
		quoted = slices.Concat([]byte{'"'}, o.half, rawjson.Inner(quoted), []byte{'"'})
		o.half = nil
	}
	if whole := trimHalfEscape(rawjson.Inner(quoted)); len(whole) < len(quoted)-len(`""`) {
		o.half = bytes.Clone(rawjson.Inner(quoted)[len(whole):])
		quoted = slices.Concat([]byte{'"'}, whole, []byte{'"'})
	}
	o.input = rawjson.AppendUnquoted(roomFor(o.input, len(quoted)), quoted)
}

// roomFor makes room for n bytes more, twice the buffer at a time; append grows
// large buffers by a quarter and so copies them more often.
func roomFor(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = slices.Grow(b, max(n, 2*cap(b)-len(b)))
	}
	return b
}

// blockStop ends a block. A stop of a block that has ended, or never began, says
// nothing: some gateways send one twice, or one for each index up to the last.
func (a *assembler) blockStop(ev *Event, at index) error {
	o := a.find(at)
	switch {
	case at.wrong || o == nil && !at.told && a.anyOpen():
		return unplaced(EventContentBlockStop, at)
	case o == nil:
		return nil
	}
	s := a.strayOf(o)
	ev.Index = o.place
	ev.Block, ev.Cut = a.end(o)
	if s != nil {
		a.stopStray(s)
	}
	return nil
}

// stopStray ends what an open block holds beside its type. It is not inlined: an Event is
// large, and would lie on the stack below the end of each block.
//
//go:noinline
func (a *assembler) stopStray(o *openBlock) {
	stop := Event{Type: EventContentBlockStop, Index: o.place}
	stop.Block, stop.Cut = a.end(o)
	a.extra = append(a.extra, stop)
}

func (a *assembler) anyOpen() bool {
	return slices.ContainsFunc(a.open, func(o openBlock) bool { return !o.start.IsZero() })
}

// end puts an open block together and in its place.
func (a *assembler) end(o *openBlock) (Block, bool) {
	b, cut := o.close()
	a.keep(o.place, b, cut)
	o.release()
	return b, cut
}

// keep puts a finished block in its place. Blocks mostly finish in order.
func (a *assembler) keep(place int, b Block, cut bool) {
	i := len(a.done)
	for i > 0 && a.done[i-1].place > place {
		i--
	}
	a.done = append(a.done, doneBlock{})
	copy(a.done[i+1:], a.done[i:])
	a.done[i] = doneBlock{place, b, cut}
	if cut {
		a.cut = append(a.cut, b.field("id"))
	}
}

// close joins the deltas into the start object. cut is true if the block is a
// call whose input isn't whole.
func (o *openBlock) close() (b Block, cut bool) {
	input := o.input
	if rawjson.IsNull(rawjson.Trim(input)) {
		input = nil // no arguments, as some gateways stream it
	}
	if len(input) > 0 {
		var whole bool
		if input, whole = rawjson.CloseUp(o.input); !whole {
			if cut = isCut(o.input); !cut {
				input = invalidInput(o.input)
			}
		}
	}
	if len(o.text) == 0 && len(input) == 0 && len(o.signature) == 0 && len(o.citations) == 0 && o.over == nil {
		return o.start, false
	}
	textKey := "text"
	if o.start.typ == TypeThinking {
		textKey = "thinking"
	}
	var hasText, hasInput, hasSignature, hasCitations bool
	raw := slices.Grow(o.joined[:0], len(o.start.raw)+len(o.text)+len(input)+len(o.signature)+len(o.citations)+len(o.over)+48)
	raw = rawjson.Rewrite(raw, o.start.raw, func(dst, key, v []byte) []byte {
		switch k := string(key); {
		case k == textKey && len(o.text) > 0:
			hasText = true
			return appendJoined(dst, v, o.text)
		case k == "input" && len(input) > 0:
			hasInput = true
			return append(dst, input...)
		case k == "signature" && len(o.signature) > 0:
			hasSignature = true
			return append(dst, o.signature...)
		case k == "citations" && len(o.citations) > 0:
			hasCitations = true
			return appendList(dst, v, o.citations)
		case o.over != nil && k != "type":
			if over := rawjson.Get(o.over, k); over != nil {
				v = over
			}
		}
		return append(dst, v...)
	})
	// Members that the start lacks go to the end.
	raw = raw[:bytes.LastIndexByte(raw, '}')]
	if len(o.text) > 0 && !hasText {
		raw = appendJoined(appendKey(raw, textKey), nil, o.text)
	}
	if len(input) > 0 && !hasInput {
		raw = append(appendKey(raw, "input"), input...)
	}
	if len(o.signature) > 0 && !hasSignature {
		raw = append(appendKey(raw, "signature"), o.signature...)
	}
	if len(o.citations) > 0 && !hasCitations {
		raw = appendList(appendKey(raw, "citations"), nil, o.citations)
	}
	for key, v := range rawjson.Fields(o.over) {
		if string(key) != "type" && rawjson.Get(o.start.raw, string(key)) == nil {
			raw = append(appendKey(raw, key), v...)
		}
	}
	o.joined = append(raw, '}')
	raw = bytes.Clone(o.joined) // as many bytes as it has: it is kept for long
	if o.over != nil {
		return newBlock(raw), cut
	}
	b = o.start // of the same type, and marked as it was
	b.raw = raw[:len(raw):len(raw)]
	return b, cut
}

// appendKey begins a further member of an object that has some.
func appendKey[K string | []byte](dst []byte, key K) []byte {
	dst = append(append(dst, ',', '"'), key...)
	return append(dst, '"', ':')
}

// appendJoined writes a string: what a quoted one holds, and more that is escaped already.
func appendJoined(dst, quoted, more []byte) []byte {
	dst = append(append(dst, '"'), rawjson.Inner(quoted)...)
	return append(append(dst, more...), '"')
}

// appendList writes an array: the elements of one, and more.
func appendList(dst, array, more []byte) []byte {
	dst = append(dst, '[')
	for e := range rawjson.Elements(array) {
		dst = append(append(dst, e...), ',')
	}
	return append(append(dst, more...), ']')
}

// messageDelta merges what came last into the message: the members of delta, the
// counts of usage, which are cumulative, and whatever stands beside them. A null
// replaces nothing.
func (a *assembler) messageDelta(e *eventText) error {
	if a.begun == nil {
		return errors.New("message_delta before message_start")
	}
	var stop StopReason
	for key, v := range rawjson.Fields(e.delta) {
		if string(key) == "stop_reason" {
			stop = StopReason(word(v))
		}
		a.setMember(key, v)
	}
	if e.beside {
		for key, v := range rawjson.Fields(e.raw) {
			switch string(key) {
			case "type", "index", "delta", "usage":
			default:
				a.setMember(key, v)
			}
		}
	}
	if usage := e.usage; len(usage) > 0 && usage[0] == '{' {
		if base := a.message.get("usage"); len(base) > 0 && base[0] == '{' {
			a.counts = mergeUsage(a.counts.parse(base), usage, stop)
			a.usage = a.counts.write(a.usage)
			usage = a.usage
		}
		a.message = a.message.set(keyUsage, usage)
	}
	// The message as it is may stand in the first room, and has parts of the event's data.
	a.changed[0], a.changed[1] = a.message.write(a.changed[1]), a.changed[0]
	return nil
}

// finish makes the response. Blocks that were never stopped end here. last is the
// message that came with the event, if any.
func (a *assembler) finish(ev *Event, last []byte) error {
	if a.begun == nil {
		return errors.New("message_stop before message_start")
	}
	for i := range a.open {
		if o := &a.open[i]; !o.start.IsZero() {
			a.end(o)
		}
	}
	a.setMember(keyContent, rawjson.Get(last, "content"))
	given, err := a.keepGiven()
	if err != nil {
		return err
	}
	content := make([]Block, len(a.done))
	for i, d := range a.done {
		content[i] = d.block
	}
	if ev.Response, err = a.response(content); err != nil {
		return err
	}
	ev.Response.Cut = a.cut
	if len(given) > 0 {
		a.bring(ev, given)
	}
	return nil
}

// Keys that are set, and a value.
var (
	keyContent = []byte("content")
	keyModel   = []byte("model")
	keyUsage   = []byte("usage")
	emptyList  = []byte("[]")
)

// response makes a Response of the message as it stands and of content.
func (a *assembler) response(content []Block) (*Response, error) {
	a.message = a.message.set(keyContent, emptyList)
	at := a.message.find(keyContent)
	envelope := a.message.write(nil)
	r := new(Response)
	if err := r.setAll(a.message, a.begun); err != nil {
		return nil, err
	}
	start := len(`{`) + a.message[:at].size() + len(`"":[`) + len(a.message[at].key)
	r.before, r.after = envelope[:start:start], envelope[start:]
	r.Content = content
	return r, nil
}
