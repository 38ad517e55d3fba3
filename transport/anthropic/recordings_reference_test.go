package anthropic

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// An assembled message, as this file's plain assembler makes it: slow, of
// encoding/json and string additions, and independent of package transport.
type reference struct {
	blocks   [][]byte
	envelope map[string][]byte // what message_delta says last, and what only message_start says
}

var (
	errInStream = errors.New("an error event")
	errCutShort = errors.New("no message_stop")
	errNoStart  = errors.New("a delta of no block")
)

// referenceAssembly assembles a stream whose lines end in LF.
func referenceAssembly(stream string) (reference, error) {
	type blk struct {
		start                  json.RawMessage
		text, input, signature string // text: still escaped
		citations              []string
		over                   map[string]json.RawMessage
	}
	ref := reference{envelope: make(map[string][]byte)}
	open := make(map[int]*blk)
	usage := make(map[string]json.RawMessage)
	stopped := false
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	for frame := range strings.SplitSeq(stream, "\n\n") {
		var data string
		for line := range strings.Lines(frame) {
			if v, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "data:"); ok {
				data += v
			}
		}
		if strings.TrimSpace(data) == "" {
			continue
		}
		var ev struct {
			Type    string
			Index   int
			Message map[string]json.RawMessage
			Block   json.RawMessage `json:"content_block"`
			Delta   map[string]json.RawMessage
			Usage   map[string]json.RawMessage
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			return ref, errCutShort
		}
		inner := func(key string) string { return strings.Trim(string(ev.Delta[key]), `"`) }
		switch ev.Type {
		case "message_start":
			open, usage = make(map[int]*blk), make(map[string]json.RawMessage) // a proxy started over
			for k, v := range ev.Message {
				if k != "content" && k != "usage" {
					ref.envelope[k] = v
				}
			}
			_ = json.Unmarshal(ev.Message["usage"], &usage)
		case "content_block_start":
			open[ev.Index] = &blk{start: ev.Block}
			if rawjson.GetString(ev.Block, "type") == "fallback" {
				ref.envelope["model"] = rawjson.Get(rawjson.Get(ev.Block, "to"), "model")
			}
		case "content_block_delta":
			b := open[ev.Index]
			if b == nil {
				return ref, errNoStart
			}
			switch string(ev.Delta["type"]) {
			case `"text_delta"`:
				b.text += rawInner(ev.Delta["text"])
			case `"thinking_delta"`:
				b.text += rawInner(ev.Delta["thinking"])
			case `"signature_delta"`:
				b.signature = inner("signature")
			case `"input_json_delta"`:
				var s string
				_ = json.Unmarshal(ev.Delta["partial_json"], &s)
				b.input += s
			case `"citations_delta"`:
				b.citations = append(b.citations, string(ev.Delta["citation"]))
			case `"compaction_delta"`:
				b.over = ev.Delta
			}
		case "message_delta":
			for k, v := range ev.Delta {
				if string(v) != "null" || ref.envelope[k] == nil {
					ref.envelope[k] = v
				}
			}
			for k, v := range rawjson.Members([]byte(data)) {
				if !slices.Contains([]string{"type", "delta", "usage"}, k) {
					ref.envelope[k] = v
				}
			}
			for k, v := range ev.Usage {
				if string(v) != "null" || usage[k] == nil {
					usage[k] = v
				}
			}
		case "message_stop":
			stopped = true
		case "error":
			return ref, errInStream
		}
		if stopped {
			break
		}
	}
	if !stopped {
		return ref, errCutShort
	}
	for _, i := range slices.Sorted(maps.Keys(open)) {
		b := open[i]
		seen := make(map[string]bool)
		out := rawjson.Rewrite(nil, b.start, func(dst, key, v []byte) []byte {
			k, s := string(key), string(v)
			seen[k] = true
			switch {
			case (k == "text" || k == "thinking") && b.text != "":
				s = strings.TrimSuffix(s, `"`) + b.text + `"`
			case k == "input" && b.input != "":
				s = b.input
				if !json.Valid([]byte(s)) {
					closed, _ := rawjson.CloseUp([]byte(s))
					s = string(closed)
				}
				s = strings.TrimSpace(s)
			case k == "signature" && b.signature != "":
				s = `"` + b.signature + `"`
			case k == "citations" && len(b.citations) > 0:
				s = "[" + strings.Join(b.citations, ",") + "]"
			case b.over[k] != nil && k != "type":
				s = string(b.over[k])
			}
			return append(dst, s...)
		})
		block := strings.TrimSuffix(string(out), "}")
		if b.signature != "" && !seen["signature"] {
			block += `,"signature":"` + b.signature + `"`
		}
		if len(b.citations) > 0 && !seen["citations"] {
			block += `,"citations":[` + strings.Join(b.citations, ",") + "]"
		}
		for k, v := range b.over {
			if !seen[k] {
				block += `,"` + k + `":` + string(v)
			}
		}
		ref.blocks = append(ref.blocks, []byte(block+"}"))
	}
	all, _ := json.Marshal(usage)
	if len(usage) > 0 {
		ref.envelope["usage"] = all
	}
	return ref, nil
}

func rawInner(v json.RawMessage) string {
	return strings.TrimSuffix(strings.TrimPrefix(string(v), `"`), `"`)
}

// asStream makes the stream of a whole message, cut at random places.
func asStream(message []byte, rng *rand.Rand) string {
	var out strings.Builder
	event := func(format string, args ...any) { fmt.Fprintf(&out, "data: "+format+"\n\n", args...) }
	start := rawjson.Merge(message, []byte(`{"content":[]}`))
	event(`{"type":"message_start","message":%s}`, compact(start))
	i := 0
	for b := range rawjson.Elements(rawjson.Get(message, "content")) {
		streamBlock(event, i, b, rng)
		i++
	}
	event(`{"type":"message_delta","delta":{"stop_reason":%s},"usage":{}}`, orNull(rawjson.Get(message, "stop_reason")))
	event(`{"type":"message_stop"}`)
	return out.String()
}

// compact takes line ends out of JSON; they stand only between values.
func compact(raw []byte) string { return strings.NewReplacer("\r", "", "\n", "").Replace(string(raw)) }

func orNull(raw []byte) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

// streamBlock streams a block whose only joined member stands in a text that
// rawjson can replace without touching the rest.
func streamBlock(event func(string, ...any), i int, b []byte, rng *rand.Rand) {
	b = []byte(compact(b))
	deltas := []string{}
	blank := func(member, empty string, delta func(raw []byte)) {
		from, to, ok := rawjson.Span(b, member)
		if !ok || string(b[from:to]) == "null" || string(b[from:to]) == empty {
			return
		}
		delta(b[from:to])
		b = slices.Concat(b[:from], []byte(empty), b[to:])
	}
	quoted := func(typ, member string) func(raw []byte) {
		return func(raw []byte) {
			for _, part := range cutEscaped(rawInner(raw), rng) {
				deltas = append(deltas, fmt.Sprintf(`{"type":"%s","%s":"%s"}`, typ, member, part))
			}
		}
	}
	switch typ := rawjson.GetString(b, "type"); typ {
	case "text":
		blank("citations", "[]", func(raw []byte) {
			for c := range rawjson.Elements(raw) {
				deltas = append(deltas, `{"type":"citations_delta","citation":`+string(c)+`}`)
			}
		})
		blank("text", `""`, quoted("text_delta", "text"))
	case "thinking":
		blank("thinking", `""`, quoted("thinking_delta", "thinking"))
		blank("signature", `""`, func(raw []byte) {
			deltas = append(deltas, `{"type":"signature_delta","signature":`+string(raw)+`}`)
		})
	case "tool_use", "server_tool_use", "mcp_tool_use":
		blank("input", "{}", func(raw []byte) {
			for _, part := range cutRunes(string(raw), rng) {
				deltas = append(deltas, `{"type":"input_json_delta","partial_json":`+string(rawjson.AppendString(nil, part))+`}`)
			}
		})
	}
	event(`{"type":"content_block_start","index":%d,"content_block":%s}`, i, b)
	for _, d := range deltas {
		event(`{"type":"content_block_delta","index":%d,"delta":%s}`, i, d)
	}
	event(`{"type":"content_block_stop","index":%d}`, i)
}

// cutEscaped cuts the inside of a quoted string into parts, never inside an escape.
func cutEscaped(s string, rng *rand.Rand) []string {
	var parts []string
	from := 0
	for i := 0; i < len(s); {
		n := 1
		if s[i] == '\\' {
			n = 2
			if s[i+1] == 'u' {
				n = 6
			}
		}
		i += n
		if rng.IntN(20) == 0 && (i == len(s) || s[i] < 0x80) {
			parts, from = append(parts, s[from:i]), i
		}
	}
	return append(parts, s[from:])
}

// cutRunes cuts a text into parts, between runes.
func cutRunes(s string, rng *rand.Rand) []string {
	var parts []string
	from := 0
	for i := range s {
		if i > from && rng.IntN(20) == 0 {
			parts, from = append(parts, s[from:i]), i
		}
	}
	return append(parts, s[from:])
}
