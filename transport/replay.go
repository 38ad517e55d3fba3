package transport

import (
	"bytes"
	"slices"

	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A ToolCall is a client tool call of the model.
type ToolCall struct {
	ID      string
	Name    string
	Toolset string // toolset_name, for a member of a toolset; else empty
	Input   []byte // a JSON object, as the model wrote it; it must not be modified
	Cut     bool   // the input did not arrive whole: the call must not be run
}

// ToolCalls lists the calls that the caller has to answer, in order. Calls in
// front of the last fallback block belong to a model that refused, and are not
// among them (wire §3.6). On a response that was cut off all calls are Cut.
func (r *Response) ToolCalls() []ToolCall {
	var calls []ToolCall
	for _, b := range r.Content[afterFallback(r.Content):] {
		c, ok := b.ToolCall()
		if !ok {
			continue
		}
		if calls == nil {
			calls = make([]ToolCall, 0, r.countToolUses())
		}
		c.Cut = r.endsEarly() || slices.Contains(r.Cut, c.ID)
		calls = append(calls, c)
	}
	return calls
}

// countToolUses is the number of tool_use blocks.
func (r *Response) countToolUses() (n int) {
	for i := range r.Content {
		if r.Content[i].typ == TypeToolUse {
			n++
		}
	}
	return n
}

// endsEarly reports whether the response ended before the model had said what it
// would, so that its last call, or more, is missing.
func (r *Response) endsEarly() bool {
	switch r.StopReason {
	case StopMaxTokens, StopContextWindowExceeded, StopRefusal, StopCompaction:
		return true
	}
	return false
}

// HasCutCalls reports whether there is a call that the caller has to answer and
// that did not arrive whole.
func (r *Response) HasCutCalls() bool {
	return r.HasToolCalls() && (r.endsEarly() || len(r.Cut) > 0)
}

// HasToolCalls reports whether there is a call that the caller has to answer.
func (r *Response) HasToolCalls() bool {
	return slices.ContainsFunc(r.Content[afterFallback(r.Content):], func(b Block) bool { return b.typ == TypeToolUse })
}

// Replay returns the message that stands for the response in later requests:
// its blocks, byte for byte, without those that the service refuses to take
// back although it sent them. These are left out, and nothing else:
//
//   - a refused response, whole (wire §6.1);
//   - text blocks that are empty; blank ones if nothing else is left, or at the
//     end of a response that goes on without client calls (wire §3.2);
//   - in front of the last fallback block: thinking, redacted thinking, calls of
//     client tools, and calls of server tools without a result (wire §3.6);
//   - thinking at the very end of such a response (wire §2.5);
//   - in a response that was cut off by a limit, thinking without a signature: its
//     end never came (wire §5.6);
//   - in text blocks, the file_id of citations, which only responses have (wire §3.4);
//   - text behind the last call of a client tool (wire §6.5), and a server tool's
//     call without a result in a response that doesn't go on (wire §6.4);
//   - thinking that holds half a surrogate pair or bytes that are no UTF-8: it is
//     signed, and so can't be repaired.
//
// The input of a call that is no object becomes one (wire §3.2): some gateways send
// null for no arguments, or the object inside a string. In other blocks half a
// surrogate pair, and a byte that is no UTF-8, become U+FFFD.
//
// The second result is false if nothing is left.
func (r *Response) Replay() (Message, bool) {
	if r.StopReason == StopRefusal {
		return Message{}, false
	}
	kept := r.Content
	after, called := afterFallback(r.Content), r.lastCall()
	if i := r.firstDropped(after, called); i >= 0 {
		kept = append(make([]Block, 0, len(r.Content)), r.Content[:i]...)
		for j := i; j < len(r.Content); j++ {
			if !r.dropped(j, after, called) {
				kept = append(kept, r.Content[j])
			}
		}
	}
	if r.waits() {
		for len(kept) > 0 && (isThinking(kept[len(kept)-1].typ) || isBlank(kept[len(kept)-1])) {
			kept = kept[:len(kept)-1]
		}
	}
	if !slices.ContainsFunc(kept, func(b Block) bool { return !isBlank(b) }) {
		kept = nil
	}
	return Message{Role: RoleAssistant, Content: acceptable(kept)}, len(kept) > 0
}

// acceptable changes what the service refuses inside of blocks. It returns
// content itself if there is nothing to change.
func acceptable(content []Block) []Block {
	changed := false
	for i, b := range content {
		var mended Block
		switch b.typ {
		case TypeText:
			mended = withoutFileIDs(b)
		case TypeToolUse:
			mended = withInput(b)
		}
		if isMalformed(b.raw) {
			if mended.IsZero() {
				mended = b
			}
			mended = newBlock(wellFormed(mended.raw))
		}
		if mended.IsZero() {
			continue
		}
		if !changed {
			changed, content = true, slices.Clone(content)
		}
		content[i] = mended
	}
	return content
}

// withoutFileIDs takes file_id out of the citations of a text block. It returns
// the zero Block if there is none.
func withoutFileIDs(b Block) Block {
	if !bytes.Contains(b.raw, []byte(`"file_id"`)) {
		return Block{}
	}
	citations := rawjson.Get(b.raw, "citations")
	list := []byte{'['}
	for c := range rawjson.Elements(citations) {
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, rawjson.Drop(c, "file_id")...)
	}
	if list = append(list, ']'); len(citations) == 0 || citations[0] != '[' || len(list) >= len(citations) {
		return Block{}
	}
	return b.with("citations", list)
}

// withInput gives a call whose input is no object the one that it stands for, or
// an empty one. It returns the zero Block if there is nothing to repair.
func withInput(b Block) Block {
	input := rawjson.Get(b.raw, "input")
	if len(input) > 0 && input[0] == '{' {
		return Block{}
	}
	return b.with("input", arguments(input))
}

// with returns the block with another value of a member, which is added if it
// isn't there.
func (b Block) with(member string, value []byte) Block {
	if from, to, ok := rawjson.Span(b.raw, member); ok {
		return newBlock(slices.Concat(b.raw[:from], value, b.raw[to:]))
	}
	end := bytes.LastIndexByte(b.raw, '}')
	return newBlock(append(append(appendKey(bytes.Clone(b.raw[:end]), member), value...), '}'))
}

func (r *Response) firstDropped(after, called int) int {
	for i := range r.Content {
		if r.dropped(i, after, called) {
			return i
		}
	}
	return -1
}

// waits reports whether the next request ends with the response, which goes on.
func (r *Response) waits() bool {
	return r.StopReason == StopPauseTurn || r.StopReason == StopToolUse && !r.HasToolCalls()
}

// goesOn reports whether a call of a server tool may get its result in a later
// response.
func (r *Response) goesOn() bool {
	return r.StopReason == StopToolUse || r.StopReason == StopPauseTurn
}

// dropped reports whether block i is left out; after is the index behind the
// last fallback block, and called that of the last call that the caller has to
// answer, or the number of blocks.
func (r *Response) dropped(i, after, called int) bool {
	b := r.Content[i]
	switch {
	case b.typ == TypeText:
		return i > called || isBlank(b) && b.field("text") == ""
	case isThinking(b.typ) && isMalformed(b.raw):
		return true
	case b.typ == TypeThinking && (r.StopReason == StopMaxTokens || r.StopReason == StopContextWindowExceeded):
		return i < after || b.field("signature") == ""
	}
	switch t := blocktype.Of(b.typ); {
	case t.Discarded && i < after:
		return true
	case t.ServerCall && (i < after || !r.goesOn()):
		id := b.field("id")
		for _, c := range r.Content[i:] {
			if blocktype.IsResult(c.typ) && c.field("tool_use_id") == id {
				return false
			}
		}
		return true
	}
	return false
}

// afterFallback is the index behind the last fallback block, or 0.
func afterFallback(content []Block) int {
	for i := len(content) - 1; i >= 0; i-- {
		if content[i].typ == blocktype.Fallback {
			return i + 1
		}
	}
	return 0
}

// lastCall is the index of the last call that the caller has to answer, or the
// number of blocks.
func (r *Response) lastCall() int {
	for i := len(r.Content) - 1; i >= 0 && r.Content[i].typ != blocktype.Fallback; i-- {
		if r.Content[i].typ == TypeToolUse {
			return i
		}
	}
	return len(r.Content)
}

// isBlank is true for a text block without text.
func isBlank(b Block) bool { return b.typ == TypeText && blocktype.IsBlank(b.raw) }
