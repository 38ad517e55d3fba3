package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Script returns a Model that gives one reply after the other, to any request. After the
// last reply it fails with a 500 that says so, which clients are told not to retry.
func Script(replies ...Reply) Model { return &script{replies: replies} }

type script struct {
	mu      sync.Mutex
	replies []Reply
	next    int
}

func (s *script) Respond(ctx context.Context, turn *Turn) (*Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == len(s.replies) {
		why := InternalError()
		why.Message = fmt.Sprintf("the simulator's script is used up: this request wants reply %d of %d; add a reply, or see why the agent asks again", len(s.replies)+1, len(s.replies))
		why.final = true
		return nil, why
	}
	s.next++
	return &s.replies[s.next-1], nil
}

// Say returns a Reply of one text.
func Say(text string) Reply { return Reply{Content: []Part{Text(text)}} }

// Do returns a Reply of tool calls or other parts.
func Do(parts ...Part) Reply { return Reply{Content: parts} }

// ParseReplies parses replies from JSON: a list of objects with "content", a list of
// blocks as the service sends them, and optional "stop_reason", "stop_sequence",
// "stop_details", "delay_ms" and "delta_bytes". The simulator makes up what text,
// thinking, redacted_thinking, tool_use and server_tool_use blocks lack (ids, signatures,
// results); others are sent as they are.
func ParseReplies(data []byte) ([]Reply, error) {
	var list []struct {
		Content      []json.RawMessage      `json:"content"`
		StopReason   transport.StopReason   `json:"stop_reason"`
		StopSequence string                 `json:"stop_sequence"`
		StopDetails  *transport.StopDetails `json:"stop_details"`
		DelayMS      int                    `json:"delay_ms"`
		DeltaBytes   int                    `json:"delta_bytes"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("replies: %w", err)
	}
	replies := make([]Reply, len(list))
	for i, l := range list {
		replies[i] = Reply{StopReason: l.StopReason, StopSequence: l.StopSequence, StopDetails: l.StopDetails,
			Delay: time.Duration(l.DelayMS) * time.Millisecond, DeltaBytes: l.DeltaBytes}
		for j, raw := range l.Content {
			p, err := parsePart(raw)
			if err != nil {
				return nil, fmt.Errorf("replies: %d: content.%d: %w", i, j, err)
			}
			replies[i].Content = append(replies[i].Content, p)
		}
	}
	return replies, nil
}

func parsePart(raw json.RawMessage) (Part, error) {
	var b struct {
		Type, Text, Thinking, Name, ID string
		Toolset                        string `json:"toolset_name"`
		Input                          json.RawMessage
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return Part{}, err
	}
	var input any
	if b.Input != nil {
		input = b.Input
	}
	switch transport.BlockType(b.Type) {
	case transport.TypeText:
		if rawjson.IsNull(rawjson.Get(raw, "citations")) {
			return Text(b.Text), nil
		}
		return Raw(raw), nil
	case transport.TypeThinking:
		return Thinking(b.Thinking), nil
	case transport.TypeRedactedThinking:
		return Redacted(b.Text), nil
	case transport.TypeToolUse:
		return Call(b.Name, input).WithID(b.ID).WithToolset(b.Toolset), nil
	case transport.TypeServerToolUse:
		return ServerCall(b.Name, input).WithID(b.ID), nil
	case "":
		return Part{}, fmt.Errorf("no type: %s", raw)
	}
	return Raw(raw), nil
}
