package transport

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/transport/internal/blocktype"
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
	addIDs(a.begun.Content, a.begun.ID)
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
		b = b.withID(a.begun.ID, place)
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
