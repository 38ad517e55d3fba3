package view

import (
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Block returns the block that puts a stored file into the container.
func (b ContainerUpload) Block() (transport.Block, error) {
	return transport.ParseBlock(append(rawjson.AppendString([]byte(`{"type":"container_upload","file_id":`), b.FileID), '}'))
}

// Block returns the block for the result of a tool that searches for tools. The named
// tool must be in the request's "tools".
func (b ToolReference) Block() (transport.Block, error) {
	return transport.ParseBlock(append(rawjson.AppendString([]byte(`{"type":"tool_reference","tool_name":`), b.ToolName), '}'))
}

// Block returns the block, for a system message, that makes a tool available: a tool
// with defer_loading in the request's "tools", or the tool that Tool.Definition
// defines.
func (b ToolAddition) Block() (transport.Block, error) {
	return b.Tool.block(`{"type":"tool_addition","tool":`)
}

// Block returns the block, for a system message, that removes a tool. If the model
// still calls the tool, the result should say that it is gone.
func (b ToolRemoval) Block() (transport.Block, error) {
	return b.Tool.block(`{"type":"tool_removal","tool":`)
}

// block writes the tool behind opening. Without a Type it is a definition, if
// there is one, or else the name of a tool.
func (t ChangedTool) block(opening string) (transport.Block, error) {
	kind := t.Type
	switch {
	case kind != "":
	case len(t.Definition) > 0:
		kind = "tool_definition"
	default:
		kind = "tool_reference"
	}
	raw := rawjson.AppendString(append([]byte(opening), `{"type":`...), kind)
	if t.Name != "" {
		raw = rawjson.AppendString(append(raw, `,"name":`...), t.Name)
	}
	if t.ServerName != "" {
		raw = rawjson.AppendString(append(raw, `,"server_name":`...), t.ServerName)
	}
	if len(t.Definition) > 0 {
		if !rawjson.Valid(t.Definition) {
			return transport.Block{}, fmt.Errorf("the definition of tool %q is not JSON", t.Name)
		}
		raw = append(append(raw, `,"definition":`...), t.Definition...)
	}
	return transport.ParseBlock(append(raw, "}}"...))
}
