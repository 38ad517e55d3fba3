package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An output takes the pieces of a response: a stream, or one that collects them
// for an answer in one piece. Both make the same message.
type output interface {
	begin(a *answer)
	start(start, whole []byte) // a block: as it starts, and whole
	delta(delta []byte)
	stop()
	finish(a *answer)
	fail(why *Refusal)
	flush()
	pieceSize(left int) int
}

// usage is what the response is billed for.
func (a *answer) usage() transport.Usage {
	c := a.charge
	u := transport.Usage{
		InputTokens: int64(max(a.input, c.input)), CacheReadInputTokens: int64(c.read), CacheCreationInputTokens: int64(c.write5m + c.write1h),
		CacheCreation: transport.CacheCreation{Ephemeral5mInputTokens: int64(c.write5m), Ephemeral1hInputTokens: int64(c.write1h)},
		OutputTokens:  int64(a.outTokens),
		Iterations:    a.iterationList,
		ServiceTier:   a.r.tier(), InferenceGeo: a.r.geo(), Speed: a.r.speed(),
	}
	u.OutputTokensDetails.ThinkingTokens = int64(a.thinkToken)
	u.ServerToolUse.WebSearchRequests, u.ServerToolUse.WebFetchRequests = int64(a.web.searches), int64(a.web.fetches)
	return u
}

// tier, geo and speed are how the request is served, as the usage tells it.
func (r *request) tier() string {
	if r.batch {
		return "batch"
	}
	return "standard"
}

func (r *request) geo() string {
	if geo := rawjson.Unquote(r.fields["inference_geo"]); geo != "" {
		return geo
	}
	return "global"
}

// speed is empty, and no member of the usage, unless the request has set it.
func (r *request) speed() string {
	if !r.has("speed") {
		return ""
	}
	if r.model.ID == "claude-opus-4-6" {
		return "standard"
	}
	return rawjson.Unquote(r.fields["speed"])
}

// usageJSON is the usage of a whole message.
func (a *answer) usageJSON(final bool) []byte {
	c := a.charge
	input, output := c.input, 1
	if final {
		input, output = max(a.input, c.input), a.outTokens
	}
	b := append([]byte(`{"input_tokens":`), strconv.Itoa(input)...)
	b = append(b, `,"cache_creation_input_tokens":`...)
	b = strconv.AppendInt(b, int64(c.write5m+c.write1h), 10)
	b = append(b, `,"cache_read_input_tokens":`...)
	b = strconv.AppendInt(b, int64(c.read), 10)
	b = append(b, `,"cache_creation":{"ephemeral_5m_input_tokens":`...)
	b = strconv.AppendInt(b, int64(c.write5m), 10)
	b = append(b, `,"ephemeral_1h_input_tokens":`...)
	b = strconv.AppendInt(b, int64(c.write1h), 10)
	b = append(b, `},"output_tokens":`...)
	b = strconv.AppendInt(b, int64(output), 10)
	if final {
		b = a.appendDetails(b)
	}
	if a.s.isComet() {
		return append(b, '}')
	}
	b = append(b, `,"service_tier":"`+a.r.tier()+`","inference_geo":`...)
	b = rawjson.AppendString(b, a.r.geo())
	if speed := a.r.speed(); speed != "" {
		b = append(b, `,"speed":"`+speed+`"`...)
	}
	return append(b, '}')
}

// deltaUsageJSON is the usage of a message_delta: cumulative, and without the
// members that message_start alone has (wire §5.5).
func (a *answer) deltaUsageJSON() []byte {
	c := a.charge
	b := append([]byte(`{"input_tokens":`), strconv.Itoa(max(a.input, c.input))...)
	b = append(b, `,"cache_creation_input_tokens":`...)
	b = strconv.AppendInt(b, int64(c.write5m+c.write1h), 10)
	b = append(b, `,"cache_read_input_tokens":`...)
	b = strconv.AppendInt(b, int64(c.read), 10)
	b = append(b, `,"output_tokens":`...)
	b = strconv.AppendInt(b, int64(a.outTokens), 10)
	return append(a.appendDetails(b), '}')
}

func (a *answer) appendDetails(b []byte) []byte {
	b = append(b, `,"output_tokens_details":{"thinking_tokens":`...)
	b = strconv.AppendInt(b, int64(a.thinkToken), 10)
	b = append(b, '}')
	if a.iterationList != nil {
		b = append(b, `,"iterations":[`...)
		for i, it := range a.iterationList {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"type":`+quote(it.Type)...)
			if it.Model != "" {
				b = append(b, `,"model":`+quote(it.Model)...)
			}
			b = fmt.Appendf(b, `,"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d,`+
				`"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d}}`,
				it.InputTokens, it.CacheCreationInputTokens, it.CacheReadInputTokens, it.OutputTokens,
				it.CacheCreation.Ephemeral5mInputTokens, it.CacheCreation.Ephemeral1hInputTokens)
		}
		b = append(b, ']')
	}
	if a.web.searches+a.web.fetches > 0 {
		b = append(b, `,"server_tool_use":{"web_search_requests":`...)
		b = strconv.AppendInt(b, int64(a.web.searches), 10)
		b = append(b, `,"web_fetch_requests":`...)
		b = strconv.AppendInt(b, int64(a.web.fetches), 10)
		b = append(b, '}')
	}
	return b
}

// appendHead appends the members of a message in front of its content.
func (a *answer) appendHead(b []byte) []byte {
	b = append(b, `{"model":`...)
	b = rawjson.AppendString(b, a.r.model.resolved)
	b = append(b, `,"id":`...)
	b = rawjson.AppendString(b, a.id)
	return append(b, `,"type":"message","role":"assistant","content":[`...)
}

// appendStop appends stop_reason, stop_sequence and stop_details.
func (a *answer) appendStop(b []byte) []byte {
	b = append(b, `"stop_reason":`...)
	b = appendNullable(b, string(a.stop))
	b = append(b, `,"stop_sequence":`...)
	b = appendNullable(b, a.stopSeq)
	if a.s.isComet() {
		return b
	}
	b = append(b, `,"stop_details":`...)
	if a.details == nil {
		b = append(b, "null"...)
	} else {
		raw, err := json.Marshal(a.details)
		if err != nil {
			panic(err) // strings always encode
		}
		b = append(b, raw...)
	}
	if a.container != nil {
		b = append(append(b, `,"container":`...), a.container...)
	}
	return b
}

func appendNullable(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return rawjson.AppendString(b, s)
}

// whole collects the blocks of an answer that isn't streamed.
type whole struct {
	w       http.ResponseWriter
	id      string
	content []byte
	failed  bool
}

func (o *whole) begin(*answer) {}
func (o *whole) start(_, block []byte) {
	if len(o.content) > 0 {
		o.content = append(o.content, ',')
	}
	o.content = append(o.content, block...)
}
func (o *whole) delta([]byte)        {}
func (o *whole) stop()               {}
func (o *whole) flush()              {}
func (o *whole) pieceSize(n int) int { return n }

func (o *whole) fail(why *Refusal) {
	o.failed = true
	why.write(o.w, o.id)
}

func (o *whole) finish(a *answer) {
	b := a.appendHead(make([]byte, 0, len(o.content)+512))
	b = append(append(b, o.content...), `],`...)
	b = a.appendStop(b)
	b = append(b, `,"usage":`...)
	b = append(b, a.usageJSON(true)...)
	if cm := a.r.contextJSON(); cm != nil {
		b = append(append(b, `,"context_management":`...), cm...)
	}
	b = append(a.appendExtras(b), '}')
	h := o.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	o.w.Write(b)
}

// appendExtras appends the members that only some requests get.
func (a *answer) appendExtras(b []byte) []byte {
	if a.s.isComet() {
		return b
	}
	if a.diagnostics != nil {
		b = append(append(b, `,"diagnostics":`...), a.diagnostics...)
	}
	if a.r.betas.has(betaBinding) {
		b = append(b, `,"input_transformations":[`...)
		for i, t := range a.r.changes {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"type":"`+t.kind+`","path":"`+t.path+`","reason":"`+t.reason+`"}`...)
		}
		b = append(b, ']')
	}
	return b
}

// stream writes server-sent events, cut into network writes at places that a
// reader doesn't expect: inside characters, lines and escapes.
type stream struct {
	ctx     context.Context
	w       http.ResponseWriter
	flusher http.Flusher
	id      string
	rng     *rand.Rand
	buf     []byte
	next    int // bytes to buffer before the next write
	index   int
	pinged  bool
	fault   Fault
	events  int  // sent so far
	broken  bool // by the fault: nothing more is sent
}

func newStream(ctx context.Context, w http.ResponseWriter, requestID string, seed uint64, fault Fault) *stream {
	s := &stream{ctx: ctx, w: w, id: requestID, fault: fault, rng: rand.New(rand.NewPCG(seed, 1)), index: -1, next: 1}
	s.flusher, _ = w.(http.Flusher)
	return s
}

const spaces = "                "

// event sends an event whose data is parts joined, padded as the service pads.
func (s *stream) event(name string, parts ...[]byte) {
	if s.broken {
		return
	}
	if s.events++; s.fault.AfterEvents > 0 && s.events == s.fault.AfterEvents+1 {
		s.flush()
		sleep(s.ctx, s.fault.Stall)
		if s.fault.Status != 0 || s.fault.Code != "" {
			s.fail(s.fault.refusal())
			s.broken = true
			return
		}
	}
	if s.fault.NoStop && name == string(transport.EventMessageStop) {
		return
	}
	if s.fault.Strange {
		s.strange(name)
	}
	s.append(name, parts...)
	if s.fault.Duplicate && (name == string(transport.EventMessageStart) || name == string(transport.EventPing)) {
		s.append(name, parts...)
	}
	for len(s.buf) >= s.next {
		s.write(s.next)
		s.next = 64 + s.rng.IntN(4000)
	}
}

// strange sends what nobody knows in front of an event of that name.
func (s *stream) strange(name string) {
	switch transport.EventType(name) {
	case transport.EventContentBlockStart:
		s.buf = append(s.buf, ": a comment\n\n"...)
		s.append("simulator_event", []byte(`{"type":"simulator_event","content":{"index":0}}`))
	case transport.EventContentBlockStop:
		s.append(string(transport.EventContentBlockDelta), fmt.Appendf(nil, `{"type":"content_block_delta","index":%d,"delta":{"type":"simulator_delta","value":[1]}}`, s.index))
	case transport.EventMessageDelta:
		s.append(string(transport.EventMessageDelta), []byte(`{"type":"message_delta","delta":{},"usage":{"output_tokens":1}}`))
	}
}

func (s *stream) append(name string, parts ...[]byte) {
	s.buf = append(s.buf, "event: "...)
	s.buf = append(s.buf, name...)
	s.buf = append(s.buf, "\ndata: "...)
	for _, p := range parts {
		s.buf = append(s.buf, p...)
	}
	s.buf = append(s.buf, spaces[:s.rng.IntN(len(spaces))]...)
	s.buf = append(s.buf, "\n\n"...)
}

// write sends the first n buffered bytes.
func (s *stream) write(n int) {
	s.w.Write(s.buf[:n])
	if s.flusher != nil {
		s.flusher.Flush()
	}
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
}

func (s *stream) flush() {
	if len(s.buf) > 0 {
		s.write(len(s.buf))
	}
}

func (s *stream) begin(a *answer) {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	if s.fault.Strange {
		h.Set("Retry-After", "30")
	}
	b := a.appendHead([]byte(`{"type":"message_start","message":`))
	b = append(b, `],"stop_reason":null,"stop_sequence":null`...)
	if !a.s.isComet() {
		b = append(b, `,"stop_details":null`...)
	}
	b = append(b, `,"usage":`...)
	b = append(b, a.usageJSON(false)...)
	b = append(a.appendExtras(b), "}}"...)
	s.event(string(transport.EventMessageStart), b)
}

func (s *stream) start(start, _ []byte) {
	s.index++
	s.event(string(transport.EventContentBlockStart), []byte(`{"type":"content_block_start","index":`), strconv.AppendInt(nil, int64(s.index), 10),
		[]byte(`,"content_block":`), start, s.pad(), []byte("}"))
	if !s.pinged {
		s.pinged = true
		s.event(string(transport.EventPing), []byte(`{"type":"ping"}`))
	}
}

func (s *stream) delta(delta []byte) {
	s.event(string(transport.EventContentBlockDelta), []byte(`{"type":"content_block_delta","index":`), strconv.AppendInt(nil, int64(s.index), 10),
		[]byte(`,"delta":`), delta, s.pad(), []byte("}"))
}

// pad is the random space that the service puts inside the last brace.
func (s *stream) pad() []byte { return []byte(spaces[:s.rng.IntN(8)]) }

func (s *stream) stop() {
	s.event(string(transport.EventContentBlockStop), []byte(`{"type":"content_block_stop","index":`), strconv.AppendInt(nil, int64(s.index), 10), s.pad(), []byte("}"))
}

func (s *stream) finish(a *answer) {
	b := a.appendStop([]byte(`{"type":"message_delta","delta":{`))
	b = append(b, `},"usage":`...)
	b = append(b, a.deltaUsageJSON()...)
	if cm := a.r.contextJSON(); cm != nil {
		b = append(append(b, `,"context_management":`...), cm...)
	}
	s.event(string(transport.EventMessageDelta), append(b, '}'))
	s.event(string(transport.EventMessageStop), []byte(`{"type":"message_stop"}`))
	s.flush()
}

func (s *stream) fail(why *Refusal) {
	s.append("error", why.body(s.id))
	s.flush()
}

// pieceSize varies the size of deltas: mostly a few bytes, as the service's are,
// larger in long blocks.
func (s *stream) pieceSize(left int) int {
	return 1 + s.rng.IntN(24+left/16)
}
