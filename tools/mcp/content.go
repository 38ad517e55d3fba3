package mcp

import (
	"encoding/base64"
	"fmt"
	"slices"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// resultOf makes of a server's result what the model sees. Pictures, documents
// and texts stay what they are; what the Messages API has no block for, such as
// sound, is told of in words. A structured result is left to the text that goes
// with it, and written as JSON where there is none.
func resultOf(r *sdk.CallToolResult) (tools.Result, error) {
	out := tools.Result{IsError: r.IsError}
	for _, content := range r.Content {
		b, err := blockOf(content)
		if err != nil { // what else there is, is still worth having
			b = transport.Text(fmt.Sprintf("[left out: %v]", err))
		}
		out.Content = append(out.Content, b)
	}
	if len(r.Content) == 0 && r.StructuredContent != nil {
		raw, err := rawjson.Marshal(r.StructuredContent)
		if err != nil {
			return tools.Result{}, fmt.Errorf("the server's structured result can't be encoded: %w", err)
		}
		out.Content = []transport.Block{transport.Text(string(raw))}
	}
	return out, nil
}

func blockOf(content sdk.Content) (transport.Block, error) {
	switch c := content.(type) {
	case *sdk.TextContent:
		return transport.Text(c.Text), nil
	case *sdk.ImageContent:
		if slices.Contains(pictures, c.MIMEType) {
			return tools.Image{Data: c.Data, MediaType: c.MIMEType}.Block()
		}
		return notice("a picture", c.MIMEType, len(c.Data)), nil
	case *sdk.AudioContent:
		return notice("sound", c.MIMEType, len(c.Data)), nil
	case *sdk.ResourceLink:
		text := fmt.Sprintf("[resource %s: %s]", c.Name, c.URI)
		if c.Description != "" {
			text += " " + c.Description
		}
		return transport.Text(text), nil
	case *sdk.EmbeddedResource:
		return resource(c.Resource)
	}
	raw, err := content.MarshalJSON()
	return transport.Text(string(raw)), err
}

func resource(r *sdk.ResourceContents) (transport.Block, error) {
	switch {
	case r == nil:
		return transport.Text("[an empty resource]"), nil
	case slices.Contains(pictures, r.MIMEType) && len(r.Blob) > 0:
		return tools.Image{Data: r.Blob, MediaType: r.MIMEType}.Block()
	case r.MIMEType == "application/pdf" && len(r.Blob) > 0:
		return tools.Document{Data: r.Blob, Title: clipTitle(r.URI)}.Block()
	case r.Text != "":
		return tools.Document{Text: r.Text, Title: clipTitle(r.URI)}.Block()
	case len(r.Blob) > 0:
		return notice("the resource "+r.URI, r.MIMEType, len(r.Blob)), nil
	}
	return transport.Text("[the resource " + r.URI + " is empty]"), nil
}

// clipTitle keeps of a title what the service takes.
func clipTitle(s string) string {
	const most = 500
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

func notice(what, kind string, size int) transport.Block {
	return transport.Text(fmt.Sprintf("[%s of type %s, %d bytes, which can't be shown]", what, kind, size))
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
	return &sdk.TextContent{Text: string(b.Raw())}
}
