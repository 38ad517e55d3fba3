package wire

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Markable reports whether the service is known to accept a cache_control on the block.
// It is false for thinking, blank text, fallback and mcp_tool_listing blocks (wire
// §8.1), and for unknown types.
func Markable(b transport.Block) bool {
	return blocktype.Of(b.Type()).Markable && !IsBlank(b)
}

// IsBlank reports whether the block is text that is empty or only white space,
// which the service refuses, or the zero Block.
func IsBlank(b transport.Block) bool {
	return b.IsZero() || b.Type() == transport.TypeText && blocktype.IsBlank(b.Raw())
}

// OwnMessage returns the message with lists of its own. Those that a message comes
// with are its maker's, who may write other blocks into them for the next one.
func OwnMessage(m transport.Message) transport.Message {
	m.Content, m.OutputConfig, m.Extra = slices.Clone(m.Content), slices.Clone(m.OutputConfig), maps.Clone(m.Extra)
	return m
}

// FitsInResult reports whether the service may accept the block in the result of a
// tool. It is true for unknown types.
func FitsInResult(b transport.Block) bool { return !blocktype.Of(b.Type()).OutOfResult }

// IsModels reports whether only responses have blocks of the type.
func IsModels(t transport.BlockType) bool { return blocktype.Of(t).Model }

// IsServerCall reports whether blocks of the type are calls that the service runs
// itself.
func IsServerCall(t transport.BlockType) bool { return blocktype.Of(t).ServerCall }

// IsServerResult reports whether blocks of the type are the results of such calls.
func IsServerResult(t transport.BlockType) bool { return blocktype.IsResult(t) }

// PendingServerCalls returns the ids of server tool calls that have no result yet. The
// service continues them in its next response.
func PendingServerCalls(r *transport.Response) []string {
	var pending []string
	for _, b := range r.Content {
		switch t := blocktype.Of(b.Type()); {
		case t.Name == blocktype.Fallback:
			pending = nil // what stands in front belongs to the model that refused
		case t.ServerCall:
			pending = append(pending, rawjson.GetString(b.Raw(), "id"))
		case blocktype.IsResult(b.Type()):
			if i := slices.Index(pending, b.ToolUseID()); i >= 0 {
				pending = slices.Delete(pending, i, i+1)
			}
		}
	}
	return pending
}

// EndsInPrefill reports whether the model would have to go on in the middle of the
// last message, which is the assistant's: only models up to 4.5 do (wire §2.5). A turn
// that was paused is no prefill. It has a tool of the service in it, its result, a
// compaction, or a block of a type that nobody knows yet, or such a call waits for its
// result still.
func EndsInPrefill(messages []transport.Message) bool {
	n := len(messages)
	if n == 0 || messages[n-1].Role != transport.RoleAssistant {
		return false
	}
	said := false
	for i := n - 1; i >= 0 && messages[i].Role != transport.RoleUser; i-- {
		if messages[i].Role == transport.RoleSystem {
			continue
		}
		for _, b := range messages[i].Content {
			if !blocktype.Of(b.Type()).Prefill {
				return false
			}
			said = true
		}
	}
	var open []string
	for _, m := range messages {
		for _, b := range m.Content {
			if IsServerCall(b.Type()) {
				open = append(open, rawjson.GetString(b.Raw(), "id"))
			} else if IsServerResult(b.Type()) {
				open = slices.DeleteFunc(open, func(id string) bool { return id == b.ToolUseID() })
			}
		}
	}
	return said && len(open) == 0
}

// EndsInSpace reports whether the last block of the message is text that ends in white
// space, which no model goes on from (wire row 39).
func EndsInSpace(m transport.Message) bool {
	n := len(m.Content)
	if n == 0 || m.Content[n-1].Type() != transport.TypeText {
		return false
	}
	text := rawjson.GetString(m.Content[n-1].Raw(), "text")
	return strings.TrimRightFunc(text, unicode.IsSpace) != text
}

// LastSampling returns the usage of the last sampling of the response, whose prompt the
// next request begins with. It returns false, with the sum over all samplings, if the
// response has calls of server tools and the usage has only that sum (wire §5.5).
func LastSampling(r *transport.Response) (transport.Iteration, bool) {
	u := &r.Usage
	for i := len(u.Iterations) - 1; i >= 0; i-- {
		if u.Iterations[i].Type == "message" {
			return u.Iterations[i], true
		}
	}
	sum := transport.Iteration{
		Type: "message", Model: r.Model, InputTokens: u.InputTokens, CacheCreationInputTokens: u.CacheCreationInputTokens,
		CacheReadInputTokens: u.CacheReadInputTokens, OutputTokens: u.OutputTokens, CacheCreation: u.CacheCreation,
	}
	return sum, !slices.ContainsFunc(r.Content, func(b transport.Block) bool { return blocktype.Of(b.Type()).ServerCall })
}

// MarkTTL returns the lifetime in the cache_control of a block or a definition. It
// returns the empty TTL if there is no cache_control, or if it doesn't set its ttl.
func MarkTTL(raw []byte) transport.TTL {
	return transport.TTL(rawjson.GetString(rawjson.Get(raw, "cache_control"), "ttl"))
}
