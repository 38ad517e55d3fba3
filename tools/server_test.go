package tools_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

type wireTest struct {
	name string
	tool tools.Tool
	want string
}

func serverTools() []wireTest {
	no := false
	return []wireTest{
		{"search", tools.WebSearch{}, `{"type":"web_search_20250305","name":"web_search"}`},
		{"search with all", tools.WebSearch{Version: "20260318", MaxUses: 3, AllowedDomains: []string{"go.dev"},
			UserLocation:      &tools.UserLocation{City: "Köln", Country: "DE", Timezone: "Europe/Berlin"},
			ResponseInclusion: "excluded", ServerOptions: tools.ServerOptions{AllowedCallers: []string{"direct"}, CacheControl: &transport.CacheControl{}}},
			`{"type":"web_search_20260318","name":"web_search","max_uses":3,"allowed_domains":["go.dev"],"user_location":{"type":"approximate","city":"Köln","country":"DE","timezone":"Europe/Berlin"},"response_inclusion":"excluded","allowed_callers":["direct"],"cache_control":{"type":"ephemeral"}}`},
		{"search of the future", tools.WebSearch{Version: "20270101"}, `{"type":"web_search_20270101","name":"web_search"}`},
		{"fetch", tools.WebFetch{}, `{"type":"web_fetch_20250910","name":"web_fetch"}`},
		{"fetch with all", tools.WebFetch{Version: "web_fetch_20260318", BlockedDomains: []string{"x.example"}, MaxContentTokens: 9, Citations: true, UseCache: &no,
			URLSources: &tools.URLSources{UserInput: "none", ClientToolResults: tools.URLsOfTool{Type: "only", Tools: []string{"lookup"}}}},
			`{"type":"web_fetch_20260318","name":"web_fetch","blocked_domains":["x.example"],"max_content_tokens":9,"citations":{"enabled":true},"use_cache":false,"url_sources":{"user_input":{"type":"none"},"client_tool_results":{"type":"only","tools":[{"type":"tool_reference","name":"lookup"}]}}}`},
		{"code", tools.CodeExecution{}, `{"type":"code_execution_20250825","name":"code_execution"}`},
		{"tool search", tools.ToolSearch{By: "bm25"}, `{"type":"tool_search_tool_bm25_20251119","name":"tool_search_tool_bm25"}`},
		{"advisor", tools.Advisor{Model: "claude-opus-5-5", MaxTokens: 2048, Caching: &transport.CacheControl{TTL: transport.TTL5m}},
			`{"type":"advisor_20260301","name":"advisor","model":"claude-opus-5-5","max_tokens":2048,"caching":{"type":"ephemeral","ttl":"5m"}}`},
		{"mcp", tools.MCPToolset{Server: "docs", Default: &tools.MCPToolConfig{Enabled: &no}, Tools: map[string]tools.MCPToolConfig{"b": {}, "a": {DeferLoading: &no}}},
			`{"type":"mcp_toolset","mcp_server_name":"docs","default_config":{"enabled":false},"configs":{"a":{"defer_loading":false},"b":{}}}`},
		{"search within the most uses", tools.WebSearch{UserLocation: &tools.UserLocation{City: "Bonn"}, ServerOptions: tools.ServerOptions{DeferLoading: true}},
			`{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","city":"Bonn"},"defer_loading":true}`},
		{"strict search", tools.WebSearch{ServerOptions: tools.ServerOptions{Strict: true}}, `{"type":"web_search_20250305","name":"web_search","strict":true}`},
		{"fetch of the first version with a cache", tools.WebFetch{Version: "20260309", UseCache: &no}, `{"type":"web_fetch_20260309","name":"web_fetch","use_cache":false}`},
		{"fetch by all and from all but", tools.WebFetch{URLSources: &tools.URLSources{ClientToolResults: tools.URLsOfTool{Type: "all"}, ServerToolResults: tools.URLsOfTool{Type: "except", Tools: []string{"a", "b"}}}},
			`{"type":"web_fetch_20250910","name":"web_fetch","url_sources":{"client_tool_results":{"type":"all"},"server_tool_results":{"type":"except","tools":[{"type":"tool_reference","name":"a"},{"type":"tool_reference","name":"b"}]}}}`},
		{"fetch from anywhere", tools.WebFetch{URLSources: &tools.URLSources{}}, `{"type":"web_fetch_20250910","name":"web_fetch"}`},
		{"search by full results", tools.WebSearch{Version: "20260318", ResponseInclusion: "full"}, `{"type":"web_search_20260318","name":"web_search","response_inclusion":"full"}`},
		{"standard tool search", tools.ToolSearch{ServerOptions: tools.ServerOptions{CacheControl: &transport.CacheControl{TTL: transport.TTL1h}}}, `{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex","cache_control":{"type":"ephemeral","ttl":"1h"}}`},
		{"advisor of the fewest tokens", tools.Advisor{Model: "m", MaxTokens: 1024, MaxUses: 1}, `{"type":"advisor_20260301","name":"advisor","model":"m","max_uses":1,"max_tokens":1024}`},
		{"mcp with a breakpoint", tools.MCPToolset{Server: "docs", CacheControl: &transport.CacheControl{}}, `{"type":"mcp_toolset","mcp_server_name":"docs","cache_control":{"type":"ephemeral"}}`},
		{"raw", tools.Server{Raw: json.RawMessage(`{"type":"computer_toolset_20260801", "configs":{}}`)}, `{"type":"computer_toolset_20260801", "configs":{}}`},
	}
}

func TestServerToolsOnTheWire(t *testing.T) {
	for _, test := range serverTools() {
		t.Run(test.name, func(t *testing.T) {
			def, err := test.tool.Definition()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(def.Raw()); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if _, runs := test.tool.(tools.Callable); runs {
				t.Error("a server tool must not be callable here")
			}
		})
	}
}

func TestServerToolMistakes(t *testing.T) {
	yes := true
	tests := []struct {
		tool tools.Tool
		want string
	}{
		{tools.WebSearch{AllowedDomains: []string{"a"}, BlockedDomains: []string{"b"}}, `tool "web_search": AllowedDomains and BlockedDomains exclude each other`},
		{tools.WebSearch{AllowedDomains: []string{"https://go.dev"}}, "without a scheme"},
		{tools.WebSearch{MaxUses: -1}, "max_uses must not be negative"},
		{tools.WebSearch{Version: "latest"}, "not a date"},
		{tools.WebSearch{Version: "20250101"}, "there is no version"},
		{tools.WebSearch{ResponseInclusion: "excluded"}, "needs Version 20260318"},
		{tools.WebSearch{UserLocation: &tools.UserLocation{Country: "Germany"}}, "two letters"},
		{tools.WebFetch{UseCache: &yes}, "needs Version 20260309"},
		{tools.WebFetch{UseCache: &yes, Version: "20260209"}, "needs Version 20260309 or later, not 20260209"},
		{tools.WebFetch{ResponseInclusion: "excluded", Version: "20260309"}, "needs Version 20260318 or later, not 20260309"},
		{tools.WebSearch{ResponseInclusion: "some", Version: "20260318"}, `it must be "full" or "excluded"`},
		{tools.WebSearch{BlockedDomains: []string{" "}}, "without a scheme"},
		{tools.WebSearch{Version: "20260101"}, "there is no version"},
		{tools.WebSearch{Version: "202603181"}, "not a date"},
		{tools.WebFetch{MaxContentTokens: -1}, "max_content_tokens must not be negative"},
		{tools.WebFetch{URLSources: &tools.URLSources{ServerToolResults: tools.URLsOfTool{Type: "except"}}}, "only"},
		{tools.Advisor{Model: "m", MaxTokens: 1023}, "at least 1024"},
		{tools.Advisor{Model: "m", MaxTokens: -1}, "at least 1024"},
		{tools.WebFetch{URLSources: &tools.URLSources{ClientToolResults: tools.URLsOfTool{Type: "all", Tools: []string{"x"}}}}, "only"},
		{tools.ToolSearch{By: "magic"}, `must be "regex" or "bm25"`},
		{tools.Advisor{}, "Model is empty"},
		{tools.Advisor{Model: "m", MaxTokens: 5}, "at least 1024"},
		{tools.MCPToolset{}, "Server is empty"},
		{tools.Server{}, "not a JSON object"},
		{tools.Server{Raw: json.RawMessage(`{"name":"x"}`)}, "use Func or Raw"},
	}
	for _, test := range tests {
		_, err := test.tool.Definition()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error is %v, want one with %q", test.tool, err, test.want)
		}
	}
}
