package view

import (
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/blocktype"
)

// Types of blocks that [transport] has no constant for.
const (
	TypeMCPToolUse      transport.BlockType = blocktype.MCPToolUse
	TypeMCPToolResult   transport.BlockType = blocktype.MCPToolResult
	TypeMCPToolListing  transport.BlockType = blocktype.MCPToolListing
	TypeContainerUpload transport.BlockType = blocktype.ContainerUpload
	TypeCompaction      transport.BlockType = blocktype.Compaction
	TypeFallback        transport.BlockType = blocktype.Fallback
	TypeToolAddition    transport.BlockType = blocktype.ToolAddition
	TypeToolRemoval     transport.BlockType = blocktype.ToolRemoval
	TypeToolReference   transport.BlockType = blocktype.ToolReference // inside a tool result
	TypeBrowserState    transport.BlockType = blocktype.BrowserState  // inside a tool result

	TypeWebSearchToolResult               transport.BlockType = blocktype.WebSearchResult
	TypeWebFetchToolResult                transport.BlockType = blocktype.WebFetchResult
	TypeCodeExecutionToolResult           transport.BlockType = blocktype.CodeResult
	TypeBashCodeExecutionToolResult       transport.BlockType = blocktype.BashResult
	TypeTextEditorCodeExecutionToolResult transport.BlockType = blocktype.TextEditorResult
	TypeToolSearchToolResult              transport.BlockType = blocktype.ToolSearchResult
	TypeAdvisorToolResult                 transport.BlockType = blocktype.AdvisorToolResult
)

// Types of deltas that [transport] has no constant for.
const (
	DeltaSignature  transport.DeltaType = "signature_delta"
	DeltaCitations  transport.DeltaType = "citations_delta"
	DeltaCompaction transport.DeltaType = "compaction_delta"
)
