package transport

import (
	"strings"
	"sync/atomic"
)

// A room is the memory that a long text block was encoded into, with room around it for
// the tool_result that holds the block: a result of one text need not copy it. The
// first such result takes the room; the block's own bytes are never changed.
type room struct {
	buf   []byte // in front, and the block; behind it there may be capacity
	taken atomic.Bool
}

const (
	roomInFront = 80  // bytes, for `{"type":"tool_result","tool_use_id":"toolu_…","content":[`
	roomBehind  = 20  // for `],"is_error":true}`
	leastRoom   = 512 // the text, in bytes, from which on there is room
)

// textWithRoom makes a text block.
func textWithRoom(text string) Block {
	size := len(`{"type":"text","text":""}`) + len(text)
	for _, escaped := range [...]string{"\n", `"`, `\`, "\t"} { // the most frequent ones
		size += strings.Count(text, escaped)
	}
	buf := appendText(make([]byte, roomInFront, roomInFront+size+roomBehind), text)
	return Block{raw: buf[roomInFront:len(buf):len(buf)], typ: TypeText, room: &room{buf: buf}}
}

// around returns raw, a block, between front and back, or nil if it has no room for
// them, or it is taken.
func (r *room) around(raw, front []byte, back string) []byte {
	from := roomInFront - len(front)
	if r == nil || from < 0 || cap(r.buf)-len(r.buf) < len(back) {
		return nil
	}
	if own := r.buf[roomInFront:]; len(raw) != len(own) || &raw[0] != &own[0] || r.taken.Swap(true) {
		return nil // raw: the block was changed
	}
	copy(r.buf[from:], front)
	whole := append(r.buf[from:], back...)
	return whole[:len(whole):len(whole)]
}
