package transport

import "bytes"

// Some gateways write content into the message of an event and not, or not all of it,
// into events of its blocks.

// setMember changes a member of the message. Content that is empty replaces none.
func (a *assembler) setMember(key, v []byte) {
	if string(key) == "content" && (len(v) == 0 || string(v) == `[]` || string(v) == `""`) {
		return
	}
	a.message = a.message.set(key, v)
}

// keepGiven keeps the blocks that came within the message, and returns them. The
// blocks of the events are newer, so these count only where no event brought a block,
// or where those that message_start had are continued behind them.
func (a *assembler) keepGiven() ([]Block, error) {
	blocks := a.begun.Content
	if len(a.done) == 0 {
		var err error
		if blocks, err = a.givenContent(); err != nil {
			return nil, err
		}
	} else if a.done[0].place < len(blocks) {
		return nil, nil
	}
	for i, b := range blocks {
		a.keep(i, b, false)
	}
	return blocks, nil
}

// givenContent reads the content of the message as it stands.
func (a *assembler) givenContent() ([]Block, error) {
	v := a.message.get("content")
	if len(v) == 0 {
		return nil, nil
	}
	blocks, err := parseContent(bytes.Clone(v)) // the message's bytes are used again
	addIDs(blocks, a.begun.ID)
	return blocks, err
}

// bring makes ev the first of the events that bring blocks; what it was follows on
// them. It is not inlined: an Event is large, and would lie on the stack of each
// response.
//
//go:noinline
func (a *assembler) bring(ev *Event, blocks []Block) {
	stop := *ev
	for e := range (&Response{Content: blocks}).Events() {
		if e.Type != EventMessageStart && e.Type != EventMessageStop {
			a.extra = append(a.extra, e)
		}
	}
	a.extra = append(a.extra, stop)
	*ev = a.takeExtra()
}
