package simulator

import (
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// checkToolChanges follows what system messages do to the tools, and holds MCP
// listings against the servers that there are (wire §4.6 and §4.7). The
// wording of all but the first refusal is a guess (wire G29, G45, G46, G47, G49); the codes
// are the service's.
func (r *request) checkToolChanges() *Refusal {
	var servers map[string]bool
	for i, m := range r.recent() {
		for j := range m.blocks {
			b := &m.blocks[j]
			switch b.typ {
			case view.TypeToolAddition, view.TypeToolRemoval, view.TypeMCPToolListing:
			default:
				continue
			}
			if servers == nil {
				r.kinds, servers = r.toolKinds(), r.servers()
			}
			path := fmt.Sprintf("messages.%d.content.%d", i, j)
			if b.typ == view.TypeMCPToolListing {
				if name := rawjson.GetString(b.raw, "mcp_server_name"); !servers[name] {
					return unresolved("%s: mcp_tool_listing references unknown MCP server '%s'", path, name)
				}
				continue
			}
			if why := checkToolChange(path, b, r.kinds, servers); why != nil {
				return why
			}
		}
	}
	return nil
}

func checkToolChange(path string, b *block, kinds toolKinds, servers map[string]bool) *Refusal {
	t := rawjson.Get(b.raw, "tool")
	switch name := rawjson.GetString(t, "name"); rawjson.GetString(t, "type") {
	case "tool_reference":
		if _, ok := kinds.of(name); !ok {
			return unresolved("%s: tool_addition/tool_removal references unknown tool '%s'", path, name)
		}
	case "mcp_tool_reference", "mcp_toolset_reference":
		if server := rawjson.GetString(t, "server_name"); !servers[server] {
			return unresolved("%s: tool_addition/tool_removal references unknown MCP server '%s'", path, server)
		}
	case "tool_definition":
		return checkInlineTool(path, b, rawjson.Get(t, "definition"), kinds)
	}
	return nil
}

// checkInlineTool checks a definition in a system message, and adds it to kinds.
func checkInlineTool(path string, b *block, definition []byte, kinds toolKinds) *Refusal {
	name, kind := rawjson.GetString(definition, "name"), toolKind(rawjson.GetString(definition, "type"))
	mark := ttlOf(rawjson.Get(definition, "cache_control"))
	path += ".tool_addition.tool.tool_definition.definition"
	switch was, ok := kinds.of(name); {
	case name != "" && ok && was != kind:
		return coded("tool_name_conflict", "%s: a tool named '%s' of another kind is there already", path, name)
	case mark != "" && b.mark != "":
		return refuse("%s: cache_control may be set on the block or on the definition, not on both", path)
	case mark != "" && string(rawjson.Get(definition, "defer_loading")) == "true":
		return refuse("%s: Tools with defer_loading cannot use prompt caching", path)
	case strings.HasPrefix(kind, "computer_"):
		return refuse("%s: tools of type '%s' can't be defined in a message", path, kind)
	}
	if kind == "custom" {
		if why := checkInputSchema(path+".custom", rawjson.Get(definition, "input_schema")); why != nil {
			return why
		}
	}
	kinds.added[name] = kind
	return nil
}

// unresolved is the refusal of a reference to what isn't there.
func unresolved(format string, args ...any) *Refusal {
	return coded("tool_reference_unresolved", format, args...)
}

// toolKinds are the kinds of the tools that there are so far, by name.
type toolKinds struct {
	held, added map[string]string // held belongs to the thread, if there is one
}

func (k toolKinds) of(name string) (string, bool) {
	kind, ok := k.added[name]
	if !ok {
		kind, ok = k.held[name]
	}
	return kind, ok
}

// toolKinds lists the tools of the request, and those of the messages that the
// thread holds.
func (r *request) toolKinds() toolKinds {
	if x := r.held0.index; x != nil && x.kinds != nil {
		return toolKinds{held: x.kinds, added: map[string]string{}}
	}
	kinds := toolKinds{held: map[string]string{}, added: map[string]string{}}
	if r.tools != nil {
		for i := range r.tools.tools {
			kinds.held[r.tools.tools[i].name] = toolKind(string(r.tools.tools[i].typ))
		}
	}
	return kinds
}

func toolKind(typ string) string {
	if typ == "" {
		return "custom"
	}
	return typ
}

// servers lists the names of the request's MCP servers.
func (r *request) servers() map[string]bool {
	names := map[string]bool{}
	for e := range rawjson.Elements(r.fields["mcp_servers"]) {
		names[rawjson.GetString(e, "name")] = true
	}
	return names
}

// checkToolsetResult checks the answer to a member of a toolset (wire
// §4.5): text and images, and for the browser one browser_state.
func checkToolsetResult(b *block) string {
	states := 0
	for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
		switch typ := rawjson.GetString(e, "type"); {
		case typ == string(view.TypeBrowserState) && b.claim.toolset == "browser" && states == 0:
			states++
		case typ != string(transport.TypeText) && typ != string(transport.TypeImage):
			return "%s.tool_result: the result of a member of a toolset may hold text and images, and in the browser one browser_state"
		}
	}
	return ""
}
