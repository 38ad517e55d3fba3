package transport

import (
	"encoding/json"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// View decodes the block into the struct for its type: a [TextBlock], a
// [ToolUseBlock] and so on, never a pointer. A block of a type that this package
// doesn't know, or of a shape that its type doesn't have, gives an
// [UnknownBlock]. Members without a field in the struct are in [Block.Raw].
//
// A view is a copy to read from. What is sent is the block.
func (b Block) View() any {
	decode, ok := views[b.typ]
	if !ok {
		return UnknownBlock{Type: b.typ, Raw: b.Raw()}
	}
	v, err := decode(b.raw)
	if err != nil {
		return UnknownBlock{Type: b.typ, Raw: b.Raw()}
	}
	return v
}

// An UnknownBlock is a block that this package can't read.
type UnknownBlock struct {
	Type BlockType
	Raw  json.RawMessage
}

var views = map[BlockType]func([]byte) (any, error){
	TypeText:             as[TextBlock],
	TypeThinking:         as[ThinkingBlock],
	TypeRedactedThinking: as[RedactedThinkingBlock],
	TypeToolUse:          as[ToolUseBlock],
	TypeToolResult:       as[ToolResultBlock],
	TypeServerToolUse:    as[ServerToolUseBlock],
	TypeMCPToolUse:       as[MCPToolUseBlock],
	TypeMCPToolResult:    as[MCPToolResultBlock],
	TypeMCPToolListing:   as[MCPToolListingBlock],
	TypeImage:            as[ImageBlock],
	TypeDocument:         as[DocumentBlock],
	TypeSearchResult:     as[SearchResultBlock],
	TypeContainerUpload:  as[ContainerUploadBlock],
	TypeCompaction:       as[CompactionBlock],
	TypeFallback:         as[FallbackBlock],
	TypeToolAddition:     as[ToolAdditionBlock],
	TypeToolRemoval:      as[ToolRemovalBlock],
	TypeToolReference:    as[ToolReferenceBlock],
	TypeBrowserState:     as[BrowserStateBlock],

	TypeWebSearchToolResult:               as[WebSearchToolResultBlock],
	TypeWebFetchToolResult:                as[WebFetchToolResultBlock],
	TypeCodeExecutionToolResult:           as[CodeExecutionToolResultBlock],
	TypeBashCodeExecutionToolResult:       as[BashCodeExecutionToolResultBlock],
	TypeTextEditorCodeExecutionToolResult: as[TextEditorCodeExecutionToolResultBlock],
	TypeToolSearchToolResult:              as[ToolSearchToolResultBlock],
	TypeAdvisorToolResult:                 as[AdvisorToolResultBlock],
}

func as[T any](raw []byte) (any, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}

// A BlockList is content in the forms the API has: a string, which becomes one
// text block, or a list of blocks.
type BlockList []Block

// UnmarshalJSON takes either form.
func (l *BlockList) UnmarshalJSON(data []byte) error {
	blocks, err := parseContent(append([]byte(nil), data...))
	*l = blocks
	return err
}

// A Caller says who made a tool call: the model, or code that it runs in a container.
type Caller struct {
	Type   string `json:"type"`    // "direct", or for instance "code_execution_20260120"
	ToolID string `json:"tool_id"` // the id of the server tool call whose code called; empty for direct calls
}

// A ToolError is what went wrong in a server tool (reference §4.3).
type ToolError struct {
	Type    string `json:"type"`          // "web_search_tool_result_error" and so on
	Code    string `json:"error_code"`    // "max_uses_exceeded" and so on
	Message string `json:"error_message"` // mostly empty
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
