package view

import (
	"encoding/json"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Of decodes a block into the struct for its type: a [Text], a [ToolUse] and so on,
// never a pointer. It returns an [Unknown] if this package doesn't know the block's
// type, or if the block doesn't have the shape of its type. [transport.Block.Raw] has
// the members for which the struct has no field.
func Of(b transport.Block) any {
	decode, ok := views[b.Type()]
	if !ok {
		return Unknown{Type: b.Type(), Raw: b.Raw()}
	}
	v, err := decode(b.Raw())
	if err != nil {
		return Unknown{Type: b.Type(), Raw: b.Raw()}
	}
	return v
}

// As is like [Of] for a block that should be a T. It returns false if the block has
// another type or shape.
func As[T any](b transport.Block) (T, bool) {
	v, ok := Of(b).(T)
	return v, ok
}

// An Unknown is a block that this package can't decode.
type Unknown struct {
	Type transport.BlockType
	Raw  json.RawMessage
}

var views = map[transport.BlockType]func([]byte) (any, error){
	transport.TypeText:             decodeAs[Text],
	transport.TypeThinking:         decodeAs[Thinking],
	transport.TypeRedactedThinking: decodeAs[RedactedThinking],
	transport.TypeToolUse:          decodeAs[ToolUse],
	transport.TypeToolResult:       decodeAs[ToolResult],
	transport.TypeServerToolUse:    decodeAs[ServerToolUse],
	TypeMCPToolUse:                 decodeAs[MCPToolUse],
	TypeMCPToolResult:              decodeAs[MCPToolResult],
	TypeMCPToolListing:             decodeAs[MCPToolListing],
	transport.TypeImage:            decodeAs[Image],
	transport.TypeDocument:         decodeAs[Document],
	transport.TypeSearchResult:     decodeAs[SearchResult],
	TypeContainerUpload:            decodeAs[ContainerUpload],
	TypeCompaction:                 decodeAs[Compaction],
	TypeFallback:                   decodeAs[Fallback],
	TypeToolAddition:               decodeAs[ToolAddition],
	TypeToolRemoval:                decodeAs[ToolRemoval],
	TypeToolReference:              decodeAs[ToolReference],
	TypeBrowserState:               decodeAs[BrowserState],

	TypeWebSearchToolResult:               decodeAs[WebSearchToolResult],
	TypeWebFetchToolResult:                decodeAs[WebFetchToolResult],
	TypeCodeExecutionToolResult:           decodeAs[CodeExecutionToolResult],
	TypeBashCodeExecutionToolResult:       decodeAs[BashCodeExecutionToolResult],
	TypeTextEditorCodeExecutionToolResult: decodeAs[TextEditorCodeExecutionToolResult],
	TypeToolSearchToolResult:              decodeAs[ToolSearchToolResult],
	TypeAdvisorToolResult:                 decodeAs[AdvisorToolResult],
}

func decodeAs[T any](raw []byte) (any, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}

// A BlockList is a list of content blocks. The API also allows a string in its place,
// which becomes one text block.
type BlockList []transport.Block

// UnmarshalJSON decodes either form.
func (l *BlockList) UnmarshalJSON(data []byte) error {
	data = rawjson.Trim(append([]byte(nil), data...))
	*l = nil
	if len(data) > 0 && data[0] == '"' {
		if s := rawjson.Unquote(data); s != "" {
			*l = BlockList{transport.Text(s)}
		}
		return nil
	}
	var blocks []transport.Block
	err := json.Unmarshal(data, &blocks)
	*l = blocks
	return err
}

// A Caller specifies who made a tool call: the model, or code that it runs in a
// container.
type Caller struct {
	Type   string `json:"type"`    // "direct", or for instance "code_execution_20260120"
	ToolID string `json:"tool_id"` // the id of the server tool call whose code made the call; empty for direct calls
}

// A ToolError is an error of a server tool (wire §4.3).
type ToolError struct {
	Type    string `json:"type"`          // "web_search_tool_result_error" and so on
	Code    string `json:"error_code"`    // "max_uses_exceeded" and so on
	Message string `json:"error_message"` // usually empty
}

// errorOf returns the ToolError that content is, or nil if it is none.
func errorOf(content []byte) (*ToolError, error) {
	if len(rawjson.Get(content, "error_code")) == 0 {
		return nil, nil
	}
	e := new(ToolError)
	return e, json.Unmarshal(content, e)
}

// orError decodes content into result, or returns the error that it is.
func orError(content []byte, result any) (*ToolError, error) {
	if e, err := errorOf(content); e != nil || err != nil {
		return e, err
	}
	return nil, json.Unmarshal(content, result)
}
