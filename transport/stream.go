package transport

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// errNoStop is a stream that ended before its last event. It is the same kind
// of failure as a connection that was cut.
var errNoStop = errors.New("the stream ended without message_stop")

// A decoder is what reading a stream needs. Its buffers serve one stream after another.
type decoder struct {
	sse sseReader
	asm assembler
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// ReadStream reads the events of a streamed response from r, the body of a
// response of type text/event-stream, and yields them. message_stop is the last
// and carries the whole response. A stream that ends before it, can't be read, or
// holds an error event ends in a [*StreamError].
//
// A second message_start, as sent by proxies that continue with a response of their
// own, voids everything before it. [EventRestarted] is yielded before it.
//
// An event is valid until the next one. ReadStream stops at message_stop.
func ReadStream(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		d := decoders.Get().(*decoder)
		defer func() {
			d.sse.reset(nil)
			d.asm.reset()
			decoders.Put(d)
		}()
		d.sse.reset(r)
		d.asm.reset()
		delivered := false
		for {
			ev, err := d.next()
			if err != nil {
				yield(Event{}, &StreamError{Err: err, Partial: d.asm.partial(), Delivered: delivered})
				return
			}
			if d.asm.again {
				d.asm.again = false
				if !yield(Event{Type: EventRestarted}, nil) {
					return
				}
			}
			delivered = delivered || ev.delivers()
			if !yield(ev, nil) || ev.Type == EventMessageStop {
				return
			}
		}
	}
}

func (d *decoder) next() (Event, error) {
	for {
		if len(d.asm.extra) > 0 {
			return d.asm.takeExtra(), nil
		}
		name, data, err := d.sse.next()
		if err == io.EOF {
			if d.asm.complete() {
				return d.asm.stopped()
			}
			return Event{}, d.ended()
		}
		if err != nil {
			return Event{}, err
		}
		data = rawjson.Trim(data)
		var e eventText // on the stack below all the parsing: it is not copied
		if e.parse(data) {
			return d.asm.apply(name, &e)
		}
		switch {
		case d.asm.complete() && (EventType(name) == EventMessageStop || string(data) == "[DONE]"):
			return d.asm.stopped()
		case EventType(name) == EventPing || string(data) == "[DONE]":
			// Proxies send these, which say nothing (wire §5.1).
		case string(name) == "error" && len(data) > 0 && data[0] != '{':
			return Event{}, streamedError(data) // a gateway's own words
		case d.sse.err != nil:
			return Event{}, errNoStop // the end of the stream cut the event
		default:
			return Event{}, errors.New("an event is not a JSON object: " + brief(data))
		}
	}
}

// takeExtra is the first of the events that follow on the one that was returned. It is
// not inlined: next lies below all the parsing, and an Event is large.
//
//go:noinline
func (a *assembler) takeExtra() Event {
	ev := a.extra[0]
	a.extra = slices.Delete(a.extra, 0, 1)
	return ev
}

// complete reports whether nothing can be missing but the last event: the message
// has its stop reason, and each block its stop. Some gateways leave message_stop
// out.
func (a *assembler) complete() bool {
	return a.begun != nil && rawjson.Unquote(a.message.get("stop_reason")) != "" && !a.anyOpen()
}

// stopped is the event that the stream should have ended with. It is not inlined: next
// lies below all the parsing, and an Event is large.
//
//go:noinline
func (a *assembler) stopped() (Event, error) {
	ev := Event{Type: EventMessageStop}
	err := a.finish(&ev, nil)
	return ev, err
}

// ended is the error of a stream that ended before its time. Some gateways call
// a page or a JSON error a stream; it is in the buffer still.
func (d *decoder) ended() error {
	body := rawjson.Trim(d.sse.buf)
	if d.asm.begun != nil || len(body) == 0 || body[0] != '{' && body[0] != '<' {
		return errNoStop
	}
	if rawjson.Valid(body) && !rawjson.IsNull(rawjson.Get(body, "error")) {
		return streamedError(body)
	}
	return errForeign
}

// errForeign is an answer that is no message; sent again, it would be the same.
var errForeign error = foreignError{}

type foreignError struct{}

func (foreignError) Error() string {
	return "the answer holds no message: does the endpoint implement the Messages API, and is no proxy in the way?"
}

func (foreignError) Permanent() bool { return true }

// delivers reports whether the event brings content, so that it would be there
// twice if the request were sent again: a delta that adds something, or a whole
// block.
func (ev *Event) delivers() bool {
	switch ev.Type {
	case EventContentBlockDelta:
		return len(ev.Delta.value) != len(`""`)
	case EventContentBlockStop:
		return !ev.Block.IsZero()
	}
	return false
}

// partial makes a Response of a message that broke off: the blocks that are
// whole and the text that isn't, or nil if the message had not begun. Thinking
// without a signature and calls that were cut are left out: they can neither be
// sent back nor run.
func (a *assembler) partial() *Response {
	if a.begun == nil {
		return nil
	}
	for i := range a.open {
		if o := &a.open[i]; o.start.typ == TypeText {
			o.text = trimHalfEscape(o.text)
			b, _ := o.close()
			if b.field("text") != "" {
				a.keep(o.place, b, false)
			}
		}
	}
	if len(a.done) > 0 {
		_, _ = a.keepGiven() // reads nothing, so that it can't fail
	}
	content := make([]Block, 0, len(a.done))
	for _, d := range a.done {
		if d.cut || d.block.typ == TypeThinking && d.block.field("signature") == "" {
			continue
		}
		content = append(content, d.block)
	}
	r, err := a.response(content)
	if err != nil {
		return nil
	}
	return r
}

// trimHalfEscape drops the first half of an escaped surrogate pair from the end
// of the inside of a string.
func trimHalfEscape(b []byte) []byte {
	n := len(b) - len(`\ud83d`)
	if n < 0 || b[n] != '\\' || b[n+1] != 'u' || b[n+2]|0x20 != 'd' || strings.IndexByte("89abAB", b[n+3]) < 0 {
		return b
	}
	if before := b[:n]; (n-len(bytes.TrimRight(before, `\`)))%2 == 1 {
		return b // the backslash is itself escaped
	}
	return b[:n]
}
