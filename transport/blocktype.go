package transport

import "github.com/whorl-go/whorl/transport/internal/blocktype"

// A BlockType is the wire type of a content block. The list is not closed: a block
// of another type is kept and sent back like the others. Package view has the rarer
// types.
type BlockType string

// The types that most programs meet.
const (
	TypeText             BlockType = blocktype.Text
	TypeThinking         BlockType = blocktype.Thinking
	TypeRedactedThinking BlockType = blocktype.RedactedThinking
	TypeToolUse          BlockType = blocktype.ToolUse
	TypeToolResult       BlockType = blocktype.ToolResult
	TypeServerToolUse    BlockType = blocktype.ServerToolUse
	TypeImage            BlockType = blocktype.Image
	TypeDocument         BlockType = blocktype.Document
	TypeSearchResult     BlockType = blocktype.SearchResult
)

func isThinking(typ BlockType) bool { return blocktype.Of(typ).Thinking }
