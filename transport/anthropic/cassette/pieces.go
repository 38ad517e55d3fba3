package cassette

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
)

// A piece is what one event of a stream adds to a text of a block.
type piece struct {
	line     int    // of the stream
	from, to int    // where its string stands in that line, with its quotes
	text     string // of it, as it stands in a request
	json     bool   // it is a part of JSON, and so is escaped once more in the stream
}

// pieceMembers are the members of deltas whose strings are joined.
var pieceMembers = map[string]string{"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json", "compaction_delta": "content"}

// scrubPieces scrubs what a stream has in pieces: a key or an id that the model writes
// comes in several events. It is replaced in the first of them. An event that is not
// concerned stays as it is.
func (s scrubber) scrubPieces(stream []byte, secrets secret.Redactor) []byte {
	lines := bytes.SplitAfter(stream, []byte("\n"))
	texts := make(map[string][]piece)
	flush := func(block string) {
		pieces := texts[block]
		delete(texts, block)
		s.scrubText(lines, pieces, secrets)
	}
	var order []string // of blocks, so that ids are numbered as they come
	for i, line := range lines {
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok || !rawjson.Valid(bytes.TrimSpace(data)) {
			continue
		}
		block := string(rawjson.Get(data, "index"))
		switch rawjson.GetString(data, "type") {
		case "content_block_start":
			flush(block)
		case "content_block_delta":
			if p, ok := pieceOf(line, len(line)-len(data)); ok {
				if p.line = i; texts[block] == nil {
					order = append(order, block)
				}
				texts[block] = append(texts[block], p)
			}
		}
	}
	for _, block := range order {
		flush(block)
	}
	return bytes.Join(lines, nil)
}

// pieceOf is the piece in an event of a delta, whose data begins at.
func pieceOf(line []byte, at int) (p piece, ok bool) {
	from, to, ok := rawjson.Span(line[at:], "delta")
	if !ok {
		return p, false
	}
	delta := line[at+from : at+to]
	member := pieceMembers[rawjson.GetString(delta, "type")]
	begin, end, ok := rawjson.Span(delta, member)
	if !ok || delta[begin] != '"' {
		return p, false
	}
	p = piece{from: at + from + begin, to: at + from + end, json: member == "partial_json"}
	if quoted := delta[begin:end]; p.json {
		p.text = rawjson.Unquote(quoted)
	} else {
		p.text = string(rawjson.Inner(quoted))
	}
	return p, true
}

// scrubText scrubs the text that pieces make up, and writes those that it changes.
func (s scrubber) scrubText(lines [][]byte, pieces []piece, secrets secret.Redactor) {
	var whole strings.Builder
	for _, p := range pieces {
		whole.WriteString(p.text)
	}
	old := whole.String()
	scrubbed := string(s.scrub([]byte(old), secrets))
	if scrubbed == old {
		return
	}
	// What is the same at the beginning and at the end stays where it is.
	same, end := 0, 0
	most := min(len(old), len(scrubbed))
	for same < most && old[same] == scrubbed[same] {
		same++
	}
	for end < most-same && old[len(old)-1-end] == scrubbed[len(scrubbed)-1-end] {
		end++
	}
	texts := make([]string, len(pieces))
	valid, at, put := true, 0, false
	for i, p := range pieces {
		from, to := at, at+len(p.text)
		if at = to; from < same {
			texts[i] = old[from:min(to, same)]
		}
		if to > same && !put {
			texts[i] += scrubbed[same : len(scrubbed)-end]
			put = true
		}
		if behind := max(from, len(old)-end); behind < to {
			texts[i] += old[behind:to]
		}
		valid = valid && (p.json || rawjson.Valid([]byte(`"`+texts[i]+`"`)))
	}
	if !valid { // the cut is in the middle of an escape
		clear(texts)
		texts[0] = scrubbed
	}
	for i, p := range pieces {
		if texts[i] != p.text {
			lines[p.line] = append(append(bytes.Clone(lines[p.line][:p.from]), p.quote(texts[i])...), lines[p.line][p.to:]...)
		}
	}
}

// quote is a text as the piece has it in the stream.
func (p piece) quote(text string) []byte {
	if !p.json {
		return []byte(`"` + text + `"`)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can be encoded
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
