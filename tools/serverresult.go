package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A ServerResult is a view of what a server tool returned (reference §3.3).
// Which of the fields below Err is set depends on the tool. The block itself
// goes back to the service as it came.
type ServerResult struct {
	CallID string // the id of the server_tool_use block that it answers
	Tool   string // the block's type without "_tool_result", for instance "web_search"

	// Err is the service's own word that the call failed; nil if it didn't.
	Err *ServerError

	Hits   []SearchHit // of web_search
	Page   *FetchedPage
	Output *CodeOutput // of code_execution and bash_code_execution
	Tools  []string    // of tool_search: the names of the tools it found
	Text   string      // of advisor, mcp, and the viewing of a file in the container
}

// A ServerError is why a server tool failed.
type ServerError struct {
	Code    string // for instance "max_uses_exceeded"
	Message string // mostly empty
}

// Error is the code, with the message if there is one.
func (e *ServerError) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// A SearchHit is one result of a web search. The text of the page is encrypted.
type SearchHit struct {
	URL     string `json:"url"`
	Title   string `json:"title"`
	PageAge string `json:"page_age"` // "2 days ago"; may be empty
}

// A FetchedPage is a page that the service fetched.
type FetchedPage struct {
	URL       string
	Title     string
	Text      string // empty if the page is a PDF
	MediaType string // "text/plain" or "application/pdf"
	Retrieved time.Time
}

// CodeOutput is what code wrote in the service's container.
type CodeOutput struct {
	Stdout     string   `json:"stdout"` // empty if the service keeps it encrypted
	Stderr     string   `json:"stderr"`
	ReturnCode int      `json:"return_code"`
	Files      []string `json:"-"` // ids of the files it made
}

// ReadServerResult reads a result block of a server tool. It reports false for a
// block that is none. A result of a tool that this package doesn't know has no
// more than CallID, Tool and Err.
func ReadServerResult(b transport.Block) (ServerResult, bool) {
	tool, ok := strings.CutSuffix(b.Type(), "_tool_result")
	if !ok || tool == "" {
		return ServerResult{}, false
	}
	r := ServerResult{CallID: rawjson.GetString(b.Raw(), "tool_use_id"), Tool: tool}
	content := rawjson.Get(b.Raw(), "content")
	if code := rawjson.GetString(content, "error_code"); code != "" {
		r.Err = &ServerError{Code: code, Message: rawjson.GetString(content, "error_message")}
		return r, true
	}
	switch tool {
	case "web_search":
		for hit := range rawjson.Elements(content) {
			var h SearchHit
			if json.Unmarshal(hit, &h) == nil {
				r.Hits = append(r.Hits, h)
			}
		}
	case "web_fetch":
		document := rawjson.Get(content, "content")
		source := rawjson.Get(document, "source")
		r.Page = &FetchedPage{
			URL: rawjson.GetString(content, "url"), Title: rawjson.GetString(document, "title"), MediaType: rawjson.GetString(source, "media_type"),
		}
		r.Page.Retrieved, _ = time.Parse(time.RFC3339, rawjson.GetString(content, "retrieved_at"))
		if rawjson.GetString(source, "type") == "text" {
			r.Page.Text = rawjson.GetString(source, "data")
		}
	case "code_execution", "bash_code_execution":
		r.Output = new(CodeOutput)
		if err := json.Unmarshal(content, r.Output); err != nil {
			r.Err = &ServerError{Code: "unreadable", Message: fmt.Sprintf("the result can't be read: %v", err)}
		}
		for file := range rawjson.Elements(rawjson.Get(content, "content")) {
			r.Output.Files = append(r.Output.Files, rawjson.GetString(file, "file_id"))
		}
	case "text_editor_code_execution":
		r.Text = rawjson.GetString(content, "content")
	case "tool_search":
		for reference := range rawjson.Elements(rawjson.Get(content, "tool_references")) {
			r.Tools = append(r.Tools, rawjson.GetString(reference, "tool_name"))
		}
	case "advisor":
		r.Text = rawjson.GetString(content, "text")
	case "mcp":
		r.Text = mcpText(content)
		if string(rawjson.Get(b.Raw(), "is_error")) == "true" {
			r.Err = &ServerError{Code: "tool_error", Message: r.Text}
		}
	}
	return r, true
}

// mcpText is the text of an mcp_tool_result, which is a string or a list.
func mcpText(content []byte) string {
	if len(content) > 0 && content[0] == '"' {
		return rawjson.Unquote(content)
	}
	var parts []string
	for b := range rawjson.Elements(content) {
		parts = append(parts, rawjson.GetString(b, "text"))
	}
	return strings.Join(parts, "\n")
}
