package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Rules describe which requests a platform supports, and its prices. The zero value
// refuses all paths. With only Paths set, the Rules refuse no feature except those that
// need Features.
type Rules struct {
	Name     string             // such as "Amazon Bedrock"
	Provider string             // gen_ai.provider.name in traces; empty means "anthropic"
	Features transport.Features // what an agent may use; Threads, Diagnostics and the like are refused without them
	Paths    []string           // of the endpoints that it serves: Messages, CountTokens and so on
	IDs      IDForm

	MaxBody  int64 // bytes of a request; 0 for no limit of its own
	MaxImage int   // bytes of base64 of a picture; 0 for no limit of its own

	// Surcharge is a factor on the prices of tokens, for locations that aren't global; 0
	// means 1. On Bedrock it applies to all profiles except global ones.
	Surcharge float64
	// OwnEnds is true if the platform retires models on dates of its own.
	OwnEnds bool

	// ServerTool reports whether the platform has a server tool, by its wire type, such
	// as "web_search_20250305". Nil means all.
	ServerTool func(wireType string) bool

	NoURLs, NoFiles    bool                    // sources of type "url" and "file"
	NoMCP              bool                    // mcp_servers
	NoContainers       bool                    // container, and with it skills
	NoFallbacks        bool                    // fallbacks
	NoInferenceGeo     bool                    // inference_geo
	Speeds             func(model string) bool // models with speed "fast"; nil means all that have it elsewhere
	AutomaticCache     func(model string) bool // models that take cache_control on top of the request; nil means all
	NewVersion         func(model string) bool // models that take version 2026-10-21; nil means all
	NoModels           []string                // plain ids of models that it doesn't have
	NoStructuredOutput bool                    // output_config.format and strict tools
}

// serverTools are the stems of the types of tools that the service runs.
var serverTools = []string{"web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "advisor_", "mcp_toolset"}

func isServerTool(t string) bool {
	return slices.ContainsFunc(serverTools, func(stem string) bool { return strings.HasPrefix(t, stem) })
}

// check finds the first thing of a request that the platform doesn't take.
func (r *Rules) check(q *transport.Request) *transport.RequestError {
	if e := r.IDs.check(q.Model); e != nil {
		return e
	}
	if plain, ok := Plain(q.Model); ok && slices.Contains(r.NoModels, plain) {
		return refusal("model", "the platform doesn't have "+plain, "use another model, or the Claude API")
	}
	if e := r.checkParameters(q); e != nil {
		return e
	}
	for i := range q.Tools {
		t := q.Tools[i].Type()
		switch {
		case isServerTool(t) && r.ServerTool != nil && !r.ServerTool(t):
			return refusal(fmt.Sprintf("tools.%d", i), "the platform doesn't have "+t, r.insteadOfTool(t))
		case r.NoStructuredOutput && bytes.Equal(rawjson.Get(q.Tools[i].Raw(), "strict"), []byte("true")):
			return refusal(fmt.Sprintf("tools.%d.strict", i), "the platform has no structured outputs", "leave strict out: the arguments are checked all the same")
		}
	}
	return r.checkMessages(q)
}

func (r *Rules) checkParameters(q *transport.Request) *transport.RequestError {
	f := &r.Features
	switch {
	case q.Thread != nil && !f.Threads:
		return refusal("thread", "the platform has no message threads", "leave it out: the whole conversation is sent, and cached")
	case q.Diagnostics != nil && !f.Diagnostics:
		return refusal("diagnostics", "the platform has no cache diagnostics", "leave it out")
	case q.Compaction != nil && !f.Compaction:
		return refusal("compaction", "the platform doesn't summarize", "let the program ask for a summary by a request of its own")
	case !f.Compaction && bytes.Contains(q.ContextManagement, []byte(`"compact_`)):
		return refusal("context_management", "the platform doesn't summarize", "leave the edit out, and let the program ask for a summary by a request of its own")
	case len(q.MCPServers) > 0 && r.NoMCP:
		return refusal("mcp_servers", "the platform has no MCP connector", "reach the servers from the program, by package tools/mcp")
	case len(q.Container) > 0 && r.NoContainers:
		return refusal("container", "the platform runs no code and no skills", "leave it out, and run code by a tool of the program's own")
	case len(q.Fallbacks) > 0 && r.NoFallbacks:
		return refusal("fallbacks", "the platform doesn't fall back to another model", "leave it out, and ask another model after a refusal, as package transport/failover does after errors")
	case q.InferenceGeo != "" && r.NoInferenceGeo:
		return refusal("inference_geo", "the place is chosen by the address or the model's profile here", "leave it out, and choose the region")
	case q.Speed == "fast" && r.Speeds != nil && !r.Speeds(q.Model):
		return refusal("speed", "the platform has no fast mode for "+q.Model, "leave it out")
	case q.CacheControl != nil && r.AutomaticCache != nil && !r.AutomaticCache(q.Model):
		return refusal("cache_control", "the platform takes none on top of a request for "+q.Model, "mark a block: Request.Breakpoints")
	case r.NoStructuredOutput && q.OutputConfig != nil && len(q.OutputConfig.Format) > 0:
		return refusal("output_config.format", "the platform has no structured outputs", "ask for the form by a tool")
	}
	return nil
}

func (r *Rules) insteadOfTool(t string) string {
	switch {
	case strings.HasPrefix(t, "web_search_"):
		if r.ServerTool("web_search_20250305") {
			return "use web_search_20250305"
		}
		return "search from the program, by a tool of its own"
	case strings.HasPrefix(t, "web_fetch_"):
		return "use package tools/fetch, which fetches from the program"
	case strings.HasPrefix(t, "code_execution_"):
		return "run code from the program, by package tools/shell or tools/script"
	case strings.HasPrefix(t, "tool_search_tool_bm25"):
		if r.ServerTool("tool_search_tool_regex_20251119") {
			return "use tool_search_tool_regex_20251119"
		}
	case t == "mcp_toolset":
		return "reach the server from the program, by package tools/mcp"
	}
	return "leave it out, or use the Claude API"
}

// checkMessages looks at messages and what stands in them. Only what is named here is
// decoded, so that a long conversation costs little.
func (r *Rules) checkMessages(q *transport.Request) *transport.RequestError {
	from := 0
	if q.Thread != nil {
		from = min(max(q.Thread.Held, 0), len(q.Messages))
	}
	for i := from; i < len(q.Messages); i++ {
		m := &q.Messages[i]
		if m.Role == transport.RoleSystem && !r.Features.SystemMessages {
			return refusal(fmt.Sprintf("messages.%d.role", i), "the platform takes no system messages inside a conversation", "put it into the system prompt, or into a message of the user")
		}
		for j, b := range m.Content {
			if e := r.checkBlock(fmt.Sprintf("messages.%d.content.%d", i, j), b); e != nil {
				return e
			}
		}
	}
	return nil
}

func (r *Rules) checkBlock(place string, b transport.Block) *transport.RequestError {
	switch b.Type() {
	case transport.TypeImage, transport.TypeDocument:
		return r.checkSource(place, b.Raw())
	case "container_upload":
		if r.NoContainers || r.NoFiles {
			return refusal(place, "the platform has no containers to upload to", "put the content into the messages, as data")
		}
	case "tool_addition", "tool_removal":
		if !r.Features.InlineTools {
			return refusal(place, "the platform takes no changes of tools inside a conversation", "change Request.Tools, which costs the cache")
		}
	case transport.TypeToolResult:
		if !bytes.Contains(b.Raw(), []byte(`"source"`)) {
			return nil
		}
		content := rawjson.Get(b.Raw(), "content")
		if len(content) == 0 || content[0] != '[' {
			return nil
		}
		var inner []json.RawMessage
		if json.Unmarshal(content, &inner) != nil {
			return nil
		}
		for k, raw := range inner {
			if t := rawjson.GetString(raw, "type"); t == "image" || t == "document" {
				if e := r.checkSource(fmt.Sprintf("%s.content.%d", place, k), raw); e != nil {
					return e
				}
			}
		}
	}
	return nil
}

func (r *Rules) checkSource(place string, raw []byte) *transport.RequestError {
	source := rawjson.Get(raw, "source")
	switch rawjson.GetString(source, "type") {
	case "url":
		if r.NoURLs {
			return refusal(place, "the platform fetches no pictures and documents", "fetch it, and send its data")
		}
	case "file":
		if r.NoFiles {
			return refusal(place, "the platform keeps no files", "send the data itself")
		}
	case "base64":
		if data := rawjson.Get(source, "data"); r.MaxImage > 0 && rawjson.GetString(raw, "type") == "image" && len(data)-2 > r.MaxImage {
			return refusal(place, fmt.Sprintf("the picture has %d bytes of base64, and the platform's limit is %d", len(data)-2, r.MaxImage), "send a smaller one")
		}
	}
	return nil
}

func refusal(field, reason, remedy string) *transport.RequestError {
	return &transport.RequestError{Field: field, Reason: reason, Remedy: remedy}
}
