package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// kept are features of the API that gateways are known to drop or change. On the
// Claude API all agree; what differs is what the endpoint doesn't keep (G85).
func kept() []probe {
	marked := `,"cache_control":{"type":"ephemeral"`
	think := `"max_tokens":1200,"thinking":{"type":"enabled","budget_tokens":1024},`
	return []probe{
		{id: "kept stop_sequences", ask: "Does a stop sequence end the answer, and is it told?", usd: 0.001, run: func(ctx context.Context, s *session) (string, error) {
			m, err := s.message(ctx, ask(older, `"max_tokens":50,"stop_sequences":["4"],`, user(text("Count: 1 2 3 4 5 6"))))
			if err != nil {
				return "", err
			}
			return m.StopReason, nil
		}},
		{id: "kept tools", ask: "Does a forced call come as tool_use?", usd: 0.002, run: func(ctx context.Context, s *session) (string, error) {
			m, err := s.message(ctx, ask(older, `"max_tokens":200,`+tool+`"tool_choice":{"type":"tool","name":"f"},`, user(text("Use the tool f with x."))))
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s, a call: %s", m.StopReason, yes(m.block("tool_use") != nil)), nil
		}},
		{id: "kept stream", ask: "Does a stream come as events, from message_start to message_stop?", usd: 0.001, run: func(ctx context.Context, s *session) (string, error) {
			a, err := s.send(ctx, ask(older, `"stream":true,`))
			if err != nil {
				return "", err
			}
			if a.status != 200 {
				return a.fact(), nil
			}
			kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
			var seen []string
			for _, e := range []string{"message_start", "content_block_delta", "message_delta", "message_stop"} {
				if strings.Contains(string(a.body), "event: "+e) {
					seen = append(seen, e)
				}
			}
			return kind + ": " + strings.Join(seen, " "), nil
		}},
		{id: "kept cache", ask: "Do a mark of an hour and reading from the cache show in usage?", usd: 0.03, run: func(ctx context.Context, s *session) (string, error) {
			r := ask(older, fmt.Sprintf(`"system":[{"type":"text","text":%q%s,"ttl":"1h"}}],`, s.long(), marked))
			first, err := s.message(ctx, r)
			if err != nil {
				return "", err
			}
			second, err := s.message(ctx, r)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("written for 1h: %s, read: %s", yes(first.Usage.CacheCreation.Ephemeral1hInputTokens > 0), yes(second.Usage.CacheReadInputTokens > 0)), nil
		}},
		{id: "kept thinking", ask: "Is thinking signed, and is it taken back?", usd: 0.02, run: func(ctx context.Context, s *session) (string, error) {
			question := user(text("What is 27 times 453? Think, then answer in one number."))
			m, err := s.message(ctx, ask(older, think, question))
			if err != nil {
				return "", err
			}
			thought := m.block("thinking", "redacted_thinking")
			if thought == nil {
				return "no thinking", nil
			}
			var t struct{ Signature, Data string }
			_ = json.Unmarshal(thought, &t) // it came as JSON
			facts, err := s.facts(ctx, ask(older, think, question, assistant(m.texts()...), user(text("And half of that?"))))
			return fmt.Sprintf("signed: %s, back: %s", yes(t.Signature+t.Data != ""), facts), err
		}},
		{id: "kept effort", ask: "Is effort taken?", requests: []request{ask(haiku, `"output_config":{"effort":"low"},`)}},
		{id: "kept format", ask: "Does an answer follow a format?", usd: 0.002, run: func(ctx context.Context, s *session) (string, error) {
			m, err := s.message(ctx, ask(haiku, `"max_tokens":100,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"word":{"type":"string"}},"required":["word"],"additionalProperties":false}}},`, user(text("Name a colour."))))
			if err != nil {
				return "", err
			}
			var b struct{ Text string }
			var v map[string]string
			if t := m.block("text"); t == nil || json.Unmarshal(t, &b) != nil || json.Unmarshal([]byte(b.Text), &v) != nil || len(v) != 1 {
				return "no", nil
			}
			return "yes", nil
		}},
		{id: "kept system messages", ask: "Is a system message inside a conversation taken?", requests: []request{ask(haiku, "", hi, `{"role":"system","content":"Be brief."}`)}},
		{id: "kept count_tokens", ask: "Does count_tokens answer?", requests: []request{{path: "/v1/messages/count_tokens", body: fmt.Sprintf(`{"model":%q,"messages":[%s]}`, older, hi)}}},
		{id: "kept models", ask: "Are models listed?", requests: []request{request{}.to("GET", "/v1/models")}},
		{id: "kept version", ask: "Is the API version 2026-10-21 taken, and heeded?", requests: []request{ask(older, "").at(newVersion), ask(older, `"top_k":5,`).at(newVersion)}},
		{id: "kept betas", ask: "Does an unknown beta value reach the API?", requests: []request{ask(older, "").beta("nothing-2020-01-01")}},
		{id: "kept strictness", ask: "Is an unknown member refused?", requests: []request{ask(older, `"nothing":1,`)}},
		{id: "kept errors", ask: "Are errors those of the API?", requests: []request{ask("claude-nothing-0", "")}},
		{id: "kept request ids", ask: "Has an answer the header request-id?", usd: 0.001, run: func(ctx context.Context, s *session) (string, error) {
			a, err := s.send(ctx, ask(older, ""))
			if err != nil {
				return "", err
			}
			return yes(a.header.Get("request-id") != ""), nil
		}},
		{id: "kept threads", ask: "Is a thread taken?", requests: []request{ask(haiku, `"thread":{"type":"create"},`).beta(threads)}},
		{id: "kept web search", ask: "Does the service search the web?", usd: 0.08, run: func(ctx context.Context, s *session) (string, error) {
			m, err := s.message(ctx, ask(older, `"max_tokens":300,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}],`, user(text("Search the web for: Go programming language. Then say ok."))))
			if err != nil {
				return "", err
			}
			return "a result: " + yes(m.block("web_search_tool_result") != nil), nil
		}},
	}
}
