package simulator

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// A claim is what a block says of another part of the request.
type claim struct {
	reference string // the name of a tool that has to be declared
	caller    string // the id of the call whose code made this one
	toolset   string // toolset_name
}

// readClaims notes what a block claims, and what is wrong with it by itself.
func (s *Server) readClaims(b *block) {
	switch b.typ {
	case transport.TypeToolUse, transport.TypeServerToolUse:
		caller := rawjson.Get(b.raw, "caller")
		b.claim.caller = rawjson.GetString(caller, "tool_id")
		b.claim.toolset = rawjson.GetString(b.raw, "toolset_name")
	case transport.TypeToolResult:
		b.claim.toolset = rawjson.GetString(b.raw, "toolset_name")
		content := rawjson.Get(b.raw, "content")
		isError := string(rawjson.Get(b.raw, "is_error")) == "true"
		n := 0
		for e := range rawjson.Elements(content) {
			n++
			switch typ := rawjson.GetString(e, "type"); {
			case isError && typ != string(transport.TypeText):
				b.problem = "%s.tool_result: all content must be type `text` if `is_error` is true"
			case typ == "tool_reference":
				b.claim.reference = rawjson.GetString(e, "tool_name")
			case typ == string(transport.TypeText) && string(rawjson.Inner(rawjson.Get(e, "text"))) == "":
				b.innerEmpty = true
			}
		}
		if b.claim.toolset != "" && b.problem == "" {
			b.problem = checkToolsetResult(b)
		}
		if n == 0 && len(content) > 0 && content[0] == '[' {
			b.problem = "%s.tool_result.content: List should have at least 1 item after validation, not 0"
		}
	case view.TypeWebSearchToolResult:
		for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
			if _, ok := s.sealer.open(kindPage, rawjson.GetString(e, "encrypted_content")); !ok && !s.opts.Foreign {
				b.problem = "%s: Invalid `encrypted_content` in `search_result` block"
			}
		}
	case transport.TypeText:
		for e := range rawjson.Elements(rawjson.Get(b.raw, "citations")) {
			index := rawjson.Get(e, "encrypted_index")
			if index == nil || s.opts.Foreign {
				continue
			}
			if _, ok := s.sealer.open(kindIndex, rawjson.Unquote(index)); !ok {
				b.problem = "%s: Invalid `encrypted_index` in `web_search_result_location` citation"
			}
		}
	}
}

// checkBlocks refuses blocks that are wrong by themselves, and those that claim
// what isn't so: rows 42 and 57 to 65 of docs/wire.md §7.
func (r *request) checkBlocks() *Refusal {
	if why := r.checkLateResults(); why != nil {
		return why
	}
	for i, m := range r.recent() {
		for j := range m.blocks {
			b := &m.blocks[j]
			if b.innerEmpty {
				return refuse("messages: text content blocks must be non-empty")
			}
			if b.problem != "" {
				path := "messages." + strconv.Itoa(i) + ".content." + strconv.Itoa(j)
				return refuse("%s", string(bytes.Replace([]byte(b.problem), []byte("%s"), []byte(path), 1)))
			}
			if b.claim == (claim{}) {
				continue
			}
			if why := r.checkClaim(i, j, b); why != nil {
				return why
			}
		}
	}
	return nil
}

func (r *request) checkClaim(i, j int, b *block) *Refusal {
	c := b.claim
	switch {
	case c.reference != "" && !r.declares(c.reference):
		return refuse("messages.%d.content.%d: Tool reference '%s' not found in available tools", i, j, c.reference)
	case c.caller != "" && !r.heldID(c.caller).serverCall && !r.anyFresh(func(o *block) bool { return o.isServerCall() && o.id == c.caller }):
		return refuse("messages.%d.content.%d.%s.caller: source tool '%s' not found", i, j, b.typ, c.caller)
	case b.typ == transport.TypeToolUse && c.toolset != "":
		held := r.heldID(b.id)
		if held.result || slices.ContainsFunc(held.toolResults, func(t string) bool { return t != c.toolset }) || r.anyFresh(func(o *block) bool {
			return o.typ == transport.TypeToolResult && o.id == b.id && o.claim.toolset != c.toolset
		}) {
			return notRepeated(i, j, c.toolset)
		}
	}
	return nil
}

// heldID is what the messages that the thread holds say of an id.
func (r *request) heldID(id string) idFacts {
	if r.held0.index == nil {
		return idFacts{}
	}
	return r.held0.index.ids[id]
}

// checkLateResults holds the results that are new against the calls that the checks
// don't look at any more.
func (r *request) checkLateResults() *Refusal {
	if r.past == nil {
		return nil
	}
	var first *toolsetUse
	for _, m := range r.fresh() {
		for j := range m.blocks {
			b := &m.blocks[j]
			if b.typ != transport.TypeToolResult {
				continue
			}
			for _, use := range r.heldID(b.id).uses {
				if use.message < r.past.n && use.toolset != b.claim.toolset &&
					(first == nil || use.message < first.message || use.message == first.message && use.block < first.block) {
					first = &use
				}
			}
		}
	}
	if first == nil {
		return nil
	}
	return notRepeated(first.message, first.block, first.toolset)
}

func notRepeated(message, block int, toolset string) *Refusal {
	return refuse("messages.%d.content.%d: the `tool_result` of a member of toolset '%s' must repeat its `toolset_name`", message, block, toolset)
}

// declares reports whether a tool of that name is in "tools" or was brought in
// by a system message.
func (r *request) declares(name string) bool {
	if r.tools.find(name) != nil || r.held0.index != nil && r.held0.index.added[name] {
		return true
	}
	return r.anyFresh(func(b *block) bool { return b.typ == view.TypeToolAddition && b.addedTool() == name })
}

// addedTool is the name of the tool that a tool_addition defines.
func (b *block) addedTool() string {
	return rawjson.GetString(rawjson.Get(rawjson.Get(b.raw, "tool"), "definition"), "name")
}

// checkCombinations refuses parts of a request that exclude each other
// (wire §2.7).
func (r *request) checkCombinations() *Refusal {
	if why := r.checkServers(); why != nil {
		return why
	}
	known := r.known()
	sources, on := known.sources, known.cited
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.sources, r.next.cited = sources, on
		}
		for j := range m.blocks {
			on += m.blocks[j].cited
			sources += m.blocks[j].sources
		}
	}
	switch {
	case on > 0 && sources > on:
		return refuse("messages: citations must be enabled on all or none of the documents and search results in the request")
	case on > 0 && r.outputConfig.Format != nil:
		return refuse("output_config.format: citations can't be used together with a structured output format")
	}
	for i := range r.coded() {
		t := &r.tools.tools[i]
		if string(rawjson.Get(t.raw, "strict")) == "true" {
			return refuse("tools.%d.custom: strict tools can't be called from code execution; remove strict or allowed_callers", i)
		}
		if r.toolChoice.DisableParallelToolUse {
			return refuse("tool_choice.disable_parallel_tool_use: not supported together with tools that code execution calls")
		}
		if r.toolChoice.Type == "tool" && r.toolChoice.Name == t.name && !bytes.Contains(rawjson.Get(t.raw, "allowed_callers"), []byte(`"direct"`)) {
			return refuse("tool_choice.tool: tool '%s' can't be called directly", t.name)
		}
	}
	return nil
}

// citedSources counts the documents and search results that the user brings in a
// block, itself or in a tool's result, and those of them with citations on.
func citedSources(b *block) (sources, cited int) {
	see := func(typ string, raw []byte) {
		if typ == string(transport.TypeDocument) || typ == string(transport.TypeSearchResult) {
			sources++
			if string(rawjson.Get(rawjson.Get(raw, "citations"), "enabled")) == "true" {
				cited++
			}
		}
	}
	see(string(b.typ), b.raw)
	if b.typ == transport.TypeToolResult {
		for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
			see(rawjson.GetString(e, "type"), e)
		}
	}
	return sources, cited
}

// coded yields the places of the client tools that code may call.
func (r *request) coded() func(func(int) bool) {
	return func(yield func(int) bool) {
		if r.tools == nil {
			return
		}
		for i := range r.tools.tools {
			t := &r.tools.tools[i]
			if t.typ == "custom" && bytes.Contains(rawjson.Get(t.raw, "allowed_callers"), []byte(`"code_execution_`)) && !yield(i) {
				return
			}
		}
	}
}

// checkServers holds mcp_servers against the toolsets that use them: each
// server needs one, and each toolset a server (wire row 102).
func (r *request) checkServers() *Refusal {
	used := map[string]int{}
	if r.tools != nil {
		for i := range r.tools.tools {
			if t := &r.tools.tools[i]; t.typ == "mcp_toolset" {
				used[rawjson.GetString(t.raw, "mcp_server_name")]++
			}
		}
	}
	for e := range rawjson.Elements(r.fields["mcp_servers"]) {
		name := rawjson.GetString(e, "name")
		switch {
		case used[name] == 0 && !r.betas.has("mcp-client-2025-04-04"):
			return refuse("MCP server '%s' is defined but not referenced by any mcp_toolset in tools.", name)
		case used[name] > 1:
			return refuse("MCP server '%s' is referenced by more than one mcp_toolset in tools.", name)
		}
		delete(used, name)
	}
	for name := range used {
		return refuse("MCP server '%s' is referenced by an mcp_toolset in tools but not defined in mcp_servers.", name)
	}
	return nil
}
