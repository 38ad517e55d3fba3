package simulator

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// serverToolOf names the family of a tool that runs at the service, by the type
// of its definition; "" for tools that the client runs.
func serverToolOf(typ string) string {
	for _, name := range []string{"web_search", "web_fetch", "code_execution", "tool_search_tool_regex", "tool_search_tool_bm25", "advisor", "mcp_toolset"} {
		if typ == name || strings.HasPrefix(typ, name+"_20") {
			return name
		}
	}
	return ""
}

// serverResult carries out a server call and makes its result block.
func (s *Server) serverResult(a *answer, call *block) []byte {
	input := rawjson.Get(call.raw, "input")
	var content []byte
	resultType := resultTypeOf(call)
	switch {
	case a.r.serverTool(call.name) == nil && call.typ == transport.TypeServerToolUse:
		content = toolError(resultType, "unavailable")
	case call.name == "web_search":
		a.web.searches++
		content = s.webSearch(a, input)
	case call.name == "web_fetch":
		a.web.fetches++
		content = s.webFetch(a, input)
	case call.typ == transport.TypeMCPToolUse:
		return []byte(`{"type":"mcp_tool_result","tool_use_id":` + quote(call.id) + `,"is_error":true,"content":[{"type":"text","text":"The MCP server can't be reached from the simulator."}]}`)
	case strings.HasPrefix(call.name, "tool_search_tool"):
		content = a.r.toolSearch(input)
	default:
		content = toolError(resultType, "unavailable")
	}
	b := []byte(`{"type":` + quote(resultType) + `,"tool_use_id":` + quote(call.id) + `,"content":`)
	b = append(b, content...)
	return append(b, `,"caller":{"type":"direct"}}`...)
}

// serverTool finds the tool definition that lets the model call name.
func (r *request) serverTool(name string) *tool {
	if r.tools == nil {
		return nil
	}
	if strings.HasSuffix(name, "code_execution") {
		name = "code_execution"
	}
	for i := range r.tools.tools {
		if serverToolOf(r.tools.tools[i].typ) == name {
			return &r.tools.tools[i]
		}
	}
	return nil
}

func quote(s string) string { return string(rawjson.AppendString(nil, s)) }

func toolError(resultType, code string) []byte {
	return []byte(`{"type":` + quote(resultType+"_error") + `,"error_code":` + quote(code) + `}`)
}

// webLimits are the members of a web tool's definition that limit it.
type webLimits struct {
	MaxUses          int      `json:"max_uses"`
	AllowedDomains   []string `json:"allowed_domains"`
	BlockedDomains   []string `json:"blocked_domains"`
	MaxContentTokens int      `json:"max_content_tokens"`
	Citations        struct {
		Enabled bool `json:"enabled"`
	} `json:"citations"`
}

func (t *tool) limits() webLimits {
	var l webLimits
	json.Unmarshal(t.raw, &l)
	return l
}

// allows applies the domain filters to a URL.
func (l webLimits) allows(url string) bool {
	within := func(domains []string) bool {
		_, rest, _ := strings.Cut(url, "://")
		for _, d := range domains {
			d = strings.TrimSuffix(d, "/")
			host, _, _ := strings.Cut(rest, "/")
			dHost, dPath, _ := strings.Cut(d, "/")
			if (host == dHost || strings.HasSuffix(host, "."+dHost)) && strings.HasPrefix(strings.TrimPrefix(rest, host+"/"), dPath) {
				return true
			}
		}
		return false
	}
	if len(l.AllowedDomains) > 0 {
		return within(l.AllowedDomains)
	}
	return !within(l.BlockedDomains)
}

// webSearch makes the content of a web_search_tool_result (reference §3.3): a
// list of results, or an error.
func (s *Server) webSearch(a *answer, input []byte) []byte {
	fail := func(code string) []byte { return toolError(transport.TypeWebSearchToolResult, code) }
	query := rawjson.GetString(input, "query")
	limits := a.r.serverTool("web_search").limits()
	switch {
	case strings.TrimSpace(query) == "":
		return fail("invalid_tool_input")
	case len(query) > 1000:
		return fail("query_too_long")
	case limits.MaxUses > 0 && a.web.searches > limits.MaxUses:
		return fail("max_uses_exceeded")
	case s.pages == nil:
		return fail("unavailable")
	}
	b := []byte{'['}
	found := 0
	for _, p := range s.pages.search(query) {
		if !limits.allows(p.url) {
			continue
		}
		if found++; found > 10 {
			break
		}
		if found > 1 {
			b = append(b, ',')
		}
		b = append(b, `{"type":"web_search_result","title":`...)
		b = rawjson.AppendString(b, p.title)
		b = append(b, `,"url":`...)
		b = rawjson.AppendString(b, p.url)
		b = append(b, `,"encrypted_content":`...)
		b = rawjson.AppendString(b, s.sealer.seal(kindPage, []byte(p.text)))
		b = append(b, `,"page_age":null}`...)
	}
	return append(b, ']')
}

// webFetch makes the content of a web_fetch_tool_result: a document, or an error.
func (s *Server) webFetch(a *answer, input []byte) []byte {
	fail := func(code string) []byte { return toolError(transport.TypeWebFetchToolResult, code) }
	url := rawjson.GetString(input, "url")
	limits := a.r.serverTool("web_fetch").limits()
	switch {
	case !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://"):
		return fail("invalid_tool_input")
	case len(url) > 250:
		return fail("url_too_long")
	case limits.MaxUses > 0 && a.web.fetches > limits.MaxUses:
		return fail("max_uses_exceeded")
	case !limits.allows(url):
		return fail("url_not_allowed")
	case !a.mentions(url):
		return fail("url_not_in_prior_context")
	}
	p, code := s.pages.fetch(a.ctx, url)
	if code != "" {
		return fail(code)
	}
	text := p.text
	if limits.MaxContentTokens > 0 {
		text = cutText(text, 4*limits.MaxContentTokens)
	}
	b := []byte(`{"type":"web_fetch_result","url":` + quote(url) + `,"retrieved_at":` + quote(s.now().UTC().Format(time.RFC3339)))
	b = append(b, `,"content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":`...)
	b = rawjson.AppendString(b, text)
	b = append(b, `},"title":`...)
	b = rawjson.AppendString(b, p.title)
	b = append(b, `,"citations":{"enabled":`...)
	b = strconv.AppendBool(b, limits.Citations.Enabled)
	return append(b, `}}}`...)
}

// mentions reports whether the URL has occurred in the conversation, other than
// in what the model itself wrote.
func (a *answer) mentions(url string) bool {
	quoted := string(rawjson.Inner(rawjson.AppendString(nil, url)))
	for _, m := range a.turn.Messages {
		for _, b := range m.Content {
			own := m.Role == transport.RoleAssistant && !strings.HasSuffix(b.Type(), "_tool_result")
			if !own && strings.Contains(string(b.Raw()), quoted) {
				return true
			}
		}
	}
	for _, b := range a.content {
		if strings.HasSuffix(b.Type(), "_tool_result") && strings.Contains(string(b.Raw()), quoted) {
			return true
		}
	}
	return false
}

// toolSearch finds deferred tools whose name or description has the words of
// the query.
func (r *request) toolSearch(input []byte) []byte {
	query := rawjson.GetString(input, "query")
	if query == "" {
		query = rawjson.GetString(input, "pattern")
	}
	b := []byte(`{"type":"tool_search_tool_search_result","tool_references":[`)
	found := 0
	for i := range r.tools.tools {
		t := &r.tools.tools[i]
		if !t.deferred || !matches(t.name+" "+rawjson.GetString(t.raw, "description"), query) {
			continue
		}
		if found++; found > 5 {
			break
		}
		if found > 1 {
			b = append(b, ',')
		}
		b = append(b, `{"type":"tool_reference","tool_name":`+quote(t.name)+`}`...)
	}
	return append(b, "]}"...)
}

// matches reports whether text has any word of the query.
func matches(text, query string) bool {
	text = strings.ToLower(text)
	for w := range words(query) {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// citation makes the JSON of a citation.
func (s *Server) citation(r *request, c Citation) []byte {
	cited := c.CitedText
	b := []byte(`{"type":`)
	typ := c.Type
	if typ == "" {
		typ = "web_search_result_location"
	}
	b = rawjson.AppendString(b, typ)
	number := func(key string, n int) { b = append(b, `,"`+key+`":`+strconv.Itoa(n)...) }
	text := func(key, v string) { b = append(b, `,"`+key+`":`+quote(v)...) }
	switch typ {
	case "web_search_result_location":
		text("cited_text", cutText(cited, 150))
		text("url", c.URL)
		text("title", c.Title)
		text("encrypted_index", s.sealer.seal(kindIndex, []byte(c.URL+"\n"+cited)))
	case "search_result_location":
		text("cited_text", cited)
		text("source", c.URL)
		text("title", c.Title)
		number("search_result_index", c.Document)
		number("start_block_index", c.Start)
		number("end_block_index", c.End)
	default:
		unit := map[string]string{"char_location": "char_index", "page_location": "page_number", "content_block_location": "block_index"}[typ]
		text("cited_text", cited)
		number("document_index", c.Document)
		text("document_title", c.Title)
		number("start_"+unit, c.Start)
		number("end_"+unit, c.End)
	}
	return append(b, '}')
}
