package simulator

import (
	"net/http"
	"strings"
)

// betas are the values of a request's anthropic-beta header.
type betas struct {
	list []string
	hash uint64 // of the set of them
}

func (b betas) has(name string) bool {
	for _, v := range b.list {
		if v == name {
			return true
		}
	}
	return false
}

// readBetas reads the header and refuses values that the service doesn't know
// (reference row 5).
func readBetas(h http.Header) (betas, *Refusal) {
	var b betas
	var unknown []string
	for _, line := range h.Values("Anthropic-Beta") {
		for v := range strings.SplitSeq(line, ",") {
			v = strings.TrimSpace(v)
			if v == "" {
				continue
			}
			if !knownBetas[v] {
				unknown = append(unknown, "`"+v+"`")
				continue
			}
			if !b.has(v) {
				b.list = append(b.list, v)
				b.hash ^= hashString(seedKey, v)
			}
		}
	}
	if unknown != nil {
		return b, refuse("Unexpected value(s) %s for the `anthropic-beta` header. "+
			"Please consult our documentation at platform.claude.com/docs or try again without the header.", strings.Join(unknown, ", "))
	}
	return b, nil
}

// knownBetas are the values of reference §1.3 and late 2026 §0, with those of
// features that need none any more.
var knownBetas = func() map[string]bool {
	m := map[string]bool{}
	for v := range strings.FieldsSeq(`
		interleaved-thinking-2025-05-14 context-management-2025-06-27 compact-2026-01-12 compact-2026-09-04
		mcp-client-2025-04-04 mcp-client-2025-11-20 mcp-client-2026-09-15 task-budgets-2026-03-13
		fast-mode-2026-02-01 advisor-tool-2026-03-01 mid-conversation-tool-changes-2026-07-01
		inline-tools-2026-09-15 mid-conversation-output-config-2026-07-01
		mid-conversation-system-clear-at-2026-08-21 thinking-binding-controls-2026-08-01
		thinking-display-updates-2026-08-18 thinking-token-count-2026-05-13
		server-side-fallback-2026-06-01 server-side-fallback-2026-07-01
		fallback-credit-2026-06-01 fallback-credit-2026-07-01 cache-diagnosis-2026-04-07
		computer-use-2024-10-22 computer-use-2025-01-24 computer-use-2025-11-24
		output-300k-2026-03-24 context-1m-2025-08-07 files-api-2025-04-14 skills-2025-10-02
		extended-cache-ttl-2025-04-11 prompt-caching-2024-07-31 token-counting-2024-11-01
		message-batches-2024-09-24 pdfs-2024-09-25 token-efficient-tools-2025-02-19
		output-128k-2025-02-19 fine-grained-tool-streaming-2025-05-14 structured-outputs-2025-11-13
		structured-outputs-2025-12-15 web-fetch-2025-09-10 code-execution-2025-05-22
		code-execution-2025-08-25 model-context-window-exceeded-2025-08-26 dev-full-thinking-2025-05-14
		managed-agents-2026-04-01 agent-memory-2026-07-22 mcp-tunnels-2026-06-22 dreaming-2026-04-21
		user-profiles-2026-03-24 user-profiles-2026-08-18 user-profiles-2026-09-04
		oauth-2025-04-20 oidc-federation-2026-04-01 advanced-tool-use-2025-11-20
		max-tokens-3-5-sonnet-2024-07-15 claude-code-20250219 effort-2025-11-24
		telemetry-destinations-2026-08-11 webhooks-2026-10-07 spend-limit-reads-2026-09-26
		ce-plugins-2026-09-01 ce-user-management-2026-07-13
		message-threads-2026-08-12 admin-user-sign-out-2026-10-08 analytics-usage-cost-2026-08-24
		experimental-claude-tag-2026-10-21 user-profiles-billing-2026-10-01 ce-claude-code-managed-settings-2026-10-06
		tools-2024-04-04 tools-2024-05-16 prompt-caching-scope-2026-01-05 tool-search-tool-regex-20251119`) {
		m[v] = true
	}
	return m
}()
