package transport

import (
	"bytes"
	"encoding/json"
	"iter"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// An EventType is the wire type of a stream event.
type EventType string

// Types of stream events. The list is not closed: an event of another type is
// yielded with its Raw data and otherwise ignored.
const (
	EventMessageStart      EventType = "message_start"
	EventContentBlockStart EventType = "content_block_start"
	EventContentBlockDelta EventType = "content_block_delta"
	EventContentBlockStop  EventType = "content_block_stop"
	EventMessageDelta      EventType = "message_delta"
	EventMessageStop       EventType = "message_stop"
	EventPing              EventType = "ping"

	// EventRestarted is not the service's: it is yielded where a stream broke after
	// some of its events had been yielded and the whole request was sent again.
	// Anything shown of the response is void. Content is shown twice in this way only
	// if the owner of the run had asked for it, or a proxy does it.
	EventRestarted EventType = "restarted"
)

// An Event is one event of a streamed response. It is valid until the next
// event is asked for; blocks and responses in it may be kept.
type Event struct {
	Type EventType

	// Index is the position of the block in the response's content, on
	// content_block_start, _delta and _stop.
	Index int

	// Block is, on content_block_start, the block as it started, and on
	// content_block_stop the whole block.
	Block Block

	// Cut is true on the content_block_stop of a call whose input didn't arrive
	// whole: Block holds what there was, closed up. The call must not be run.
	Cut bool

	// Delta is what a content_block_delta adds to its block.
	Delta Delta

	// Response is, on message_start, the response as it started (its id, its model,
	// what the prompt cost), and on message_stop the whole response.
	Response *Response

	// Raw is the event's JSON, without the padding that the service adds. It is nil
	// for events that this package made.
	Raw json.RawMessage
}

// A DeltaType is the wire type of a delta.
type DeltaType string

// Types of deltas, named as on the wire.
const (
	DeltaText      DeltaType = "text_delta"
	DeltaThinking  DeltaType = "thinking_delta"
	DeltaInputJSON DeltaType = "input_json_delta"
)

// Deltas that programs have no use for; package view has them, too.
const (
	deltaSignature  DeltaType = "signature_delta"
	deltaCitations  DeltaType = "citations_delta"
	deltaCompaction DeltaType = "compaction_delta"
)

// A Delta is the addition that one event makes to a block.
type Delta struct {
	// Type is the wire type, for instance "text_delta".
	Type DeltaType
	// Raw is the delta's JSON.
	Raw json.RawMessage

	value []byte // the string it adds, quoted, if its type is one that adds a string
}

// Text decodes what a text, thinking, input_json or signature delta adds, and
// is "" for others.
func (d Delta) Text() string { return rawjson.Unquote(d.value) }

// Events yields the events that bring a response which came in one piece, as a
// stream would have brought it: one delta per text and thinking block. Other
// blocks come whole at their start.
func (r *Response) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if !yield(Event{Type: EventMessageStart, Response: r}) {
			return
		}
		for i, b := range r.Content {
			start, delta := b, Delta{}
			switch b.typ {
			case TypeText:
				start, delta = b.withoutText("text", DeltaText)
			case TypeThinking:
				start, delta = b.withoutText("thinking", DeltaThinking)
			}
			if !yield(Event{Type: EventContentBlockStart, Index: i, Block: start}) ||
				delta.Type != "" && !yield(Event{Type: EventContentBlockDelta, Index: i, Delta: delta}) ||
				!yield(Event{Type: EventContentBlockStop, Index: i, Block: b}) {
				return
			}
		}
		yield(Event{Type: EventMessageStop, Response: r})
	}
}

// withoutText parts a block into one whose text is empty and the delta that adds it.
func (b Block) withoutText(member string, deltaType DeltaType) (Block, Delta) {
	from, to, ok := rawjson.Span(b.raw, member)
	if !ok || b.raw[from] != '"' || to-from == len(`""`) {
		return b, Delta{}
	}
	start := append(append(bytes.Clone(b.raw[:from]), `""`...), b.raw[to:]...)
	value := b.raw[from:to]
	raw := append(appendKey([]byte(`{"type":"`+string(deltaType)+`"`), member), value...)
	return newBlock(start), Delta{Type: deltaType, Raw: append(raw, '}'), value: value}
}

// eventType and deltaType keep one string per known type, so that reading an
// event allocates nothing for it.
func eventType(inner []byte) EventType {
	switch EventType(inner) {
	case EventContentBlockDelta:
		return EventContentBlockDelta
	case EventContentBlockStart:
		return EventContentBlockStart
	case EventContentBlockStop:
		return EventContentBlockStop
	case EventMessageStart:
		return EventMessageStart
	case EventMessageDelta:
		return EventMessageDelta
	case EventMessageStop:
		return EventMessageStop
	case EventPing:
		return EventPing
	}
	return EventType(inner)
}

func deltaType(inner []byte) DeltaType {
	switch DeltaType(inner) {
	case DeltaText:
		return DeltaText
	case DeltaThinking:
		return DeltaThinking
	case DeltaInputJSON:
		return DeltaInputJSON
	case deltaSignature:
		return deltaSignature
	}
	return DeltaType(inner)
}
