package simulator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// A summary is what the signature of a compaction block holds: the place in the
// conversation that it stands for, so that thinking behind it stays valid.
type summary struct {
	Content uint64         `json:"c"` // hash of the text
	Prefix  uint64         `json:"p"`
	Role    transport.Role `json:"r"`
	Thought uint64         `json:"t"`
}

// compacts reports whether the request asks for a summary and nothing else
// (wire §10.4).
func (r *request) compacts() bool { return r.has("compaction") && !r.counting }

// isSummary is true for a compaction block that an on-demand compaction made.
func (b *block) isSummary() bool {
	return b.typ == view.TypeCompaction && !rawjson.IsNull(rawjson.Get(b.raw, "signature"))
}

// checkCompaction applies rows 127 to 131 of docs/wire.md §7.
func (s *Server) checkCompaction(r *request) *Refusal {
	found := r.known().summaries
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.summaries = found
		}
		for j := range m.blocks {
			b := &m.blocks[j]
			if !b.isSummary() {
				continue
			}
			path := fmt.Sprintf("messages.%d.content.%d", i, j)
			if found++; found > 1 {
				return coded("compaction_block_ambiguous", "%s: a request may hold only one `compaction` block", path)
			}
			if i != 0 || j != 0 || m.role == transport.RoleSystem {
				return coded("compaction_block_misplaced", "%s: a `compaction` block must be the first block of the first message", path)
			}
			sum, ok := s.openSummary(b)
			if !ok {
				return coded("compaction_signature_invalid", "%s: Invalid `signature` in `compaction` block", path)
			}
			if sum.Content != hashString(seedString, rawjson.GetString(b.raw, "content")) {
				return coded("compaction_content_mismatch", "%s: the content of the `compaction` block is not what was signed", path)
			}
		}
	}
	remaining := !rawjson.IsNull(rawjson.Get(r.outputConfig.TaskBudget, "remaining"))
	if found > 0 && remaining {
		return refuse("output_config.task_budget.remaining: not supported together with a `compaction` block") // wire §2.8
	}
	if !r.compacts() {
		return nil
	}
	for name, set := range map[string]bool{
		"context_management":    r.has("context_management"),
		"stop_sequences":        len(r.stops) > 0,
		"output_config.format":  r.outputConfig.Format != nil,
		"tool_choice":           r.toolChoice.forces(),
		"task_budget.remaining": remaining,
	} {
		if set {
			return refuse("compaction: %s is not supported together with compaction", name)
		}
	}
	turns := r.turns()
	blocks := 0
	for _, t := range turns {
		blocks += len(t.blocks)
	}
	if blocks == found {
		return coded("compaction_nothing_to_summarize", "compaction: there is nothing to summarize")
	}
	if t := &turns[len(turns)-1]; t.role == transport.RoleAssistant && (len(t.calls()) > 0 || len(r.open(len(turns)-1)) > 0) {
		return coded("compaction_incomplete_turn", "messages.%d: the last assistant turn is not complete", t.last)
	}
	return nil
}

func (s *Server) openSummary(b *block) (summary, bool) {
	var sum summary
	plain, ok := s.sealer.open(kindCompaction, rawjson.GetString(b.raw, "signature"))
	return sum, ok && json.Unmarshal(plain, &sum) == nil
}

// sendSummary answers an on-demand compaction: one block, whole in its start.
func (a *answer) sendSummary() {
	text := a.r.summarize()
	tokens := EstimateTokens(len(text))
	a.iterationList = append(a.iterationList, a.iteration("compaction", a.charge, tokens))
	a.charge = charge{writes: a.charge.writes, start: a.charge.start}
	a.input = 0
	a.begin()
	if tokens > a.r.maxTokens {
		a.stop = transport.StopMaxTokens
		a.finish()
		return
	}
	plain, err := json.Marshal(summary{Content: hashString(seedString, text), Prefix: a.prefix.hash, Role: a.prefix.role, Thought: a.prefix.thought})
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	raw := []byte(`{"type":"compaction","content":` + quote(text) + `,"signature":` + quote(a.s.sealer.seal(kindCompaction, plain)) + `}`)
	a.out.start(raw, raw)
	a.out.stop()
	a.add(raw, 0)
	a.stop = transport.StopCompaction
	a.finish()
}

// threshold reads the compact_20260112 edit of the request: the size of prompt
// that sets it off, and whether the turn pauses behind it (wire §10.2).
func (r *request) threshold() (tokens int, pause, set bool) {
	for e := range rawjson.Elements(rawjson.Get(r.fields["context_management"], "edits")) {
		if rawjson.GetString(e, "type") != "compact_20260112" {
			continue
		}
		tokens = 150_000
		if v := rawjson.Get(rawjson.Get(e, "trigger"), "value"); v != nil {
			tokens, _ = strconv.Atoi(string(v))
		}
		return tokens, string(rawjson.Get(e, "pause_after_compaction")) == "true", true
	}
	return 0, false, false
}

// compactFirst summarizes the conversation in front of the answer, if it is
// longer than the request's threshold. It reports whether the turn ends there.
func (a *answer) compactFirst() bool {
	most, pause, set := a.r.threshold()
	if !set || a.turn.PromptTokens <= most {
		return false
	}
	text := a.r.summarize()
	tokens := EstimateTokens(len(text))
	a.iterationList = append(a.iterationList, a.iteration("compaction", a.charge, tokens))
	a.begin()
	secret := a.s.sealer.seal(kindCompaction, []byte(text))
	body := `"content":` + quote(text) + `,"encrypted_content":` + quote(secret) + `}`
	raw := []byte(`{"type":"compaction",` + body)
	a.out.start([]byte(`{"type":"compaction","content":null}`), raw)
	a.out.delta([]byte(`{"type":"compaction_delta",` + body))
	a.out.stop()
	a.add(raw, 0)
	// What follows reads the summary in place of the conversation.
	a.charge = charge{input: tokens, start: a.charge.start}
	if pause {
		a.stop = transport.StopCompaction
		a.finish()
		return true
	}
	a.base = []transport.Message{transport.UserText(text)}
	a.turn.Messages = a.base
	return false
}

// summarize writes a summary of the conversation: what the user said, and which
// tools were called how often.
func (r *request) summarize() string {
	var b strings.Builder
	b.WriteString("Summary of the conversation so far.\n")
	called := map[string]int{}
	var names []string
	for _, m := range r.messages {
		if m.role == transport.RoleSystem {
			continue // system messages are lost (wire §10.4)
		}
		for j := range m.blocks {
			switch blk := &m.blocks[j]; blk.typ {
			case transport.TypeText:
				text := textOf(blk.raw)
				if short := runes.Cut(text, 300); short != text {
					text = short + "…"
				}
				fmt.Fprintf(&b, "%s: %s\n", m.role, text)
			case transport.TypeToolUse, transport.TypeServerToolUse:
				if called[blk.name]++; called[blk.name] == 1 {
					names = append(names, blk.name)
				}
			case view.TypeCompaction:
				b.WriteString(rawjson.GetString(blk.raw, "content"))
				b.WriteByte('\n')
			}
		}
	}
	for _, name := range names {
		fmt.Fprintf(&b, "The tool %s was called %d times.\n", name, called[name])
	}
	return b.String()
}

// iteration makes an entry of usage.iterations.
func (a *answer) iteration(kind string, c charge, output int) transport.Iteration {
	return transport.Iteration{
		Type: kind, InputTokens: int64(c.input), CacheCreationInputTokens: int64(c.write5m + c.write1h), CacheReadInputTokens: int64(c.read),
		OutputTokens:  int64(output),
		CacheCreation: transport.CacheCreation{Ephemeral5mInputTokens: int64(c.write5m), Ephemeral1hInputTokens: int64(c.write1h)},
	}
}
