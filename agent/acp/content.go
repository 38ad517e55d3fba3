package acp

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// message is what the user says, as a message to the model.
func message(blocks []sdk.ContentBlock) (transport.Message, error) {
	m := transport.Message{Role: transport.RoleUser}
	for i, b := range blocks {
		var block transport.Block
		var err error
		switch {
		case b.Text != nil:
			if strings.TrimSpace(b.Text.Text) == "" {
				continue // the service doesn't take it
			}
			block = transport.Text(b.Text.Text)
		case b.Image != nil:
			data, decodeErr := base64.StdEncoding.DecodeString(b.Image.Data)
			if decodeErr != nil {
				return m, bad("block %d: the picture is not base64: %v", i, decodeErr)
			}
			block, err = transport.Image{Data: data, MediaType: b.Image.MimeType}.Block()
		case b.ResourceLink != nil:
			block = transport.Text("[" + b.ResourceLink.Name + "](" + b.ResourceLink.Uri + ")")
		case b.Resource != nil:
			block, err = resource(b.Resource.Resource)
		case b.Audio != nil:
			return m, bad("block %d: the models take no audio", i)
		default:
			return m, bad("block %d is of a type that this agent doesn't know", i)
		}
		if err != nil {
			return m, bad("block %d: %v", i, err)
		}
		m.Content = append(m.Content, block)
	}
	if len(m.Content) == 0 {
		return m, bad("the prompt is empty")
	}
	return m, nil
}

// resource is a file that the editor has put into the prompt.
func resource(r sdk.EmbeddedResourceResource) (transport.Block, error) {
	switch {
	case r.TextResourceContents != nil:
		t := r.TextResourceContents
		if strings.TrimSpace(t.Text) == "" {
			return transport.Text("[" + t.Uri + "] is empty."), nil
		}
		return transport.Document{Text: t.Text, Title: short(t.Uri)}.Block()
	case r.BlobResourceContents != nil:
		data, err := base64.StdEncoding.DecodeString(r.BlobResourceContents.Blob)
		if err != nil {
			return transport.Block{}, err
		}
		kind := ""
		if m := r.BlobResourceContents.MimeType; m != nil {
			kind = *m
		}
		if strings.HasPrefix(kind, "image/") {
			return transport.Image{Data: data, MediaType: kind}.Block()
		}
		return transport.Document{Data: data, Title: short(r.BlobResourceContents.Uri)}.Block()
	}
	return transport.Block{}, bad("the resource has no content")
}

// short is the end of an address, within what a title may have.
func short(uri string) string {
	const most = 500
	if r := []rune(uri); len(r) > most {
		return string(r[len(r)-most:])
	}
	return uri
}

// content is a block of the conversation for the editor; false if it has nothing to show.
func content(b transport.Block) (sdk.ContentBlock, bool) {
	raw := b.Raw()
	switch b.Type() {
	case transport.TypeText:
		return sdk.TextBlock(rawjson.GetString(raw, "text")), true
	case transport.TypeImage:
		source := rawjson.Get(raw, "source")
		if rawjson.GetString(source, "type") == "base64" {
			return sdk.ImageBlock(rawjson.GetString(source, "data"), rawjson.GetString(source, "media_type")), true
		}
		return sdk.TextBlock("(a picture)"), true
	case transport.TypeDocument:
		title := rawjson.GetString(raw, "title")
		if title == "" {
			title = "document"
		}
		return sdk.TextBlock("(" + title + ")"), true
	}
	return sdk.ContentBlock{}, false
}

// results are a result's content, for the editor.
func results(b transport.Block) (list []sdk.ToolCallContent) {
	c := rawjson.Get(b.Raw(), "content")
	if len(c) > 0 && c[0] == '"' {
		return []sdk.ToolCallContent{sdk.ToolContent(sdk.TextBlock(rawjson.Unquote(c)))}
	}
	if len(c) == 0 || c[0] != '[' {
		return nil
	}
	for raw := range rawjson.Elements(c) {
		inner, err := transport.ParseBlock(raw)
		if err != nil {
			continue
		}
		if shown, ok := content(inner); ok {
			list = append(list, sdk.ToolContent(shown))
		}
	}
	return list
}

// kinds are those of tools by their names; an editor chooses an icon by it.
var kinds = map[string]sdk.ToolKind{
	"read_file": sdk.ToolKindRead, "list_files": sdk.ToolKindSearch, "search_files": sdk.ToolKindSearch,
	"edit_file": sdk.ToolKindEdit, "write_file": sdk.ToolKindEdit, "str_replace_based_edit_tool": sdk.ToolKindEdit,
	"bash": sdk.ToolKindExecute, "run_command": sdk.ToolKindExecute, "code_execution": sdk.ToolKindExecute,
	"web_fetch": sdk.ToolKindFetch, "web_search": sdk.ToolKindSearch, "todo": sdk.ToolKindThink,
}

func kindOf(tool string) sdk.ToolKind {
	if k, ok := kinds[tool]; ok {
		return k
	}
	return sdk.ToolKindOther
}

// titleOf is a line about a call: its tool, and what it is about.
func titleOf(name string, input json.RawMessage) string {
	for _, member := range []string{"path", "command", "url", "query", "pattern"} {
		if s := rawjson.GetString(input, member); s != "" {
			return name + ": " + runes.Line(s, 100)
		}
	}
	return name
}

// locations are the files that a call is about, for an editor that follows along.
func (v *session) locations(input json.RawMessage) []sdk.ToolCallLocation {
	path := rawjson.GetString(input, "path")
	if path == "" {
		return nil
	}
	return []sdk.ToolCallLocation{{Path: v.absolute(path)}}
}

func (v *session) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	return filepath.Join(v.dir, filepath.FromSlash(path))
}

// diff is the change that a call of a tool for files is about; nil for other calls.
func (v *session) diff(name string, input json.RawMessage) []sdk.ToolCallContent {
	path := rawjson.GetString(input, "path")
	switch {
	case path == "":
	case name == editName:
		return []sdk.ToolCallContent{sdk.ToolDiffContent(v.absolute(path), rawjson.GetString(input, "new"), rawjson.GetString(input, "old"))}
	case name == writeName:
		return []sdk.ToolCallContent{sdk.ToolDiffContent(v.absolute(path), rawjson.GetString(input, "text"))}
	}
	return nil
}
