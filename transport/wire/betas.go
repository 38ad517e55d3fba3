package wire

import (
	"bytes"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Values of the anthropic-beta header that a use of a feature calls for, as of
// 20 October 2026 (wire §1.3; the x-anthropic-beta-required lists of the
// service's OpenAPI document). Where a feature has two generations this is the
// newer, which covers the older. What has become generally available needs none.
const (
	betaContextManagement   = "context-management-2025-06-27"
	betaThresholdCompaction = "compact-2026-01-12"
	betaCompaction          = "compact-2026-09-04"
	betaMCP                 = "mcp-client-2026-09-15"
	betaMCPToolsets         = "mcp-client-2025-11-20"
	betaMCPServers          = "mcp-client-2025-04-04" // servers without a toolset
	betaTaskBudgets         = "task-budgets-2026-03-13"
	betaFastMode            = "fast-mode-2026-02-01"
	betaAdvisor             = "advisor-tool-2026-03-01"
	betaToolChanges         = "inline-tools-2026-09-15"
	betaMessageEffort       = "mid-conversation-output-config-2026-07-01"
	betaClearAt             = "mid-conversation-system-clear-at-2026-08-21"
	betaBlockBinding        = "thinking-binding-controls-2026-08-01"
	betaDisplayUpdates      = "thinking-display-updates-2026-08-18"
	betaThreads             = "message-threads-2026-08-12"
	betaFallbacks           = "server-side-fallback-2026-07-01"
	betaFallbackList        = "server-side-fallback-2026-06-01" // fallbacks as a list
	betaFallbackCredit      = "fallback-credit-2026-07-01"
	betaFallbackCreditText  = "fallback-credit-2026-06-01" // the token as a string
	betaComputer2025Nov     = "computer-use-2025-11-24"
	betaComputer2025Jan     = "computer-use-2025-01-24"
	betaComputer2024        = "computer-use-2024-10-22"
	betaOutputFormat        = "structured-outputs-2025-11-13"
)

// A betaSet gathers values in the order in which they are first needed.
type betaSet []string

func (s *betaSet) add(value string, needed bool) {
	if needed && !slices.Contains(*s, value) {
		*s = append(*s, value)
	}
}

// addUnless is add where older generations of the value do as well: what the
// caller gave of them is enough, and says how the service is to read the request.
func (s *betaSet) addUnless(value string, needed bool, older ...string) {
	s.add(value, needed && !slices.ContainsFunc(*s, func(b string) bool { return slices.Contains(older, b) }))
}

// NeededBetas returns the values of the anthropic-beta header for the request: its
// Betas, and those that its parameters, tools and messages need. As messages are never
// removed, a value that a conversation once needed stays.
//
// It doesn't look at messages that a thread holds: a request that continues a thread
// has in Betas what its first request needed.
//
// It allocates only if the request uses a beta.
func NeededBetas(r *transport.Request) []string {
	var s betaSet
	for _, b := range r.Betas {
		s.add(b, b != "")
	}
	parameterBetas(&s, r)
	for i := range r.Tools {
		toolBetas(&s, r.Tools[i].Raw())
	}
	held := 0
	if t := r.Thread; t != nil && t.PreviousMessageID != "" {
		held = max(0, min(t.Held, len(r.Messages)))
	}
	for i := range r.Messages[held:] {
		m := &r.Messages[held+i]
		s.add(betaClearAt, m.ClearAt != "")
		s.add(betaMessageEffort, len(m.OutputConfig) > 0)
		for j := range m.Content {
			blockBetas(&s, &m.Content[j])
		}
	}
	return s
}

func parameterBetas(s *betaSet, r *transport.Request) {
	if len(r.ContextManagement) > 0 {
		for edit := range rawjson.Elements(rawjson.Get(r.ContextManagement, "edits")) {
			compacts := strings.HasPrefix(rawjson.GetString(edit, "type"), "compact_")
			s.add(betaThresholdCompaction, compacts)
			s.add(betaContextManagement, !compacts)
		}
	}
	s.add(betaCompaction, len(r.Compaction) > 0)
	s.add(betaMCPServers, configuresOldServers(r))
	s.addUnless(betaMCP, len(r.MCPServers) > 0, betaMCPToolsets, betaMCPServers)
	s.add(betaThreads, r.Thread != nil)
	if f := rawjson.Trim(r.Fallbacks); len(f) > 0 {
		if f[0] == '[' {
			s.addUnless(betaFallbacks, true, betaFallbackList)
		} else {
			s.add(betaFallbacks, true)
		}
	}
	s.add(betaFastMode, r.Speed == "fast")
	if o := r.OutputConfig; o != nil {
		s.add(betaTaskBudgets, len(o.TaskBudget) > 0)
	}
	if t := r.Thinking; t != nil {
		s.add(betaBlockBinding, t.BlockBinding != nil)
		s.add(betaDisplayUpdates, t.Display == "updates")
	}
	if token := rawjson.Trim(r.Extra["fallback_credit_token"]); len(token) > 0 {
		if token[0] == '"' {
			s.addUnless(betaFallbackCredit, true, betaFallbackCreditText)
		} else {
			s.add(betaFallbackCredit, true)
		}
	}
	s.add(betaOutputFormat, len(r.Extra["output_format"]) > 0)
}

// configuresOldServers reports whether an MCP server has a tool_configuration in the
// place of a toolset: only the oldest generation takes that.
func configuresOldServers(r *transport.Request) bool {
	for server := range rawjson.Elements(r.MCPServers) {
		if !rawjson.IsNull(rawjson.Get(server, "tool_configuration")) {
			return !slices.ContainsFunc(r.Tools, func(t transport.ToolDefinition) bool { return t.Type() == "mcp_toolset" })
		}
	}
	return false
}

// toolBetas looks at a tool definition. Custom tools, nearly all, have no type
// of the service's and are passed over at once.
func toolBetas(s *betaSet, raw []byte) {
	typ := rawjson.Inner(rawjson.Get(raw, "type"))
	switch {
	case len(typ) == 0 || string(typ) == "custom":
	case string(typ) == "mcp_toolset":
		s.addUnless(betaMCP, true, betaMCPToolsets)
	case bytes.HasPrefix(typ, []byte("advisor_")):
		s.add(betaAdvisor, true)
	case string(typ) == "computer_20251124":
		s.add(betaComputer2025Nov, true)
	case string(typ) == "computer_20250124":
		s.add(betaComputer2025Jan, true)
	case bytes.HasSuffix(typ, []byte("_20241022")):
		s.add(betaComputer2024, true)
	}
}

func blockBetas(s *betaSet, b *transport.Block) {
	switch b.Type() {
	case blocktype.MCPToolUse, blocktype.MCPToolResult:
		s.addUnless(betaMCP, true, betaMCPToolsets, betaMCPServers)
	case blocktype.MCPToolListing:
		s.add(betaMCP, true)
	case blocktype.ToolAddition, blocktype.ToolRemoval:
		s.add(betaToolChanges, true)
		if tool := rawjson.Get(b.Raw(), "tool"); bytes.HasPrefix(rawjson.Inner(rawjson.Get(tool, "type")), []byte("mcp_")) {
			s.addUnless(betaMCP, true, betaMCPToolsets, betaMCPServers)
		} else {
			toolBetas(s, rawjson.Get(tool, "definition"))
		}
	case blocktype.Compaction:
		signed := !rawjson.IsNull(rawjson.Get(b.Raw(), "signature"))
		s.add(betaCompaction, signed)
		s.add(betaThresholdCompaction, !signed)
	case blocktype.Fallback:
		s.addUnless(betaFallbacks, true, betaFallbackList)
	case blocktype.AdvisorToolResult:
		s.add(betaAdvisor, true)
	case blocktype.ServerToolUse:
		s.add(betaAdvisor, string(rawjson.Inner(rawjson.Get(b.Raw(), "name"))) == "advisor")
	}
}
