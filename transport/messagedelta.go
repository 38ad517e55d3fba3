package transport

import (
	"errors"

	"github.com/whorl-go/whorl/transport/rawjson"
)

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

// mergeUsage merges the counts of a message_delta into those of the message_start.
func mergeUsage(base memberList, over []byte, stop StopReason) memberList {
	for key, v := range rawjson.Fields(over) {
		if i := base.find(key); i < 0 || !falls(base[i], v, stop) {
			base = base.set(key, v)
		}
	}
	return base
}

// falls reports whether a value would make a count less than it was, where it can't be.
// Counts of the prompt may fall: after a compaction or a fallback the service
// counts the last sampling there, and the others among the iterations. A zero,
// which gateways send that count the prompt at the start only, replaces none, and
// what was sampled falls only to the zero of a refusal.
func falls(count objectMember, value []byte, stop StopReason) bool {
	var before, after int64
	switch string(count.key) {
	case "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens":
		readInt(&before, count.value)
		readInt(&after, value)
		return after == 0 && before > 0
	case "output_tokens":
		readInt(&before, count.value)
		readInt(&after, value)
		return after < before && stop != StopRefusal
	}
	return false
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
