package omit

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// Request returns r without what o leaves out. It copies what it changes. It fails if a
// place doesn't exist, or its block can't be left out.
func (o Omission) Request(r *transport.Request) (*transport.Request, error) {
	messages, err := o.Messages(r.Messages)
	if err != nil {
		return nil, err
	}
	without := *r
	without.Messages = messages
	o.Configuration(&without)
	return &without, nil
}

// Configuration removes the containers and the MCP servers from the fields of a request
// other than its messages. It changes the fields of r, but nothing that they refer to.
func (o Omission) Configuration(r *transport.Request) {
	if id := containerID(r.Container); id != "" && slices.Contains(o.Containers, id) {
		if r.Container[0] == '{' && !rawjson.IsNull(rawjson.Get(r.Container, "skills")) {
			r.Container = rawjson.Drop(r.Container, "id")
		} else {
			r.Container = nil
		}
	}
	if len(o.MCPServers) == 0 {
		return
	}
	var kept []byte
	for e := range rawjson.Elements(r.MCPServers) {
		if !slices.Contains(o.MCPServers, rawjson.GetString(e, "name")) {
			kept = append(append(kept, ','), e...)
		}
	}
	if r.MCPServers = nil; len(kept) > 0 {
		kept[0] = '['
		r.MCPServers = append(kept, ']')
	}
	r.Tools = slices.DeleteFunc(slices.Clone(r.Tools), func(t transport.ToolDefinition) bool {
		return t.Type() == "mcp_toolset" && slices.Contains(o.MCPServers, rawjson.GetString(t.Raw(), "mcp_server_name"))
	})
}

// containerID is the id in the container of a request, a string or an object.
func containerID(container []byte) string {
	switch {
	case len(container) == 0:
		return ""
	case container[0] == '{':
		return rawjson.GetString(container, "id")
	}
	return rawjson.Unquote(container)
}

// Messages returns messages without what o leaves out. The number and order of the
// messages stay the same. Messages copies what it changes, and returns messages itself
// if nothing changes. It fails if a place doesn't exist, or its block can't be left
// out.
func (o Omission) Messages(messages []transport.Message) ([]transport.Message, error) {
	places := slices.Clone(o.Blocks)
	for i, m := range messages {
		for j, b := range m.Content {
			if o.ofServer(b) {
				places = append(places, Place{Message: i, Block: j})
			}
		}
	}
	slices.SortFunc(places, Place.compare)
	places = slices.Compact(places)
	if len(places) == 0 {
		return messages, nil
	}
	out := slices.Clone(messages)
	for len(places) > 0 {
		at := places[0].Message
		n := 1
		for n < len(places) && places[n].Message == at {
			n++
		}
		if at < 0 || at >= len(out) {
			return nil, fmt.Errorf("leave out %v: there are %d messages", places[0], len(out))
		}
		m, err := o.message(out[at], places[:n])
		if err != nil {
			return nil, err
		}
		out[at], places = m, places[n:]
	}
	return out, nil
}

// ofServer reports whether a block speaks of the tools of a server that is left out.
func (o Omission) ofServer(b transport.Block) bool {
	if len(o.MCPServers) == 0 {
		return false
	}
	name := ""
	switch b.Type() {
	case view.TypeMCPToolListing:
		name = rawjson.GetString(b.Raw(), "mcp_server_name")
	case view.TypeToolAddition, view.TypeToolRemoval:
		name = rawjson.GetString(rawjson.Get(b.Raw(), "tool"), "server_name")
	}
	return slices.Contains(o.MCPServers, name)
}

// message leaves blocks out of one message.
func (o Omission) message(m transport.Message, places []Place) (transport.Message, error) {
	content, at := make([]transport.Block, 0, len(m.Content)), places[0].Message
	if last := places[len(places)-1]; places[0].Block < 0 || last.Block >= len(m.Content) {
		return m, fmt.Errorf("leave out %v: the message has %d blocks", last, len(m.Content))
	}
	for j, b := range m.Content {
		var here []Place
		for len(places) > 0 && places[0].Block == j {
			here, places = append(here, places[0]), places[1:]
		}
		switch {
		case len(here) == 0:
			content = append(content, b)
		case here[0].Inner == 0:
			if !removable(m.Role, b.Type()) {
				return m, fmt.Errorf("leave out %v: a block of type %s can't be left out of a message of role %s", here[0], b.Type(), m.Role)
			}
			if o.Text != "" && m.Role != transport.RoleAssistant {
				content = append(content, transport.Text(o.Text))
			}
		default:
			b, err := o.inner(b, here)
			if err != nil {
				return m, err
			}
			content = append(content, b)
		}
	}
	if len(content) == 0 && m.Role != transport.RoleAssistant {
		return m, fmt.Errorf("leave out all of message %d: the service refuses an empty message; set Text to replace its blocks", at)
	}
	m.Content = content
	return m.Measured(), nil
}

// inner leaves blocks out of the content of a tool_result.
func (o Omission) inner(b transport.Block, places []Place) (transport.Block, error) {
	from, to, ok := rawjson.Span(b.Raw(), "content")
	if !ok || b.Type() != transport.TypeToolResult || b.Raw()[from] != '[' {
		return b, fmt.Errorf("leave out %v: the block has no content of blocks", places[0])
	}
	list := []byte{'['}
	k := 0
	for e := range rawjson.Elements(b.Raw()[from:to]) {
		here := len(places) > 0 && places[0].Inner == k+1
		k++
		switch {
		case here && !removable(transport.RoleUser, transport.BlockType(rawjson.GetString(e, "type"))):
			return b, fmt.Errorf("leave out %v: a block of type %s can't be left out", places[0], rawjson.GetString(e, "type"))
		case here && o.Text == "":
			places = places[1:]
			continue
		case here:
			e, places = transport.Text(o.Text).Raw(), places[1:]
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, e...)
	}
	if len(places) > 0 {
		return b, fmt.Errorf("leave out %v: the content has %d blocks", places[0], k)
	}
	list = append(list, ']')
	return transport.ParseBlock(json.RawMessage(slices.Concat(b.Raw()[:from], list, b.Raw()[to:])))
}

// removable reports whether a message is valid without a block: one that nothing
// else refers to.
func removable(role transport.Role, typ transport.BlockType) bool {
	return role != "" && string(role) == blocktype.Of(typ).LeftOutOf
}
