package view

import (
	"encoding/json"

	"github.com/whorl-go/whorl/transport"
)

// A serverResult is what the results of server tools share on the wire. Their
// content is a result or an error; which of them, the content itself tells.
type serverResult struct {
	ToolUseID string          `json:"tool_use_id"`
	Caller    *Caller         `json:"caller"`
	Content   json.RawMessage `json:"content"`
}

// A WebSearchToolResult has the Results of a web search, which may be empty, or an
// Error.
type WebSearchToolResult struct {
	ToolUseID string
	Caller    *Caller
	Results   []WebSearchResult
	Error     *ToolError
}

// A WebSearchResult is one page that a search found. Its content is encrypted:
// only the service can read it.
type WebSearchResult struct {
	URL              string `json:"url"`
	Title            string `json:"title"`
	PageAge          string `json:"page_age"` // for instance "2 days ago"; may be empty
	EncryptedContent string `json:"encrypted_content"`
}

// UnmarshalJSON decodes the wire form.
func (b *WebSearchToolResult) UnmarshalJSON(data []byte) (err error) {
	var w serverResult
	if err = json.Unmarshal(data, &w); err == nil {
		*b = WebSearchToolResult{ToolUseID: w.ToolUseID, Caller: w.Caller}
		b.Error, err = orError(w.Content, &b.Results)
	}
	return err
}

// A WebFetchToolResult is a page that was fetched, or an Error.
type WebFetchToolResult struct {
	ToolUseID   string
	Caller      *Caller
	URL         string
	RetrievedAt string          // RFC 3339; may be empty
	Document    transport.Block // a document block; zero if there is an Error
	Error       *ToolError
}

// UnmarshalJSON decodes the wire form.
func (b *WebFetchToolResult) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = WebFetchToolResult{ToolUseID: w.ToolUseID, Caller: w.Caller}
	var result struct {
		URL         string          `json:"url"`
		RetrievedAt string          `json:"retrieved_at"`
		Content     transport.Block `json:"content"`
	}
	var err error
	b.Error, err = orError(w.Content, &result)
	b.URL, b.RetrievedAt, b.Document = result.URL, result.RetrievedAt, result.Content
	return err
}

// A CodeExecutionToolResult is the result of running code, or an Error.
type CodeExecutionToolResult struct {
	ToolUseID string
	Result    *CodeExecutionResult
	Error     *ToolError
}

// A BashCodeExecutionToolResult is the result of a shell command in the container, or
// an Error.
type BashCodeExecutionToolResult CodeExecutionToolResult

// A CodeExecutionResult is the outcome of a run.
type CodeExecutionResult struct {
	Type            string // "encrypted_code_execution_result" if EncryptedStdout is set instead of Stdout
	Stdout          string
	EncryptedStdout string
	Stderr          string
	ReturnCode      int
	FileIDs         []string // files that the run created
}

// UnmarshalJSON decodes the wire form.
func (b *CodeExecutionToolResult) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = CodeExecutionToolResult{ToolUseID: w.ToolUseID}
	var result struct {
		Type            string `json:"type"`
		Stdout          string `json:"stdout"`
		EncryptedStdout string `json:"encrypted_stdout"`
		Stderr          string `json:"stderr"`
		ReturnCode      int    `json:"return_code"`
		Content         []struct {
			FileID string `json:"file_id"`
		} `json:"content"`
	}
	var err error
	if b.Error, err = orError(w.Content, &result); err != nil || b.Error != nil {
		return err
	}
	b.Result = &CodeExecutionResult{
		Type: result.Type, Stdout: result.Stdout, EncryptedStdout: result.EncryptedStdout, Stderr: result.Stderr, ReturnCode: result.ReturnCode,
	}
	for _, f := range result.Content {
		b.Result.FileIDs = append(b.Result.FileIDs, f.FileID)
	}
	return nil
}

// UnmarshalJSON decodes the wire form.
func (b *BashCodeExecutionToolResult) UnmarshalJSON(data []byte) error {
	return (*CodeExecutionToolResult)(b).UnmarshalJSON(data)
}

// A TextEditorCodeExecutionToolResult is the result of viewing or editing a file in the
// container, or an Error.
type TextEditorCodeExecutionToolResult struct {
	ToolUseID string
	Result    *TextEditorResult
	Error     *ToolError
}

// A TextEditorResult is the outcome of one command. The Type determines which fields
// are set.
type TextEditorResult struct {
	Type string `json:"type"` // "text_editor_code_execution_view_result", "…_create_result" or "…_str_replace_result"

	// Of a view.
	Content    string `json:"content"`
	FileType   string `json:"file_type"` // "text", "image" or "pdf"
	NumLines   int    `json:"num_lines"`
	StartLine  int    `json:"start_line"`
	TotalLines int    `json:"total_lines"`

	// Of a creation.
	IsFileUpdate bool `json:"is_file_update"`

	// Of a replacement.
	Lines    []string `json:"lines"`
	OldStart int      `json:"old_start"`
	OldLines int      `json:"old_lines"`
	NewStart int      `json:"new_start"`
	NewLines int      `json:"new_lines"`
}

// UnmarshalJSON decodes the wire form.
func (b *TextEditorCodeExecutionToolResult) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = TextEditorCodeExecutionToolResult{ToolUseID: w.ToolUseID}
	var result TextEditorResult
	var err error
	if b.Error, err = orError(w.Content, &result); err == nil && b.Error == nil {
		b.Result = &result
	}
	return err
}

// A ToolSearchToolResult has the names of the tools that a search found, or an Error.
type ToolSearchToolResult struct {
	ToolUseID string
	ToolNames []string
	Error     *ToolError
}

// UnmarshalJSON decodes the wire form.
func (b *ToolSearchToolResult) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = ToolSearchToolResult{ToolUseID: w.ToolUseID}
	var result struct {
		References []struct {
			ToolName string `json:"tool_name"`
		} `json:"tool_references"`
	}
	var err error
	b.Error, err = orError(w.Content, &result)
	for _, r := range result.References {
		b.ToolNames = append(b.ToolNames, r.ToolName)
	}
	return err
}

// An AdvisorToolResult is the advice of another model, readable or
// encrypted, or an Error.
type AdvisorToolResult struct {
	ToolUseID        string
	Text             string
	EncryptedContent string
	StopReason       transport.StopReason
	Error            *ToolError
}

// UnmarshalJSON decodes the wire form.
func (b *AdvisorToolResult) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = AdvisorToolResult{ToolUseID: w.ToolUseID}
	var result struct {
		Text             string               `json:"text"`
		EncryptedContent string               `json:"encrypted_content"`
		StopReason       transport.StopReason `json:"stop_reason"`
	}
	var err error
	b.Error, err = orError(w.Content, &result)
	b.Text, b.EncryptedContent, b.StopReason = result.Text, result.EncryptedContent, result.StopReason
	return err
}
