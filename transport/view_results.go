package transport

import (
	"encoding/json"
	"fmt"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A serverResult is what the results of server tools share on the wire. Their
// content is a result or an error; which of them, the content itself tells.
type serverResult struct {
	ToolUseID string          `json:"tool_use_id"`
	Caller    *Caller         `json:"caller"`
	Content   json.RawMessage `json:"content"`
}

// A WebSearchToolResultBlock is what a web search found: Results, which may be
// empty, or an Error.
type WebSearchToolResultBlock struct {
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

// UnmarshalJSON reads the wire form.
func (b *WebSearchToolResultBlock) UnmarshalJSON(data []byte) (err error) {
	var w serverResult
	if err = json.Unmarshal(data, &w); err == nil {
		*b = WebSearchToolResultBlock{ToolUseID: w.ToolUseID, Caller: w.Caller}
		b.Error, err = orError(w.Content, &b.Results)
	}
	return err
}

// A WebFetchToolResultBlock is a page that was fetched, or an Error.
type WebFetchToolResultBlock struct {
	ToolUseID   string
	Caller      *Caller
	URL         string
	RetrievedAt string // RFC 3339; may be empty
	Document    Block  // a document block; zero if there is an Error
	Error       *ToolError
}

// UnmarshalJSON reads the wire form.
func (b *WebFetchToolResultBlock) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = WebFetchToolResultBlock{ToolUseID: w.ToolUseID, Caller: w.Caller}
	var result struct {
		URL         string `json:"url"`
		RetrievedAt string `json:"retrieved_at"`
		Content     Block  `json:"content"`
	}
	var err error
	b.Error, err = orError(w.Content, &result)
	b.URL, b.RetrievedAt, b.Document = result.URL, result.RetrievedAt, result.Content
	return err
}

// A CodeExecutionToolResultBlock is what a run of code gave, or an Error.
type CodeExecutionToolResultBlock struct {
	ToolUseID string
	Result    *CodeExecutionResult
	Error     *ToolError
}

// A BashCodeExecutionToolResultBlock is what a shell command in the container
// gave, or an Error.
type BashCodeExecutionToolResultBlock CodeExecutionToolResultBlock

// A CodeExecutionResult is the end of a run.
type CodeExecutionResult struct {
	Type            string // "encrypted_code_execution_result" where EncryptedStdout stands for Stdout
	Stdout          string
	EncryptedStdout string
	Stderr          string
	ReturnCode      int
	FileIDs         []string // files that the run made
}

// UnmarshalJSON reads the wire form.
func (b *CodeExecutionToolResultBlock) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = CodeExecutionToolResultBlock{ToolUseID: w.ToolUseID}
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

// UnmarshalJSON reads the wire form.
func (b *BashCodeExecutionToolResultBlock) UnmarshalJSON(data []byte) error {
	return (*CodeExecutionToolResultBlock)(b).UnmarshalJSON(data)
}

// A TextEditorCodeExecutionToolResultBlock is what viewing or editing a file in
// the container gave, or an Error.
type TextEditorCodeExecutionToolResultBlock struct {
	ToolUseID string
	Result    *TextEditorResult
	Error     *ToolError
}

// A TextEditorResult is the outcome of one command. Which fields are set
// follows from the Type.
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

// UnmarshalJSON reads the wire form.
func (b *TextEditorCodeExecutionToolResultBlock) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = TextEditorCodeExecutionToolResultBlock{ToolUseID: w.ToolUseID}
	var result TextEditorResult
	var err error
	if b.Error, err = orError(w.Content, &result); err == nil && b.Error == nil {
		b.Result = &result
	}
	return err
}

// A ToolSearchToolResultBlock names the tools that a search found, or is an Error.
type ToolSearchToolResultBlock struct {
	ToolUseID string
	ToolNames []string
	Error     *ToolError
}

// UnmarshalJSON reads the wire form.
func (b *ToolSearchToolResultBlock) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = ToolSearchToolResultBlock{ToolUseID: w.ToolUseID}
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

// An AdvisorToolResultBlock is the advice of another model, readable or
// encrypted, or an Error.
type AdvisorToolResultBlock struct {
	ToolUseID        string
	Text             string
	EncryptedContent string
	StopReason       StopReason
	Error            *ToolError
}

// UnmarshalJSON reads the wire form.
func (b *AdvisorToolResultBlock) UnmarshalJSON(data []byte) error {
	var w serverResult
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*b = AdvisorToolResultBlock{ToolUseID: w.ToolUseID}
	var result struct {
		Text             string     `json:"text"`
		EncryptedContent string     `json:"encrypted_content"`
		StopReason       StopReason `json:"stop_reason"`
	}
	var err error
	b.Error, err = orError(w.Content, &result)
	b.Text, b.EncryptedContent, b.StopReason = result.Text, result.EncryptedContent, result.StopReason
	return err
}

// ContextManagement is what the service did to the prompt (reference §10.1).
type ContextManagement struct {
	AppliedEdits []AppliedEdit `json:"applied_edits"`
}

// An AppliedEdit is one edit that took effect.
type AppliedEdit struct {
	Type                 string `json:"type"`
	ClearedToolUses      int    `json:"cleared_tool_uses"`
	ClearedThinkingTurns int    `json:"cleared_thinking_turns"`
	ClearedInputTokens   int64  `json:"cleared_input_tokens"`
}

// ContextManagement reads what the service did to the prompt; the zero value
// means nothing, or that it wasn't asked to.
func (r *Response) ContextManagement() (ContextManagement, error) {
	var c ContextManagement
	err := r.member("context_management", &c)
	return c, err
}

// An InputTransformation is a block of the request that the service changed
// before the model saw it (reference §9.4).
type InputTransformation struct {
	Type   string `json:"type"`   // "thinking_dropped" or "thinking_mismatch_allowed"
	Path   string `json:"path"`   // for instance "messages.3.content.0"
	Reason string `json:"reason"` // "prefix_binding_mismatch" and so on
}

// InputTransformations reads what the service did to blocks of the request. It
// tells only if thinking.block_binding was set.
func (r *Response) InputTransformations() ([]InputTransformation, error) {
	var t []InputTransformation
	err := r.member("input_transformations", &t)
	return t, err
}

// CacheMiss is why less of the prompt was read from the cache than could have
// been (late 2026 §5.3).
type CacheMiss struct {
	Type         string `json:"type"` // "model_changed", "system_changed", "tools_changed", "messages_changed", "previous_message_not_found" or "unavailable"
	MissedTokens int64  `json:"cache_missed_input_tokens"`
}

// CacheMiss reads the diagnostics. It is nil if they were not asked for, found
// no difference, or were not ready.
func (r *Response) CacheMiss() (*CacheMiss, error) {
	raw := rawjson.Get(r.Diagnostics, "cache_miss_reason")
	if rawjson.IsNull(raw) {
		return nil, nil
	}
	m := new(CacheMiss)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("response %s: diagnostics: %w", r.ID, err)
	}
	return m, nil
}

// member decodes one member of the message object that has no field in Response.
func (r *Response) member(name string, v any) error {
	envelope := r.raw
	if envelope == nil {
		envelope = append(r.before[:len(r.before):len(r.before)], r.after...)
	}
	raw := rawjson.Get(envelope, name)
	if rawjson.IsNull(raw) {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("response %s: %s: %w", r.ID, name, err)
	}
	return nil
}
