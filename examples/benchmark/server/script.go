package main

import (
	"bytes"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// A script answers every conversation alike: in each of its turns the model
// says a line and calls the tool lookup, and then it ends. All bytes are
// prepared; an answer is a copy with the numbers written into it.
//
// The number of the conversation and of the step stand in the ids of the calls,
// toolu_CCCCCCCC_SSSSS_PP, so that a request tells by its newest tool result
// where it is, whichever client sent it.
type script struct {
	turns         int
	conversations atomic.Int64

	streamed, whole struct{ call, end template }
}

// A place is where a conversation is: the request that asks for step 0 is its first.
type place struct{ conversation, step int }

const (
	idPrefix = "toolu_"
	// Stand-ins of the same width as what replaces them.
	standInConversation = "CCCCCCCC"
	standInStep         = "SSSSS"
	standInRead         = "RRRRRRRRR" // tokens read from the cache: all that was written before
)

// A template is prepared bytes with numbers to fill in.
type template struct {
	text                      []byte
	conversations, step, read []int
}

func newTemplate(text []byte) template {
	t := template{text: text}
	for i := range text {
		if bytes.HasPrefix(text[i:], []byte(standInConversation)) {
			t.conversations = append(t.conversations, i)
		}
		if bytes.HasPrefix(text[i:], []byte(standInStep)) {
			t.step = append(t.step, i)
		}
		if bytes.HasPrefix(text[i:], []byte(standInRead)) {
			t.read = append(t.read, i)
		}
	}
	return t
}

// fill appends the template to dst with p's numbers in it.
func (t *template) fill(dst []byte, p place) []byte {
	from := len(dst)
	dst = append(dst, t.text...)
	for _, i := range t.conversations {
		digits(dst[from+i:][:len(standInConversation)], p.conversation)
	}
	for _, i := range t.step {
		digits(dst[from+i:][:len(standInStep)], p.step)
	}
	for _, i := range t.read {
		number := dst[from+i:][:len(standInRead)]
		digits(number, 21000+1100*p.step)
		for j := 0; number[j] == '0'; j++ {
			number[j] = ' ' // JSON has no leading zeros
		}
	}
	return dst
}

func digits(dst []byte, n int) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = '0' + byte(n%10)
		n /= 10
	}
}

func newScript(turns, parallel int) *script {
	s := &script{turns: turns}
	s.streamed.call = newTemplate(streamedAnswer(parallel))
	s.streamed.end = newTemplate(streamedAnswer(0))
	s.whole.call = newTemplate(wholeAnswer(parallel))
	s.whole.end = newTemplate(wholeAnswer(0))
	return s
}

// locate tells which answer a request wants, and begins a conversation if it
// holds no tool results.
func (s *script) locate(body []byte) place {
	i := bytes.LastIndex(body, []byte(idPrefix))
	if i < 0 || len(body) < i+len("toolu_CCCCCCCC_SSSSS") {
		return place{conversation: int(s.conversations.Add(1) - 1)}
	}
	id := body[i+len(idPrefix):]
	conversation, _ := strconv.Atoi(string(id[:8]))
	step, _ := strconv.Atoi(string(id[9:14]))
	return place{conversation, step + 1}
}

// turnsOf is the number of steps of a conversation. The first one is the drivers'
// warming up, and short: see harness.WarmTurns.
func (s *script) turnsOf(conversation int) int {
	return harness.Config{Turns: s.turns}.TurnsOf(conversation)
}

// answer appends the response's body for a request at p.
func (s *script) answer(dst, request []byte, p place) (body []byte, streamed bool) {
	streamed = wantsStream(request)
	t := &s.whole
	if streamed {
		t = &s.streamed
	}
	if p.step < s.turnsOf(p.conversation) {
		return t.call.fill(dst, p), streamed
	}
	return t.end.fill(dst, p), streamed
}

// wantsStream looks for "stream":true where clients write it: at the beginning
// or the end of the body.
func wantsStream(body []byte) bool {
	const edge = 16 << 10
	mark := []byte(`"stream":true`)
	return bytes.Contains(body[:min(edge, len(body))], mark) || bytes.Contains(body[max(0, len(body)-edge):], mark)
}

// The answers. parallel 0 makes the last one of a conversation.

const usage = `{"input_tokens":12,"cache_creation_input_tokens":1100,"cache_read_input_tokens":RRRRRRRRR,"cache_creation":{"ephemeral_5m_input_tokens":1100,"ephemeral_1h_input_tokens":0},"output_tokens":%d,"service_tier":"standard","inference_geo":"not_available"}`

func head(content, stop string, out int) string {
	return `{"model":"claude-sonnet-4-5-20250929","id":"msg_CCCCCCCC_SSSSS","type":"message","role":"assistant","content":` + content +
		`,"stop_reason":` + stop + `,"stop_sequence":null,"usage":` + fmt.Sprintf(usage, out) + `}`
}

const said = "I'll look that up and then go on with what I find."

func input(call int) string {
	return fmt.Sprintf(`{"query": "conversation CCCCCCCC step SSSSS call %02d", "limit": 10}`, call)
}

func wholeAnswer(parallel int) []byte {
	content := `{"type":"text","text":` + strconv.Quote(said) + `}`
	for call := range parallel {
		content += fmt.Sprintf(`,{"type":"tool_use","id":"toolu_CCCCCCCC_SSSSS_%02d","name":"lookup","input":%s}`, call, input(call))
	}
	return []byte(head("["+content+"]", stopReason(parallel), 80))
}

func stopReason(parallel int) string {
	if parallel > 0 {
		return `"tool_use"`
	}
	return `"end_turn"`
}

func streamedAnswer(parallel int) []byte {
	var b bytes.Buffer
	event := func(typ, members string) {
		fmt.Fprintf(&b, "event: %s\ndata: {\"type\":%q%s}\n\n", typ, typ, members)
	}
	event("message_start", `,"message":`+head("[]", "null", 1))
	event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	event("ping", "")
	for _, piece := range split(said, 14) {
		event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":`+strconv.Quote(piece)+`}`)
	}
	event("content_block_stop", `,"index":0`)
	for call := range parallel {
		index := fmt.Sprintf(`,"index":%d`, call+1)
		event("content_block_start", index+fmt.Sprintf(`,"content_block":{"type":"tool_use","id":"toolu_CCCCCCCC_SSSSS_%02d","name":"lookup","input":{}}`, call))
		event("content_block_delta", index+`,"delta":{"type":"input_json_delta","partial_json":""}`)
		for _, piece := range splitAround(input(call)) {
			event("content_block_delta", index+`,"delta":{"type":"input_json_delta","partial_json":`+strconv.Quote(piece)+`}`)
		}
		event("content_block_stop", index)
	}
	event("message_delta", `,"delta":{"stop_reason":`+stopReason(parallel)+`,"stop_sequence":null},"usage":`+fmt.Sprintf(usage, 80))
	event("message_stop", "")
	return b.Bytes()
}

func split(s string, n int) []string {
	var pieces []string
	for ; len(s) > n; s = s[n:] {
		pieces = append(pieces, s[:n])
	}
	return append(pieces, s)
}

// splitAround cuts a call's input into pieces that leave the stand-ins whole.
func splitAround(s string) []string {
	var pieces []string
	for _, cut := range []string{standInConversation, standInStep} {
		i := bytes.Index([]byte(s), []byte(cut))
		pieces = append(pieces, s[:i], cut)
		s = s[i+len(cut):]
	}
	return append(pieces, split(s, 9)...)
}
