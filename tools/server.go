package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ServerOptions are what all server tools have in common.
type ServerOptions struct {
	// AllowedCallers lists who may call: "direct" and versions of code execution. Nil
	// leaves it to the service: direct, but code execution for the web tools from
	// version 20260209 on.
	AllowedCallers []string
	// DeferLoading hides the tool until a tool search finds it.
	DeferLoading bool
	// Strict constrains the arguments that the model writes.
	Strict bool
	// CacheControl puts a breakpoint after the tool. The agent places breakpoints
	// itself, so leave it nil unless you know better.
	CacheControl *transport.CacheControl
}

func (o ServerOptions) write(w *objectWriter) {
	w.value("allowed_callers", o.AllowedCallers, len(o.AllowedCallers) > 0)
	w.flag("defer_loading", o.DeferLoading)
	w.flag("strict", o.Strict)
	w.cacheControl(o.CacheControl)
}

// WebSearch lets the model search the web, at the provider. The zero value is
// fit for use.
type WebSearch struct {
	ServerOptions

	// Version is the tool's date. Empty means "20250305", which every model takes
	// and which works without code execution. From "20260209" on the results are
	// filtered by code, on models that can; with AllowedCallers "direct" they are not.
	Version string
	// MaxUses is the most searches in one request; 0 sets no limit.
	MaxUses int
	// AllowedDomains or BlockedDomains narrow the search; not both.
	AllowedDomains, BlockedDomains []string
	// UserLocation makes results local; nil for none.
	UserLocation *UserLocation
	// ResponseInclusion "excluded" leaves out of the response what code has used up.
	// From version 20260318 on.
	ResponseInclusion string
}

// UserLocation is roughly where the user is. Fields may be empty.
type UserLocation struct {
	City     string `json:"city,omitempty"`
	Region   string `json:"region,omitempty"`
	Country  string `json:"country,omitempty"`  // two letters, ISO 3166-1
	Timezone string `json:"timezone,omitempty"` // IANA, "Europe/Berlin"
}

// Definition returns the tool's entry in a request's "tools".
func (s WebSearch) Definition() (transport.ToolDefinition, error) {
	var w objectWriter
	version, err := writeDated(&w, "web_search", s.Version, "20250305", []string{"20250305", "20260209", "20260318"})
	w.number("max_uses", s.MaxUses)
	w.domains(s.AllowedDomains, s.BlockedDomains)
	if l := s.UserLocation; l != nil {
		if l.Country != "" && len(l.Country) != 2 {
			w.fail(`UserLocation.Country %q must have two letters, such as "DE"`, l.Country)
		}
		w.value("user_location", struct {
			Type string `json:"type"`
			UserLocation
		}{"approximate", *l}, true)
	}
	w.inclusion(s.ResponseInclusion, version)
	s.write(&w)
	return w.named("web_search", err)
}

// WebFetch lets the model read pages and PDFs of the web, at the provider. It
// fetches only URLs that are in the conversation already. The zero value is fit
// for use.
type WebFetch struct {
	ServerOptions

	// Version is the tool's date. Empty means "20250910", which every model takes
	// and which works without code execution; see [WebSearch].
	Version string
	// MaxUses is the most fetches in one request; 0 sets no limit.
	MaxUses int
	// AllowedDomains or BlockedDomains narrow what may be fetched; not both.
	AllowedDomains, BlockedDomains []string
	// MaxContentTokens cuts a page, roughly; 0 sets no limit.
	MaxContentTokens int
	// Citations lets the model cite the pages.
	Citations bool
	// UseCache false asks for a fresh copy. Nil leaves it to the service. From
	// version 20260309 on.
	UseCache *bool
	// ResponseInclusion "excluded" leaves out of the response what code has used up.
	// From version 20260318 on.
	ResponseInclusion string
	// URLSources narrows where a URL may come from; nil for anywhere.
	URLSources *URLSources
}

// URLSources specifies which parts of the conversation the URLs to fetch may come
// from. A zero part is left to the service.
type URLSources struct {
	UserInput         string     // "all" or "none"
	ClientToolResults URLsOfTool // of the tools that run here
	ServerToolResults URLsOfTool // of the tools that run at the provider
}

// URLsOfTool picks tools by name.
type URLsOfTool struct {
	Type  string   // "all", "none", "only" or "except"; empty leaves it to the service
	Tools []string // for "only" and "except"
}

// Definition returns the tool's entry in a request's "tools".
func (f WebFetch) Definition() (transport.ToolDefinition, error) {
	var w objectWriter
	version, err := writeDated(&w, "web_fetch", f.Version, "20250910", []string{"20250910", "20260209", "20260309", "20260318"})
	w.number("max_uses", f.MaxUses)
	w.domains(f.AllowedDomains, f.BlockedDomains)
	w.number("max_content_tokens", f.MaxContentTokens)
	if f.Citations {
		w.raw("citations", []byte(`{"enabled":true}`))
	}
	if f.UseCache != nil {
		if version < "20260309" {
			w.fail("UseCache needs Version 20260309 or later, not %s", version)
		}
		w.value("use_cache", *f.UseCache, true)
	}
	w.inclusion(f.ResponseInclusion, version)
	w.raw("url_sources", f.URLSources.json(&w))
	f.write(&w)
	return w.named("web_fetch", err)
}

func (u *URLSources) json(outer *objectWriter) []byte {
	if u == nil {
		return nil
	}
	var w objectWriter
	if u.UserInput != "" {
		w.raw("user_input", append(rawjson.AppendString([]byte(`{"type":`), u.UserInput), '}'))
	}
	for _, part := range []struct {
		name string
		urls URLsOfTool
	}{{"client_tool_results", u.ClientToolResults}, {"server_tool_results", u.ServerToolResults}} {
		if part.urls.Type == "" {
			continue
		}
		if listed := part.urls.Type == "only" || part.urls.Type == "except"; listed != (len(part.urls.Tools) > 0) {
			outer.fail(`URLSources: Tools go with the types "only" and "except", and with no other`)
		}
		type reference struct {
			Type string `json:"type"`
			Name string `json:"name"`
		}
		var tools []reference
		for _, name := range part.urls.Tools {
			tools = append(tools, reference{"tool_reference", name})
		}
		w.value(part.name, struct {
			Type  string      `json:"type"`
			Tools []reference `json:"tools,omitempty"`
		}{part.urls.Type, tools}, true)
	}
	if len(w.out) == 0 {
		return nil
	}
	return append(w.out, '}')
}

// CodeExecution lets the model run code in a container at the provider.
type CodeExecution struct {
	ServerOptions
	// Version is the tool's date. Empty means "20250825": bash and files. From
	// "20260120" on, code can call the tools that allow it.
	Version string
}

// Definition returns the tool's entry in a request's "tools".
func (c CodeExecution) Definition() (transport.ToolDefinition, error) {
	var w objectWriter
	_, err := writeDated(&w, "code_execution", c.Version, "20250825", []string{"20250522", "20250825", "20260120", "20260521"})
	c.write(&w)
	return w.named("code_execution", err)
}

// ToolSearch lets the model find tools that have DeferLoading. At least one tool
// of a request must not be deferred.
type ToolSearch struct {
	ServerOptions
	// By is "regex" (also if empty) or "bm25", which searches by words.
	By string
}

// Definition returns the tool's entry in a request's "tools".
func (s ToolSearch) Definition() (transport.ToolDefinition, error) {
	var w objectWriter
	by := s.By
	if by == "" {
		by = "regex"
	}
	if by != "regex" && by != "bm25" {
		w.fail(`By is %q; it must be "regex" or "bm25"`, by)
	}
	w.text("type", "tool_search_tool_"+by+"_20251119")
	w.text("name", "tool_search_tool_"+by)
	s.write(&w)
	return w.named("tool_search", nil)
}

// Advisor lets the model ask a stronger one for advice. Beta.
type Advisor struct {
	ServerOptions
	Model     string // required
	MaxUses   int    // the most questions in one request; 0 sets no limit
	MaxTokens int    // of an answer; at least 1024, or 0 for the service's limit
	Caching   *transport.CacheControl
}

// Definition returns the tool's entry in a request's "tools".
func (a Advisor) Definition() (transport.ToolDefinition, error) {
	var w objectWriter
	w.text("type", "advisor_20260301")
	w.text("name", "advisor")
	if a.Model == "" {
		w.fail("Model is empty; name the model to ask")
	}
	w.text("model", a.Model)
	w.number("max_uses", a.MaxUses)
	if a.MaxTokens != 0 && a.MaxTokens < 1024 {
		w.fail("MaxTokens must be at least 1024")
	}
	w.number("max_tokens", a.MaxTokens)
	w.raw("caching", cacheControlJSON(a.Caching))
	a.write(&w)
	return w.named("advisor", nil)
}

// MCPToolset offers the model the tools of an MCP server that the service
// connects to; the request names it in mcp_servers. Beta.
type MCPToolset struct {
	Server  string         // the server's name in mcp_servers; required
	Default *MCPToolConfig // for tools without one of their own
	// Tools are the settings of single tools. They are written in the order of names.
	Tools        map[string]MCPToolConfig
	CacheControl *transport.CacheControl
}

// MCPToolConfig specifies whether a tool is offered. Nil leaves it to the service.
type MCPToolConfig struct {
	Enabled      *bool `json:"enabled,omitempty"`
	DeferLoading *bool `json:"defer_loading,omitempty"`
}

// Definition returns the toolset's entry in a request's "tools".
func (m MCPToolset) Definition() (transport.ToolDefinition, error) {
	var w objectWriter
	w.text("type", "mcp_toolset")
	if m.Server == "" {
		w.fail("Server is empty; name a server of mcp_servers")
	}
	w.text("mcp_server_name", m.Server)
	w.value("default_config", m.Default, m.Default != nil)
	w.value("configs", m.Tools, len(m.Tools) > 0)
	w.cacheControl(m.CacheControl)
	return w.named("mcp_toolset", nil)
}

// Server is any other tool that runs at the provider, or a toolset, as its entry
// in a request's "tools" says: a JSON object with a "type".
type Server struct {
	Raw json.RawMessage
}

// Definition returns the entry as it was given.
func (s Server) Definition() (transport.ToolDefinition, error) {
	def, err := transport.ParseToolDefinition(s.Raw)
	if err == nil && (def.Type() == "" || def.Type() == "custom") {
		err = errors.New(`it needs a "type" of the service's own; use Func or Raw for a tool that runs here`)
	}
	if err != nil {
		return transport.ToolDefinition{}, fmt.Errorf("server tool: %w", err)
	}
	return def, nil
}

// writeDated writes type and name, and returns the version in use.
func writeDated(w *objectWriter, name, version, standard string, known []string) (string, error) {
	if version == "" {
		version = standard
	}
	version = strings.TrimPrefix(version, name+"_")
	w.text("type", name+"_"+version)
	w.text("name", name)
	if len(version) != 8 || strings.Trim(version, "0123456789") != "" {
		return version, fmt.Errorf("version %q is not a date; known are %s", version, strings.Join(known, ", "))
	}
	if version < known[len(known)-1] && !slices.Contains(known, version) {
		return version, fmt.Errorf("there is no version %q; known are %s", version, strings.Join(known, ", "))
	}
	return version, nil // a later one than this package knows passes
}

func (w *objectWriter) domains(allowed, blocked []string) {
	if len(allowed) > 0 && len(blocked) > 0 {
		w.fail("AllowedDomains and BlockedDomains exclude each other")
	}
	for _, d := range slices.Concat(allowed, blocked) {
		if strings.Contains(d, "://") || strings.TrimSpace(d) == "" {
			w.fail("domain %q: give it without a scheme, for instance example.com/docs", d)
		}
	}
	w.value("allowed_domains", allowed, len(allowed) > 0)
	w.value("blocked_domains", blocked, len(blocked) > 0)
}

func (w *objectWriter) inclusion(value, version string) {
	switch {
	case value == "":
	case value != "full" && value != "excluded":
		w.fail(`ResponseInclusion is %q; it must be "full" or "excluded"`, value)
	case version < "20260318":
		w.fail("ResponseInclusion needs Version 20260318 or later, not %s", version)
	}
	w.text("response_inclusion", value)
}

// named is definition with the tool's name in the error.
func (w *objectWriter) named(name string, err error) (transport.ToolDefinition, error) {
	def, writeErr := w.definition()
	if err == nil {
		err = writeErr
	}
	if err != nil {
		return transport.ToolDefinition{}, fmt.Errorf("tool %q: %w", name, err)
	}
	return def, nil
}
