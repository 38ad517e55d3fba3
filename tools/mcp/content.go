package mcp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Texts of resources stay documents up to this size in one result. What is more
// becomes plain text, which the limits of a result count and cut.
const maxDocumentBytes = 32 << 10

// resultOf makes of a server's result what the model sees. Pictures, documents
// and texts stay what they are, whatever type the server says they have: the bytes
// decide. What the Messages API has no block for, such as sound, is told of in
// words. A structured result is added where the texts don't tell all of it.
func resultOf(r *sdk.CallToolResult, hide hider) tools.Result {
	w := &resultWriter{hide: hide, failed: r.IsError}
	for _, content := range r.Content {
		w.content(content)
	}
	if raw := structured(r.StructuredContent); raw != nil && !tells(w.said.String(), raw) {
		w.text(string(raw))
	}
	return tools.Result{IsError: r.IsError, Content: w.blocks}
}

type resultWriter struct {
	hide      hider
	failed    bool
	blocks    []transport.Block
	said      strings.Builder // all texts
	documents int             // bytes of text in documents
	media     media.Total
}

func (w *resultWriter) text(s string) {
	s = w.hide.text(s)
	w.said.WriteString(s)
	w.said.WriteByte('\n')
	w.blocks = append(w.blocks, transport.Text(s))
}

func (w *resultWriter) content(content sdk.Content) {
	switch c := content.(type) {
	case *sdk.TextContent:
		w.text(c.Text)
	case *sdk.ImageContent:
		if strings.HasPrefix(c.MIMEType, "image/svg") || !isText(c.Data) {
			w.data("a picture", c.MIMEType, "", c.Data)
		} else {
			w.text(notice("a picture", c.MIMEType, len(c.Data)))
		}
	case *sdk.AudioContent:
		w.text(notice("sound", c.MIMEType, len(c.Data)))
	case *sdk.ResourceLink:
		text := fmt.Sprintf("[resource %s: %s]", c.Name, c.URI)
		if c.Description != "" {
			text += " " + c.Description
		}
		w.text(text)
	case *sdk.EmbeddedResource:
		switch r := c.Resource; {
		case r == nil:
			w.text("[an empty resource]")
		case len(r.Blob) > 0:
			w.data("the resource "+r.URI, r.MIMEType, r.URI, r.Blob)
			if r.Text != "" {
				w.document(r.URI, r.Text)
			}
		case r.Text != "":
			w.document(r.URI, r.Text)
		default:
			w.text("[the resource " + r.URI + " is empty]")
		}
	default:
		raw, err := content.MarshalJSON()
		if err != nil {
			raw = fmt.Appendf(nil, "[left out: %v]", err)
		}
		w.text(string(raw))
	}
}

// document adds a text with its title. An error can hold text only.
func (w *resultWriter) document(title, text string) {
	text = w.hide.text(text)
	if w.failed || w.documents+len(text) > maxDocumentBytes {
		w.text("[" + title + "]\n" + text)
		return
	}
	w.documents += len(text)
	w.said.WriteString(text)
	w.said.WriteByte('\n')
	w.block(tools.Document{Text: text, Title: clipTitle(w.hide.text(title))}.Block())
}

// data adds what the bytes are.
func (w *resultWriter) data(what, kind, uri string, data []byte) {
	picture, err := media.ReadPicture(data)
	if !errors.Is(err, media.ErrFormat) {
		if err == nil {
			err = picture.Check(media.Limits{})
		}
		if err == nil {
			w.block(tools.Image{Data: data, MediaType: picture.MediaType}.Block())
		} else {
			w.text(fmt.Sprintf("[%s left out: %v]", what, err))
		}
		return
	}
	pdf, err := media.ReadPDF(data)
	switch {
	case !errors.Is(err, media.ErrFormat):
		if err == nil {
			err = pdf.Check(media.Limits{})
		}
		if err == nil {
			w.block(tools.Document{Data: data, Title: clipTitle(w.hide.text(uri))}.Block())
		} else {
			w.text(fmt.Sprintf("[%s left out: %v]", what, err))
		}
	case !isText(data):
		w.text(notice(what, kind, len(data)))
	default:
		w.document(uri, strings.TrimPrefix(string(data), "\ufeff"))
	}
}

// block adds a picture or a document, if a request can hold it beside the others.
func (w *resultWriter) block(b transport.Block, err error) {
	if err == nil {
		before := w.media
		if err = w.media.Add(b.Raw()); err == nil {
			err = w.media.Check(0)
		}
		if err != nil {
			w.media = before
		}
	}
	if err != nil { // what else there is, is still worth having
		w.text(fmt.Sprintf("[left out: %v]", err))
		return
	}
	w.blocks = append(w.blocks, b)
}

// isText reports whether data is text: UTF-8 without control characters.
func isText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' && r != '\x1b'
	})
}

// structured is a structured result as the server wrote it; nil if there is none.
func structured(v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case string: // mendResult has put it there
		return []byte(v)
	}
	raw, err := rawjson.Marshal(v)
	if err != nil {
		return fmt.Appendf(nil, "[left out: the structured result can't be encoded: %v]", err)
	}
	return raw
}

// tells reports whether a text tells all that a structured result holds: each of
// its strings and numbers. Servers are to send the same as text, but in many forms.
func tells(text string, raw []byte) bool {
	if strings.TrimSpace(text) == "" {
		return false
	}
	if strings.Contains(text, string(raw)) {
		return true
	}
	const mostWork = 50 << 20 // bytes looked through
	work := 0
	var all func(raw []byte) bool
	all = func(raw []byte) bool {
		if raw = rawjson.Trim(raw); len(raw) == 0 {
			return true
		}
		switch raw[0] {
		case '{':
			for _, v := range rawjson.Members(raw) {
				if !all(v) {
					return false
				}
			}
			return true
		case '[':
			for v := range rawjson.Elements(raw) {
				if !all(v) {
					return false
				}
			}
			return true
		case 't', 'f', 'n':
			return true
		}
		if work += len(text); work > mostWork {
			return false
		}
		if raw[0] == '"' {
			return strings.Contains(text, string(raw[1:len(raw)-1])) || strings.Contains(text, rawjson.Unquote(raw))
		}
		return strings.Contains(text, string(raw))
	}
	return all(raw)
}

// clipTitle keeps of a title what the service takes.
func clipTitle(s string) string {
	first, _ := runes.First(s, 500)
	return first
}

func notice(what, kind string, size int) string {
	return fmt.Sprintf("[%s of type %s, %d bytes, which can't be shown]", what, kind, size)
}

// contentOf is the way back: what an MCP client sees of a block.
func contentOf(b transport.Block) sdk.Content {
	source := rawjson.Get(b.Raw(), "source")
	switch b.Type() {
	case transport.TypeText:
		return &sdk.TextContent{Text: rawjson.GetString(b.Raw(), "text")}
	case transport.TypeImage:
		if data, err := base64.StdEncoding.DecodeString(rawjson.GetString(source, "data")); err == nil && len(data) > 0 {
			return &sdk.ImageContent{Data: data, MIMEType: rawjson.GetString(source, "media_type")}
		}
	case transport.TypeDocument:
		r := &sdk.ResourceContents{URI: "document:" + rawjson.GetString(b.Raw(), "title"), MIMEType: rawjson.GetString(source, "media_type")}
		switch rawjson.GetString(source, "type") {
		case "text":
			r.Text = rawjson.GetString(source, "data")
			return &sdk.EmbeddedResource{Resource: r}
		case "base64":
			if data, err := base64.StdEncoding.DecodeString(rawjson.GetString(source, "data")); err == nil {
				r.Blob = data
				return &sdk.EmbeddedResource{Resource: r}
			}
		}
	}
	if b.Type() == "audio" {
		if data, err := base64.StdEncoding.DecodeString(rawjson.GetString(b.Raw(), "data")); err == nil && len(data) > 0 {
			return &sdk.AudioContent{Data: data, MIMEType: rawjson.GetString(b.Raw(), "mimeType")}
		}
	}
	return &sdk.TextContent{Text: string(b.Raw())}
}
