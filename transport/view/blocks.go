package view

import (
	"encoding/json"
)

// A Text is text, with citations if documents or searches back it.
type Text struct {
	Text      string     `json:"text"`
	Citations []Citation `json:"citations"`
}

// A Citation specifies where a text comes from. The Type determines which fields are
// set (wire §3.4):
//
//	char_location               Document…, StartCharIndex, EndCharIndex
//	page_location               Document…, StartPageNumber, EndPageNumber
//	content_block_location      Document…, StartBlockIndex, EndBlockIndex
//	search_result_location      Source, Title, SearchResultIndex, StartBlockIndex, EndBlockIndex
//	web_search_result_location  URL, Title, EncryptedIndex
//
// Indices are counted from 0, pages from 1. The end is exclusive.
type Citation struct {
	Type      string `json:"type"`
	CitedText string `json:"cited_text"`

	DocumentIndex int    `json:"document_index"`
	DocumentTitle string `json:"document_title"`
	FileID        string `json:"file_id"` // of the document, if it is a file

	StartCharIndex  int `json:"start_char_index"`
	EndCharIndex    int `json:"end_char_index"`
	StartPageNumber int `json:"start_page_number"`
	EndPageNumber   int `json:"end_page_number"`
	StartBlockIndex int `json:"start_block_index"`
	EndBlockIndex   int `json:"end_block_index"`

	Source            string `json:"source"`
	SearchResultIndex int    `json:"search_result_index"`

	URL            string `json:"url"`
	Title          string `json:"title"`
	EncryptedIndex string `json:"encrypted_index"`
}

// A Thinking is the model's thinking or a summary of it, or is empty if the display is
// omitted. The signature contains all of the thinking.
type Thinking struct {
	Thinking  string `json:"thinking"`
	Signature string `json:"signature"`
}

// A RedactedThinking is thinking that only the service can read.
type RedactedThinking struct {
	Data string `json:"data"`
}

// A ToolUse is a call of a client tool.
type ToolUse struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Toolset string          `json:"toolset_name"` // for a member of a toolset
	Input   json.RawMessage `json:"input"`        // an object, as the model wrote it
	Caller  *Caller         `json:"caller"`       // nil if the service didn't say
}

// A ToolResult answers a call of a client tool.
type ToolResult struct {
	ToolUseID string    `json:"tool_use_id"`
	Toolset   string    `json:"toolset_name"`
	Content   BlockList `json:"content"`
	IsError   bool      `json:"is_error"`
}

// A ServerToolUse is a call of a tool that runs at the service.
type ServerToolUse struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"` // "web_search", "bash_code_execution" and so on
	Input  json.RawMessage `json:"input"`
	Caller *Caller         `json:"caller"`
}

// An MCPToolUse is a call of a tool of an MCP server that the service is connected to.
type MCPToolUse struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	ServerName string          `json:"server_name"`
	Input      json.RawMessage `json:"input"`
}

// An MCPToolResult is the result of an MCP call.
type MCPToolResult struct {
	ToolUseID string    `json:"tool_use_id"`
	IsError   bool      `json:"is_error"`
	Content   BlockList `json:"content"`
}

// An MCPToolListing fixes the list of an MCP server's tools.
type MCPToolListing struct {
	ServerName string    `json:"mcp_server_name"`
	Tools      []MCPTool `json:"tools"`
}

// An MCPTool is a tool of an MCP server.
type MCPTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// A Source is where an image or a document comes from (wire §3.1).
type Source struct {
	Type      string    `json:"type"` // "base64", "url", "file", "text" or "content"
	MediaType string    `json:"media_type"`
	Data      string    `json:"data"` // base64, or the text itself
	URL       string    `json:"url"`
	FileID    string    `json:"file_id"`
	Content   BlockList `json:"content"`
}

// An Image is a picture.
type Image struct {
	Source Source `json:"source"`
}

// A Document is a text or a PDF.
type Document struct {
	Source    Source   `json:"source"`
	Title     string   `json:"title"`
	Context   string   `json:"context"`
	Citations Citeable `json:"citations"`
}

// Citeable specifies whether the model may cite a block.
type Citeable struct {
	Enabled bool `json:"enabled"`
}

// A SearchResult is a passage with a source.
type SearchResult struct {
	Source    string    `json:"source"`
	Title     string    `json:"title"`
	Content   BlockList `json:"content"`
	Citations Citeable  `json:"citations"`
}

// A ContainerUpload puts a file into the code execution container.
type ContainerUpload struct {
	FileID string `json:"file_id"`
}

// A Compaction replaces the messages that it summarizes. A requested compaction sets
// Signature, a compaction at a threshold sets EncryptedContent.
type Compaction struct {
	Content          string    `json:"content"` // empty if there was nothing to summarize or the summary failed
	Signature        string    `json:"signature"`
	EncryptedContent string    `json:"encrypted_content"`
	ToolChanges      BlockList `json:"tool_changes"`
}

// A Fallback marks the point at which another model took over after a refusal.
type Fallback struct {
	From    FallbackModel   `json:"from"`
	To      FallbackModel   `json:"to"`
	Trigger FallbackTrigger `json:"trigger"`
}

// A FallbackModel is the model before or after a [Fallback].
type FallbackModel struct {
	Model string `json:"model"`
}

// A FallbackTrigger specifies why another model took over.
type FallbackTrigger struct {
	Type     string `json:"type"`     // "refusal"
	Category string `json:"category"` // as in [transport.StopDetails]
}

// A ToolAddition makes a tool available from its position in the conversation on.
type ToolAddition struct {
	Tool ChangedTool `json:"tool"`
}

// A ToolRemoval removes a tool from its position in the conversation on.
type ToolRemoval struct {
	Tool ChangedTool `json:"tool"`
}

// A ChangedTool names a tool, or a toolset of an MCP server, or defines a tool.
type ChangedTool struct {
	Type       string          `json:"type"` // "tool_reference", "mcp_tool_reference", "mcp_toolset_reference" or "tool_definition"
	Name       string          `json:"name"`
	ServerName string          `json:"server_name"`
	Definition json.RawMessage `json:"definition"`
}

// A ToolReference, in the result of a tool that searches for tools, makes a
// tool with defer_loading available.
type ToolReference struct {
	ToolName string `json:"tool_name"`
}

// A BrowserState, in the result of a member of the browser toolset, lists the tabs and
// what happened in them (wire §4.5).
type BrowserState struct {
	Tabs         []BrowserTab      `json:"tabs"`
	StateChanges []json.RawMessage `json:"state_changes"` // objects with a member "type"
}

// A BrowserTab is one tab of a browser.
type BrowserTab struct {
	TabID  string `json:"tab_id"`
	Title  string `json:"title"`
	URL    string `json:"url"`
	Active bool   `json:"active"`
}
