package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Resources lists all of the server's resources. The list is empty if the server has
// none.
func (c *Client) Resources(ctx context.Context) ([]*sdk.Resource, error) {
	if !c.offers(ctx, func(o *sdk.ServerCapabilities) bool { return o.Resources != nil }) {
		return nil, nil
	}
	return listed(ctx, c, "resources", func(ctx context.Context, s *session, cursor string) ([]*sdk.Resource, string, error) {
		r, err := s.ListResources(ctx, &sdk.ListResourcesParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return r.Resources, r.NextCursor, nil
	})
}

// ResourceTemplates lists the URI templates (RFC 6570) of the server's resources.
func (c *Client) ResourceTemplates(ctx context.Context) ([]*sdk.ResourceTemplate, error) {
	if !c.offers(ctx, func(o *sdk.ServerCapabilities) bool { return o.Resources != nil }) {
		return nil, nil
	}
	return listed(ctx, c, "resource templates", func(ctx context.Context, s *session, cursor string) ([]*sdk.ResourceTemplate, string, error) {
		r, err := s.ListResourceTemplates(ctx, &sdk.ListResourceTemplatesParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return r.ResourceTemplates, r.NextCursor, nil
	})
}

// ReadResource reads a resource, as blocks for a message: pictures, PDFs and texts by
// what their bytes are. Content for which the Messages API has no block is described in
// text.
func (c *Client) ReadResource(ctx context.Context, uri string) ([]transport.Block, error) {
	r, err := read(ctx, c, "resource "+uri, func(ctx context.Context, s *session) (*sdk.ReadResourceResult, error) {
		return s.ReadResource(ctx, &sdk.ReadResourceParams{URI: uri})
	})
	switch {
	case err != nil:
		return nil, err
	case r.NeedsInput():
		return nil, fmt.Errorf("mcp: the server asks the user before it gives the resource %s; it can do so only in calls of tools", uri)
	}
	w := &resultWriter{hide: c.hide}
	for _, contents := range r.Contents {
		w.content(&sdk.EmbeddedResource{Resource: contents})
	}
	if len(w.blocks) == 0 {
		w.text("[the resource " + uri + " is empty]")
	}
	return w.blocks, nil
}

// ResourceTools returns two tools for the model, list_resources and read_resource, with
// Options.Prefix before their names. Options.Traits is called for them as for the
// server's own tools.
func (c *Client) ResourceTools() []tools.Tool {
	options := func(name string) tools.Options {
		return tools.Options{Traits: c.options.traits(&sdk.Tool{Name: name, Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true}})}
	}
	return []tools.Tool{
		tools.RawWith(c.options.Prefix+"list_resources", "Lists what can be read with "+c.options.Prefix+"read_resource: one resource a line, its URI first. Templates are URIs with parts to fill in, in braces.",
			json.RawMessage(`{"type":"object","properties":{}}`), func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				text, err := c.resourceList(ctx)
				return tools.Text(text), err
			}, options("list_resources")),
		tools.RawWith(c.options.Prefix+"read_resource", "Reads a resource that "+c.options.Prefix+"list_resources has listed.",
			json.RawMessage(`{"type":"object","properties":{"uri":{"type":"string","description":"URI of the resource"}},"required":["uri"]}`),
			func(ctx context.Context, input json.RawMessage) (tools.Result, error) {
				var in struct{ URI string }
				if err := json.Unmarshal(input, &in); err != nil {
					return tools.Result{}, err
				}
				blocks, err := c.ReadResource(ctx, in.URI)
				return tools.Result{Content: blocks}, err
			}, options("read_resource")),
	}
}

func (c *Client) resourceList(ctx context.Context) (string, error) {
	resources, err := c.Resources(ctx)
	if err != nil {
		return "", err
	}
	templates, err := c.ResourceTemplates(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	line := func(uri, name, description, kind string) {
		fmt.Fprintf(&b, "%s  %s", uri, name)
		if kind != "" {
			fmt.Fprintf(&b, " (%s)", kind)
		}
		if description != "" {
			b.WriteString(": " + strings.Join(strings.Fields(description), " "))
		}
		b.WriteByte('\n')
	}
	for _, r := range resources {
		line(r.URI, r.Name, r.Description, r.MIMEType)
	}
	if len(templates) > 0 {
		b.WriteString("Templates:\n")
		for _, t := range templates {
			line(t.URITemplate, t.Name, t.Description, t.MIMEType)
		}
	}
	if b.Len() == 0 {
		return "The server has no resources.", nil
	}
	return c.hide.text(b.String()), nil
}

// Prompts lists all of the server's prompts. The list is empty if the server has none.
func (c *Client) Prompts(ctx context.Context) ([]*sdk.Prompt, error) {
	if !c.offers(ctx, func(o *sdk.ServerCapabilities) bool { return o.Prompts != nil }) {
		return nil, nil
	}
	return listed(ctx, c, "prompts", func(ctx context.Context, s *session, cursor string) ([]*sdk.Prompt, string, error) {
		r, err := s.ListPrompts(ctx, &sdk.ListPromptsParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return r.Prompts, r.NextCursor, nil
	})
}

// Prompt returns a prompt with its arguments filled in, as messages to begin a
// conversation with. The server writes messages in the user's name: show them to the
// user, or use only prompts of servers that you trust.
func (c *Client) Prompt(ctx context.Context, name string, arguments map[string]string) ([]transport.Message, error) {
	r, err := read(ctx, c, "prompt "+name, func(ctx context.Context, s *session) (*sdk.GetPromptResult, error) {
		return s.GetPrompt(ctx, &sdk.GetPromptParams{Name: name, Arguments: arguments})
	})
	switch {
	case err != nil:
		return nil, err
	case r.NeedsInput():
		return nil, fmt.Errorf("mcp: the server asks the user before it gives the prompt %s; it can do so only in calls of tools", name)
	}
	var messages []transport.Message
	for _, m := range r.Messages {
		role := transport.RoleUser
		if m.Role == "assistant" {
			role = transport.RoleAssistant
		}
		w := &resultWriter{hide: c.hide}
		w.content(m.Content)
		if n := len(messages); n > 0 && messages[n-1].Role == role {
			messages[n-1].Content = append(messages[n-1].Content, w.blocks...)
			continue
		}
		messages = append(messages, transport.Message{Role: role, Content: w.blocks})
	}
	return messages, nil
}

// offers reports whether the server says that it has a feature. An error is left
// to the request that follows.
func (c *Client) offers(ctx context.Context, has func(*sdk.ServerCapabilities) bool) bool {
	s, err := c.current(ctx)
	if err != nil {
		return true
	}
	init := s.InitializeResult()
	return init == nil || init.Capabilities == nil || has(init.Capabilities)
}
