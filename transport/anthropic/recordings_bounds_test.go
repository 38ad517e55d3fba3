package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport"
)

// An observed is what the library made of a recorded exchange, for a test to compare
// with the recording.
type observed struct {
	resp *transport.Response
	turn transport.Message
	ok   bool
}

func observe(resp *transport.Response) observed {
	turn, ok := resp.Replay()
	return observed{resp, turn, ok}
}

// A plain is a block as encoding/json reads it.
type plain struct {
	Type, Text, Signature, ID string
	ToolUseID                 string `json:"tool_use_id"`
	Input                     json.RawMessage
	raw                       []byte
	dropped                   bool
}

func (b *plain) blank() bool    { return b.Type == "text" && strings.TrimSpace(b.Text) == "" }
func (b *plain) thinking() bool { return b.Type == "thinking" || b.Type == "redacted_thinking" }

// expectedReplay is what Replay's comment says is left of a response, made from the
// recorded blocks alone: in order, and byte for byte.
func expectedReplay(stop string, blocks [][]byte) ([][]byte, error) {
	if stop == "refusal" {
		return nil, nil
	}
	list := make([]plain, len(blocks))
	after, called := 0, len(blocks)
	answered := map[string]bool{}
	for i, raw := range blocks {
		if err := json.Unmarshal(raw, &list[i]); err != nil {
			return nil, err
		}
		list[i].raw = raw
		if list[i].Type == "fallback" {
			after = i + 1
		}
		if list[i].Type == "tool_use" {
			called = i
		}
		if list[i].ToolUseID != "" {
			answered[list[i].ToolUseID] = true
		}
	}
	if called < after {
		called = len(blocks)
	}
	goesOn := stop == "tool_use" || stop == "pause_turn"
	for i := range list {
		b := &list[i]
		switch {
		case b.Type == "text" && (b.Text == "" || i > called),
			b.thinking() && !utf8.Valid(b.raw),
			b.Type == "thinking" && (stop == "max_tokens" || stop == "model_context_window_exceeded") && (i < after || b.Signature == ""),
			i < after && (b.thinking() || b.Type == "tool_use"),
			(i < after || !goesOn) && (b.Type == "server_tool_use" || b.Type == "mcp_tool_use") && !answered[b.ID]:
			b.dropped = true
		}
	}
	list = slices.DeleteFunc(list, func(b plain) bool { return b.dropped })
	waits := stop == "pause_turn" || stop == "tool_use" && called == len(blocks)
	for n := len(list); waits && n > 0 && (list[n-1].thinking() || list[n-1].blank()); n-- {
		list = list[:n-1]
	}
	var kept [][]byte
	said := false
	for _, b := range list {
		said = said || !b.blank()
		raw := b.raw
		if b.Type == "text" {
			raw = fileID.ReplaceAll(raw, nil)
		}
		if b.Type == "tool_use" && (len(b.Input) == 0 || b.Input[0] != '{') {
			raw = nil // becomes an object
		}
		kept = append(kept, raw)
	}
	if !said {
		return nil, nil
	}
	return kept, nil
}

// checkBounds demands that what goes back is exactly what the recording says, and that
// nothing of what a program is told is missing.
func (r *recording) checkBounds(o observed) error {
	var in struct {
		StopReason string `json:"stop_reason"`
		Content    []json.RawMessage
		Usage      map[string]json.RawMessage
	}
	if r.isStream() {
		ref, err := referenceAssembly(r.Response.Body)
		if err != nil {
			return nil // nothing came of it
		}
		for _, b := range ref.blocks {
			in.Content = append(in.Content, b)
		}
		if err := errors.Join(unmarshal(ref.envelope["stop_reason"], &in.StopReason), unmarshal(ref.envelope["usage"], &in.Usage)); err != nil {
			return err
		}
	} else if err := json.Unmarshal([]byte(r.Response.Body), &in); err != nil {
		return err
	}
	blocks := make([][]byte, len(in.Content))
	for i := range in.Content {
		blocks[i] = in.Content[i]
	}
	want, err := expectedReplay(in.StopReason, blocks)
	if err != nil {
		return err
	}
	if o.ok != (len(want) > 0) || len(o.turn.Content) != len(want) {
		return fmt.Errorf("%d blocks go back, want %d", len(o.turn.Content), len(want))
	}
	for i, b := range o.turn.Content {
		if want[i] != nil && !bytes.Equal(b.Raw(), want[i]) {
			return fmt.Errorf("block %d goes back as %s\nand came as %s", i, b.Raw(), want[i])
		}
	}
	if string(o.resp.StopReason) != in.StopReason {
		return fmt.Errorf("the stop reason is %q, and was %q", o.resp.StopReason, in.StopReason)
	}
	for key, got := range map[string]int64{
		"input_tokens": o.resp.Usage.InputTokens, "output_tokens": o.resp.Usage.OutputTokens,
		"cache_read_input_tokens": o.resp.Usage.CacheReadInputTokens, "cache_creation_input_tokens": o.resp.Usage.CacheCreationInputTokens,
	} {
		var n int64
		if json.Unmarshal(in.Usage[key], &n) == nil && n != got {
			return fmt.Errorf("%s is %d, and was %d", key, got, n)
		}
	}
	h := http.Header{}
	for k, v := range r.Response.Headers {
		h.Set(k, v)
	}
	if id := h.Get("Request-Id"); o.resp.Meta.RequestID != id {
		return fmt.Errorf("the request id is %q, and was %q", o.resp.Meta.RequestID, id)
	}
	var limits transport.RateLimit
	if l := o.resp.Meta.RateLimit; l != nil {
		limits = *l
	}
	for name, got := range map[string]int64{
		"Requests-Limit": limits.Requests.Limit, "Requests-Remaining": limits.Requests.Remaining, "Tokens-Limit": limits.Tokens.Limit,
		"Input-Tokens-Limit": limits.InputTokens.Limit, "Output-Tokens-Remaining": limits.OutputTokens.Remaining,
	} {
		if n, err := strconv.ParseInt(h.Get("Anthropic-Ratelimit-"+name), 10, 64); err == nil && n != got {
			return fmt.Errorf("the limit %s is %d, and was %d", name, got, n)
		}
	}
	return nil
}

func unmarshal(raw []byte, to any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, to)
}

// mutations are mistakes that TestRecordings has to notice. Each changes what the
// library made of an exchange, and says whether there was anything to change.
var mutations = map[string]func(*observed) bool{
	"all thinking is dropped": func(o *observed) bool {
		return o.keep(func(i int, b transport.Block) bool { return b.Type() != transport.TypeThinking })
	},
	"redacted thinking is dropped": func(o *observed) bool {
		return o.keep(func(i int, b transport.Block) bool { return b.Type() != transport.TypeRedactedThinking })
	},
	"blocks are reversed": func(o *observed) bool {
		o.turn.Content = slices.Clone(o.turn.Content)
		slices.Reverse(o.turn.Content)
		return len(o.turn.Content) > 1
	},
	"nothing goes back": func(o *observed) bool {
		was := o.ok
		o.turn, o.ok = transport.Message{}, false
		return was
	},
	"the last block is lost": func(o *observed) bool {
		n := len(o.turn.Content)
		return o.keep(func(i int, _ transport.Block) bool { return i != n-1 })
	},
	"a block comes twice": func(o *observed) bool {
		if !o.ok {
			return false
		}
		o.turn.Content = append(slices.Clip(o.turn.Content), o.turn.Content[0])
		return true
	},
	"an empty text goes back": func(o *observed) bool {
		i := slices.IndexFunc(o.resp.Content, func(b transport.Block) bool { return string(b.Raw()) == `{"type":"text","text":""}` })
		if i < 0 {
			return false
		}
		o.turn.Content, o.ok = append(slices.Clip(o.turn.Content), o.resp.Content[i]), true
		return true
	},
	"blocks are encoded anew": func(o *observed) bool {
		changed := false
		o.turn.Content = slices.Clone(o.turn.Content)
		for i, b := range o.turn.Content {
			var v any
			if json.Unmarshal(b.Raw(), &v) != nil {
				continue
			}
			raw, _ := json.Marshal(v)
			if again, err := transport.ParseBlock(raw); err == nil && !bytes.Equal(raw, b.Raw()) {
				o.turn.Content[i], changed = again, true
			}
		}
		return changed
	},
	"cache reads aren't read": func(o *observed) bool {
		was := o.resp.Usage.CacheReadInputTokens
		o.resp.Usage.CacheReadInputTokens = 0
		return was != 0
	},
	"cache writes aren't read": func(o *observed) bool {
		was := o.resp.Usage.CacheCreationInputTokens
		o.resp.Usage.CacheCreationInputTokens = 0
		return was != 0
	},
	"output isn't counted": func(o *observed) bool {
		was := o.resp.Usage.OutputTokens
		o.resp.Usage.OutputTokens = 0
		return was != 0
	},
	"the stop reason isn't read": func(o *observed) bool {
		was := o.resp.StopReason
		o.resp.StopReason = ""
		return was != ""
	},
	"the request id isn't read": func(o *observed) bool {
		was := o.resp.Meta.RequestID
		o.resp.Meta.RequestID = ""
		return was != ""
	},
	"rate limits aren't read": func(o *observed) bool {
		was := o.resp.Meta.RateLimit
		o.resp.Meta.RateLimit = nil
		return was != nil && was.Requests.Limit != 0
	},
}

func (o *observed) keep(which func(int, transport.Block) bool) bool {
	var kept []transport.Block
	for i, b := range o.turn.Content {
		if which(i, b) {
			kept = append(kept, b)
		}
	}
	changed := len(kept) != len(o.turn.Content)
	o.turn.Content = kept
	return changed
}

// TestRecordingsNoticesMistakes holds the check of TestRecordings against mistakes: it
// notices each one in every exchange in which it changes something.
func TestRecordingsNoticesMistakes(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine reads what was recorded")
	}
	tried := map[string]int{}
	for _, r := range loadRecordings(t) {
		if r.Response.Status != 200 || r.endpoint() != "messages" {
			continue
		}
		resp, err := transport.Create(t.Context(), r.client(t), newRequest())
		if err != nil {
			continue
		}
		for name, change := range mutations {
			copied := *resp
			o := observe(&copied)
			if !change(&o) {
				continue
			}
			if tried[name]++; r.checkBounds(o) == nil {
				t.Errorf("%s: it isn't noticed that %s", r.Source, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(mutations)) {
		if t.Logf("%6d  %s", tried[name], name); tried[name] == 0 {
			t.Errorf("no recording shows that %s", name)
		}
	}
}
