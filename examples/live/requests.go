package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// overFiveMinutes is longer than the cache keeps what it keeps for five minutes.
const overFiveMinutes = 5*time.Minute + 20*time.Second

// errNoMatter ends a probe whose answer had not what it is about, such as thinking.
var errNoMatter = errors.New("the model's answer didn't have what the question is about")

// A reply is what probes look at in an answer.
type reply struct {
	*answer
	ID         string
	StopReason string `json:"stop_reason"`
	Content    []json.RawMessage
	Usage      struct {
		transport.Usage
		Iterations json.RawMessage `json:"iterations"`
	}
}

// message sends a request that is to be taken, and reads the message. A refusal is an
// error that holds its words.
func (s *session) message(ctx context.Context, r request) (*reply, error) {
	a, err := s.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != 200 {
		return nil, &refusedError{a.fact()}
	}
	m := &reply{answer: a}
	if err := json.Unmarshal(a.body, m); err != nil {
		return nil, fmt.Errorf("%w: the answer is %s", errNoAPI, short(string(a.body)))
	}
	return m, nil
}

// A refusedError is a fact: a request that was to be taken was refused.
type refusedError struct{ fact string }

func (e *refusedError) Error() string { return e.fact }

// block returns the first block of a type, or nil.
func (m *reply) block(kinds ...string) json.RawMessage {
	for _, b := range m.Content {
		var t struct{ Type string }
		if json.Unmarshal(b, &t) == nil && slices.Contains(kinds, t.Type) {
			return b
		}
	}
	return nil
}

// texts are the blocks as they came.
func (m *reply) texts() []string {
	var list []string
	for _, b := range m.Content {
		list = append(list, string(b))
	}
	return list
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// long is a text of about 6,000 tokens that no earlier run has cached.
func (s *session) long() string {
	return s.to.nonce + strings.Repeat(" The quick brown fox jumps over the lazy dog.", 540)
}

// questions are guesses that a few small requests answer.
func questions() []probe {
	marked := `,"cache_control":{"type":"ephemeral"}`
	return []probe{
		{id: "G11", ask: "Is temperature 1 taken by a new model?", requests: []request{ask("claude-sonnet-5", `"temperature":1,`)}},
		{id: "G12", ask: "Do Fable 5, Mythos 5 and Mythos Preview take a forced tool choice?", requests: []request{
			ask("claude-fable-5", tool+`"tool_choice":{"type":"any"},`), ask("claude-mythos-5", tool+`"tool_choice":{"type":"any"},`), ask("claude-mythos-preview", tool+`"tool_choice":{"type":"any"},`),
		}},
		{id: "G13", ask: "May the assistant's message be the first, on the newest models?", requests: []request{
			ask(opus, "", assistant(text("hello")), hi), ask(sonnet, "", assistant(text("hello")), hi), ask(haiku, "", assistant(text("hello")), hi),
		}},
		{id: "G37", ask: "Is a tool's name of 100 characters taken?", requests: []request{
			ask(older, strings.Replace(tool, `"f"`, `"`+strings.Repeat("f", 100)+`"`, 1)), ask(haiku, strings.Replace(tool, `"f"`, `"`+strings.Repeat("f", 100)+`"`, 1)),
		}},
		{id: "G39", ask: "Does a search give at most 10 results?", usd: 0.08, run: func(ctx context.Context, s *session) (string, error) {
			m, err := s.message(ctx, ask(older, `"max_tokens":300,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}],`, user(text("Search the web for: Go programming language. Then say ok."))))
			if err != nil {
				return "", err
			}
			var found struct{ Content []json.RawMessage }
			if b := m.block("web_search_tool_result"); b == nil || json.Unmarshal(b, &found) != nil {
				return "", errNoMatter
			}
			return "at most 10: " + yes(len(found.Content) <= 10), nil
		}},
		{id: "G50", ask: "Has usage iterations without a beta value?", usd: 0.002, run: func(ctx context.Context, s *session) (string, error) {
			var facts []string
			for _, model := range []string{older, haiku} {
				m, err := s.message(ctx, ask(model, ""))
				if err != nil {
					return "", err
				}
				facts = append(facts, model+": "+yes(len(m.Usage.Iterations) > 0 && string(m.Usage.Iterations) != "null"))
			}
			return strings.Join(facts, ", "), nil
		}},
		{id: "G64", ask: "Is one of the 20 positions that the cache looks back a block, or a run of calls or of results?", usd: 0.05, run: func(ctx context.Context, s *session) (string, error) {
			first, system := s.long(), tool
			if _, err := s.message(ctx, ask(older, system, user(fmt.Sprintf(`{"type":"text","text":%q%s}`, first, marked)))); err != nil {
				return "", err
			}
			var calls, results []string
			for i := range 12 {
				calls = append(calls, fmt.Sprintf(`{"type":"tool_use","id":"toolu_%d","name":"f","input":{}}`, i))
				mark := ""
				if i == 11 {
					mark = marked
				}
				results = append(results, fmt.Sprintf(`{"type":"tool_result","tool_use_id":"toolu_%d","content":"7"%s}`, i, mark))
			}
			m, err := s.message(ctx, ask(older, system, user(text(first)), assistant(calls...), user(results...)))
			if err != nil {
				return "", err
			}
			return "read behind 24 blocks in 2 runs: " + yes(m.Usage.CacheReadInputTokens > 0), nil
		}},
		{id: "G65", ask: "Does marking an entry again, for an hour, prolong it?", usd: 0.08, wait: overFiveMinutes, run: func(ctx context.Context, s *session) (string, error) {
			system := fmt.Sprintf(`"system":[{"type":"text","text":%q,"cache_control":{"type":"ephemeral"%%s}}],`, s.long())
			for _, ttl := range []string{"", `,"ttl":"1h"`} {
				if _, err := s.message(ctx, ask(older, fmt.Sprintf(system, ttl))); err != nil {
					return "", err
				}
			}
			if err := s.to.sleep(ctx, overFiveMinutes); err != nil {
				return "", err
			}
			m, err := s.message(ctx, ask(older, fmt.Sprintf(system, `,"ttl":"1h"`)))
			if err != nil {
				return "", err
			}
			return "read after five minutes: " + yes(m.Usage.CacheReadInputTokens > 0), nil
		}},
		{id: "G66", ask: "Does an entry of an hour outlive what was written for five minutes in front of it?", usd: 0.1, wait: overFiveMinutes, run: func(ctx context.Context, s *session) (string, error) {
			front := s.long()
			both := user(text(front), fmt.Sprintf(`{"type":"text","text":%q,"cache_control":{"type":"ephemeral","ttl":"1h"}}`, strings.Repeat("And so on. ", 300)))
			if _, err := s.message(ctx, ask(older, "", user(fmt.Sprintf(`{"type":"text","text":%q%s}`, front, marked)))); err != nil {
				return "", err
			}
			if _, err := s.message(ctx, ask(older, "", both)); err != nil {
				return "", err
			}
			if err := s.to.sleep(ctx, overFiveMinutes); err != nil {
				return "", err
			}
			m, err := s.message(ctx, ask(older, "", both))
			if err != nil {
				return "", err
			}
			return "read after five minutes: " + yes(m.Usage.CacheReadInputTokens > 0), nil
		}},
		{id: "G67", ask: "Do system and tools stay cached when thinking, effort and format change?", usd: 0.12, run: func(ctx context.Context, s *session) (string, error) {
			base := tool + fmt.Sprintf(`"system":[{"type":"text","text":%q%s}],`, s.long(), marked)
			if _, err := s.message(ctx, ask(haiku, base+`"thinking":{"type":"disabled"},`)); err != nil {
				return "", err
			}
			var facts []string
			for _, c := range [][2]string{{"thinking", `"max_tokens":64,"thinking":{"type":"adaptive"},`}, {"effort", `"thinking":{"type":"disabled"},"output_config":{"effort":"low"},`}, {"format", `"thinking":{"type":"disabled"},` + format}} {
				m, err := s.message(ctx, ask(haiku, base+c[1]))
				if err != nil {
					return "", err
				}
				facts = append(facts, c[0]+": "+yes(m.Usage.CacheReadInputTokens > 0))
			}
			return "read after a change of " + strings.Join(facts, ", "), nil
		}},
		{id: "G68", ask: "Does thinking.display lose the cache of messages?", usd: 0.05, run: func(ctx context.Context, s *session) (string, error) {
			first := user(fmt.Sprintf(`{"type":"text","text":%q%s}`, s.long(), marked), text("Say ok."))
			if _, err := s.message(ctx, ask(haiku, `"max_tokens":64,"thinking":{"type":"adaptive","display":"summarized"},`, first)); err != nil {
				return "", err
			}
			m, err := s.message(ctx, ask(haiku, `"max_tokens":64,"thinking":{"type":"adaptive","display":"omitted"},`, first))
			if err != nil {
				return "", err
			}
			return "read after a change: " + yes(m.Usage.CacheReadInputTokens > 0), nil
		}},
		{id: "G77", ask: "Does count_tokens take server tools and MCP servers?", requests: []request{
			{path: "/v1/messages/count_tokens", body: fmt.Sprintf(`{"model":%q,"tools":[%s],"messages":[%s]}`, older, searched, hi)},
			{path: "/v1/messages/count_tokens", betas: mcpClient, body: fmt.Sprintf(`{"model":%q,"mcp_servers":[%s],"tools":[{"type":"mcp_toolset","mcp_server_name":"m"}],"messages":[%s]}`, older, server, hi)},
		}},
		{id: "G78", ask: "How is a file that isn't there refused?", requests: []request{
			request{betas: filesBeta}.to("GET", "/v1/files/file_011CNha8iCJcU1wXNR6q4V8w"),
			ask(older, "", user(`{"type":"document","source":{"type":"file","file_id":"file_011CNha8iCJcU1wXNR6q4V8w"}}`, text("Why?"))).beta(filesBeta),
		}},
		{id: "G79", ask: "How many bytes of English text are a token, and how many tokens are a picture of one pixel?", measure: true, run: func(ctx context.Context, s *session) (string, error) {
			count := func(content string) (float64, error) {
				a, err := s.send(ctx, request{path: "/v1/messages/count_tokens", body: fmt.Sprintf(`{"model":%q,"messages":[%s]}`, haiku, content)})
				if err != nil {
					return 0, err
				}
				var n struct {
					Tokens float64 `json:"input_tokens"`
				}
				if a.status != 200 || json.Unmarshal(a.body, &n) != nil {
					return 0, &refusedError{a.fact()}
				}
				return n.Tokens, nil
			}
			long := strings.Repeat("It was the best of times, it was the worst of times. ", 200)
			none, err1 := count(user(text("a")))
			all, err2 := count(user(text(long)))
			one, err3 := count(user(text("a"), picture("image/png", pixel)))
			if err := errors.Join(err1, err2, err3); err != nil {
				return "", err
			}
			return fmt.Sprintf("%.2f bytes a token, %.0f tokens a pixel", float64(len(long))/max(all-none, 1), one-none), nil
		}},
		{id: "G83", ask: "Is Mythos Preview in the list of models?", run: func(ctx context.Context, s *session) (string, error) {
			ids, err := s.models(ctx)
			return "listed: " + yes(slices.Contains(ids, "claude-mythos-preview")), err
		}},
		{id: "G84", ask: "Which models does the service list that the project doesn't know, and which not?", measure: true, run: func(ctx context.Context, s *session) (string, error) {
			ids, err := s.models(ctx)
			if err != nil {
				return "", err
			}
			var unknown, missing []string
			for _, id := range ids {
				if _, ok := models.Lookup(id); !ok {
					unknown = append(unknown, id)
				}
			}
			for _, m := range models.Known() {
				if !slices.Contains(ids, m.ID) && !slices.ContainsFunc(m.Aliases, func(a string) bool { return slices.Contains(ids, a) }) {
					missing = append(missing, m.ID)
				}
			}
			return fmt.Sprintf("unknown here: %v; not listed there: %v", unknown, missing), nil
		}},
		{id: "G86", ask: "Are a thread's fixed fields compared as values?", usd: 0.002, run: func(ctx context.Context, s *session) (string, error) {
			m, err := s.message(ctx, ask(haiku, `"thread":{"type":"create"},"output_config":{"effort":"low"},`).beta(threads))
			if err != nil {
				return "", err
			}
			return s.facts(ctx, ask(haiku, fmt.Sprintf(`"thread":{"type":"continue","previous_message_id":%q},"output_config" : { "effort" : "low" },`, m.ID)).beta(threads))
		}},
		{id: "G89", ask: "Has an error of threads x-should-retry?", run: func(ctx context.Context, s *session) (string, error) {
			a, err := s.send(ctx, ask(haiku, `"thread":{"type":"continue","previous_message_id":"msg_01AAAAAAAAAAAAAAAAAAAAAA"},`).beta(threads))
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d, x-should-retry: %q", a.status, a.header.Get("x-should-retry")), nil
		}},
		{id: "G90", ask: "Do marks in a thread's earlier messages count toward 4?", usd: 0.002, run: func(ctx context.Context, s *session) (string, error) {
			mark := `{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}`
			m, err := s.message(ctx, ask(haiku, `"thread":{"type":"create"},`, user(mark, mark, mark, mark)).beta(threads))
			if err != nil {
				return "", err
			}
			return s.facts(ctx, ask(haiku, fmt.Sprintf(`"thread":{"type":"continue","previous_message_id":%q},`, m.ID), user(mark)).beta(threads))
		}},
		{id: "G94", ask: "What do the words say last where the tools, or a message, in front of bound thinking changed?", usd: 0.03, run: func(ctx context.Context, s *session) (string, error) {
			think := `"max_tokens":1500,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"},`
			question := user(text("Think about it first: what is 27 times 453, less 17 times 91? Then use the tool f with x."))
			m, err := s.message(ctx, ask(haiku, tool+think, question))
			if err != nil {
				return "", err
			}
			thought, used := m.block("thinking"), m.block("tool_use")
			if thought == nil || used == nil {
				return "", errNoMatter
			}
			var c struct{ ID string }
			_ = json.Unmarshal(used, &c) // it came as JSON
			content := m.texts()
			answered := user(fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"7"}`, c.ID))
			other := strings.Replace(tool, "Gives a number.", "Gives a word.", 1)
			return s.facts(ctx,
				ask(haiku, other+think, question, assistant(content...), answered),
				ask(haiku, tool+think, user(text("Use the tool f.")), assistant(content...), answered))
		}},
		{id: "G95", ask: "May a turn with a server tool's result that ends in text be the last message?", usd: 0.15, run: func(ctx context.Context, s *session) (string, error) {
			search := `"max_tokens":300,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}],`
			question := user(text("Search the web for: Go programming language. Then say ok."))
			m, err := s.message(ctx, ask(haiku, search, question))
			if err != nil {
				return "", err
			}
			if n := len(m.Content); m.block("web_search_tool_result") == nil || !strings.Contains(string(m.Content[n-1]), `"type":"text"`) {
				return "", errNoMatter
			}
			return s.facts(ctx, ask(haiku, search, question, assistant(m.texts()...)))
		}},
	}
}

// models lists the ids of the endpoint's models.
func (s *session) models(ctx context.Context) ([]string, error) {
	a, err := s.send(ctx, request{}.to("GET", "/v1/models?limit=1000"))
	if err != nil {
		return nil, err
	}
	var list struct{ Data []struct{ ID string } }
	if a.status != 200 || json.Unmarshal(a.body, &list) != nil {
		return nil, &refusedError{a.fact()}
	}
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
	}
	return ids, nil
}

// unasked are the guesses that this program doesn't ask about, and why.
func unasked() map[string]string {
	const (
		watch   = "it can't be brought about; the library says so when it is seen"
		account = "it needs an account of another kind"
		host    = "it needs another host"
		matter  = "it needs an answer that can't be asked for: "
	)
	return map[string]string{
		"G3": watch, "G34": watch, "G63": watch, "G91": watch,
		"G52": account, "G81": account, "G93": account,
		"G70": host, "G82": host,
		"G80": "it takes a batch, and 300,000 tokens of output",
		"G15": matter + "code at the service that waits for a client's tool",
		"G31": matter + "a blank text in front of thinking",
		"G40": "it needs a page of known length on the public web",
		"G41": "a turn with the advisor costs more than the budget",
		"G69": "the simulator's token counts are estimates, so the kept tokens can't be compared",
		"G71": matter + "a turn of several steps with and without thinking, in manual mode",
		"G72": "each pair of models costs a turn with thinking: 400 requests",
		"G74": matter + "several turns with thinking",
		"G85": "the lines \"kept\" tell it of the endpoint that is asked",
		"G87": "it takes a conversation of tens of megabytes",
	}
}
