package simulator

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

func (a *answer) sendText(p Part, reply *Reply) {
	text := strings.ToValidUTF8(p.text, "\ufffd")
	cut := false
	if room := a.room(); len(text) > room {
		text, cut = runes.Cut(text, room), true
	}
	for _, stop := range a.r.stops {
		if i := strings.Index(text, stop); i >= 0 && stop != "" {
			text = text[:i]
			cut = false
			a.stopped = true
			a.stop, a.stopSeq, a.details = transport.StopStopSequence, stop, nil
		}
	}
	if a.stopped && text == "" {
		return
	}
	var citations [][]byte
	for _, c := range p.citations {
		citations = append(citations, a.s.citation(a.r, c))
	}
	raw := append(make([]byte, 0, len(text)+64), `{"type":"text","text":`...)
	raw = rawjson.AppendString(raw, text)
	if citations != nil {
		raw = append(raw, `,"citations":[`...)
		for i, c := range citations {
			if i > 0 {
				raw = append(raw, ',')
			}
			raw = append(raw, c...)
		}
		raw = append(raw, ']')
	}
	raw = append(raw, '}')
	start := `{"type":"text","text":""}`
	if citations != nil {
		start = `{"type":"text","text":"","citations":[]}`
	}
	a.out.start([]byte(start), raw)
	for _, c := range citations {
		a.out.delta(append(append([]byte(`{"type":"citations_delta","citation":`), c...), '}'))
	}
	a.sendPieces(text, `{"type":"text_delta","text":`, reply)
	a.out.stop()
	a.add(raw, EstimateTokens(len(text)))
	if cut {
		a.cutOff()
	}
}

// sendPieces sends text as deltas that are cut at awkward places.
func (a *answer) sendPieces(text, opening string, reply *Reply) {
	var buf []byte
	for len(text) > 0 && a.ctx.Err() == nil {
		n := reply.DeltaBytes
		if n <= 0 {
			n = a.out.pieceSize(len(text))
		}
		piece := runes.Cut(text, n)
		if piece == "" {
			_, size := utf8.DecodeRuneInString(text)
			piece = text[:size]
		}
		text = text[len(piece):]
		if reply.Delay > 0 {
			a.wait(reply.Delay)
		}
		buf = append(buf[:0], opening...)
		buf = rawjson.AppendString(buf, piece)
		a.out.delta(append(buf, '}'))
	}
}

func (a *answer) wait(d time.Duration) {
	a.out.flush()
	sleep(a.ctx, d)
}

func (a *answer) sendThinking(p Part, of int, reply *Reply) {
	tokens := max(1, EstimateTokens(len(p.text)))
	if 4*tokens > a.room() {
		a.cutOff()
		return
	}
	omitted := a.omits()
	text := strings.ToValidUTF8(p.text, "\ufffd")
	if omitted {
		text = ""
	}
	system, tools := a.r.prefixParts()
	t := thought{
		ID: mix(a.number, uint64(a.thoughts)+1), Response: a.number, Index: a.thoughts, Of: of,
		Before: a.prefix.thought, Prefix: a.prefix.hash, Model: a.r.model.ID, Account: a.r.account, System: system, Tools: tools,
		Text: hashString(seedString, text), Tokens: tokens, Omitted: omitted,
	}
	// The prefix of a block that opens the assistant's words counts the change of role.
	a.thoughts++
	a.thinkToken += tokens
	if p.kind == partRedacted {
		raw := append([]byte(`{"type":"redacted_thinking","data":`), rawjson.AppendString(nil, a.s.sealer.sign(kindRedacted, t))...)
		raw = append(raw, '}')
		a.out.start(raw, raw)
		a.out.stop()
		a.add(raw, tokens)
		return
	}
	signature := a.s.sealer.sign(kindSignature, t)
	raw := append([]byte(`{"type":"thinking","thinking":`), rawjson.AppendString(nil, text)...)
	raw = append(raw, `,"signature":`...)
	raw = rawjson.AppendString(raw, signature)
	raw = append(raw, '}')
	a.out.start([]byte(`{"type":"thinking","thinking":"","signature":""}`), raw)
	a.sendPieces(text, `{"type":"thinking_delta","thinking":`, reply)
	a.out.delta(append(rawjson.AppendString([]byte(`{"type":"signature_delta","signature":`), signature), '}'))
	a.out.stop()
	a.add(raw, tokens)
}

// omits reports whether thinking text is left out of the answer.
func (a *answer) omits() bool {
	switch a.r.thinking.Display {
	case "summarized", "updates":
		return false
	case "omitted":
		return true
	}
	return a.r.model.omits
}

// sendCall sends a call of a client or server tool and returns its block.
func (a *answer) sendCall(p Part, reply *Reply) []byte {
	typ, idStart := transport.TypeToolUse, "toolu_"
	tail := `,"caller":{"type":"direct"}}`
	if a.s.isComet() {
		tail = "}"
	}
	switch {
	case p.server != "":
		typ, idStart, tail = view.TypeMCPToolUse, "mcptoolu_", "}"
	case p.kind == partServerCall:
		typ, idStart = transport.TypeServerToolUse, "srvtoolu_"
	}
	id := p.id
	if id == "" {
		id = a.s.newID(idStart)
	}
	head := append([]byte(`{"type":"`+typ+`","id":`), rawjson.AppendString(nil, id)...)
	head = append(head, `,"name":`...)
	head = rawjson.AppendString(head, p.name)
	if p.toolset != "" {
		head = append(head, `,"toolset_name":`...)
		head = rawjson.AppendString(head, p.toolset)
	}
	if p.server != "" {
		head = append(head, `,"server_name":`...)
		head = rawjson.AppendString(head, p.server)
	}
	head = append(head, `,"input":`...)
	input := string(p.input)
	cut := false
	whole := input
	room := a.room()
	if p.truncated {
		room = min(room, len(input)/2)
	}
	if len(input) > room {
		input, cut = runes.Cut(input, room), true
		whole = string(closeJSON(input))
	}
	raw := append(append(append(make([]byte, 0, len(head)+len(whole)+len(tail)), head...), whole...), tail...)
	a.out.start([]byte(string(head)+"{}"+tail), raw)
	a.out.delta([]byte(`{"type":"input_json_delta","partial_json":""}`))
	if input != "{}" {
		a.sendPieces(input, `{"type":"input_json_delta","partial_json":`, reply)
	}
	a.out.stop()
	a.add(raw, EstimateTokens(len(input)+len(p.name)))
	if cut {
		a.cutOff()
	}
	return raw
}

// closeJSON makes a valid object of the start of one: the unfinished member is
// dropped, as the service does in an answer that isn't streamed (wire §6.2).
func closeJSON(start string) []byte {
	for n := len(start); n > 0; n-- {
		for _, end := range []string{"}", "]}", "}}"} {
			if c := start[n-1]; c != ',' && c != ':' {
				if out := []byte(start[:n] + end); json.Valid(out) {
					return out
				}
			}
		}
	}
	return []byte("{}")
}

// sendResult carries out a server call and sends its result.
func (a *answer) sendResult(call *block) {
	raw := a.s.serverResult(a, call)
	a.out.start(raw, raw)
	a.out.stop()
	a.add(raw, 0)
}

func (a *answer) sendRaw(raw []byte) {
	a.out.start(raw, raw)
	a.out.stop()
	a.add(raw, EstimateTokens(len(raw)))
}
