package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/dialect"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Bounds of a server's lists. A list beyond them is an error; a description beyond
// them is cut, and says so.
const (
	maxPages       = 1000
	maxItems       = 10_000
	maxListBytes   = 32 << 20
	maxDescription = 32 << 10
)

// Tools lists the server's present tools, sorted by name. If the connection is broken, it
// connects again.
//
// Tools leaves out a tool that can't be used, such as one without a name.
// [Options].Logger logs the changes to other tools. Tools whose names become the same are
// numbered: "a_b", "a_b_2". Tools fails if a tool of [Options].Only is missing, or if the
// list exceeds 10,000 tools, 1,000 pages or 32 MiB.
func (c *Client) Tools(ctx context.Context) ([]tools.Tool, error) {
	all, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	var listed []*sdk.Tool
	for _, t := range all {
		switch {
		case found[t.Name]:
			c.log.Warn("mcp: the server lists a tool twice; the second was left out", "tool", t.Name)
			continue
		case len(c.options.Only) > 0 && !slices.Contains(c.options.Only, t.Name), slices.Contains(c.options.Not, t.Name):
		default:
			listed = append(listed, t)
		}
		found[t.Name] = true
	}
	for _, name := range c.options.Only {
		if !found[name] {
			return nil, fmt.Errorf("mcp: the server has no tool %q", name)
		}
	}
	slices.SortFunc(listed, func(a, b *sdk.Tool) int { return strings.Compare(a.Name, b.Name) })
	names := c.names(listed)
	set := make([]tools.Tool, 0, len(listed))
	for i, t := range listed {
		tool, err := c.tool(names[i], t)
		if err != nil {
			c.log.Warn("mcp: a tool of the server was left out", "tool", t.Name, "reason", err.Error())
			if slices.Contains(c.options.Only, t.Name) {
				return nil, err
			}
			continue
		}
		set = append(set, tool)
	}
	return set, nil
}

// list asks for all pages of tools.
func (c *Client) list(ctx context.Context) ([]*sdk.Tool, error) {
	return listed(ctx, c, "tools", func(ctx context.Context, s *session, cursor string) ([]*sdk.Tool, string, error) {
		r, err := s.ListTools(ctx, &sdk.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return r.Tools, r.NextCursor, nil
	})
}

var notInName = regexp.MustCompile(`[^a-zA-Z0-9_-]+`)

const maxName = 128

// names are those that the Messages API takes, each for one tool. A tool whose own
// name can be taken keeps it.
func (c *Client) names(listed []*sdk.Tool) []string {
	names := make([]string, len(listed))
	taken := map[string]bool{}
	for i, t := range listed {
		if name := c.options.Prefix + t.Name; name == cleanName(name) {
			names[i], taken[name] = name, true
		}
	}
	for i, t := range listed {
		if names[i] != "" {
			continue
		}
		clean := cleanName(c.options.Prefix + t.Name)
		name := clean
		for n := 2; taken[name]; n++ {
			number := fmt.Sprintf("_%d", n)
			name = clean[:min(len(clean), maxName-len(number))] + number
		}
		names[i], taken[name] = name, true
		c.log.Info("mcp: a tool goes by another name", "tool", t.Name, "name", name)
	}
	return names
}

// cleanName makes of a server's name one that the Messages API takes.
func cleanName(name string) string {
	name = notInName.ReplaceAllString(name, "_")
	return name[:min(len(name), maxName)]
}

// tool makes a tool of the server's. A schema that the Messages API doesn't take
// is translated, keyword by keyword; the server checks the arguments in any case.
func (c *Client) tool(name string, t *sdk.Tool) (tools.Tool, error) {
	raw, err := serversSchema(t)
	if err != nil {
		return nil, fmt.Errorf("mcp: tool %q: its schema can't be encoded: %w", t.Name, err)
	}
	o := tools.Options{Traits: c.options.traits(withoutRaw(t))}
	anything := dialect.Schema{Sent: json.RawMessage(`{"type":"object"}`)}
	given, err := dialect.Translate(raw)
	if err != nil {
		c.log.Warn("mcp: a tool takes any arguments, since its schema can't be read", "tool", t.Name, "reason", err.Error())
		given = anything
	}
	for _, change := range given.Changes {
		level := slog.LevelInfo
		if change.Mistake {
			level = slog.LevelWarn
		}
		c.log.Log(context.Background(), level, "mcp: the schema of a tool was changed", "tool", t.Name, "change", change.String())
	}
	for _, schema := range []dialect.Schema{given, anything} {
		var tool tools.Tool
		if tool, err = c.build(name, t, schema.Sent, o); err == nil {
			return tool, nil
		}
		c.log.Warn("mcp: the schema of a tool can't be used", "tool", t.Name, "reason", err.Error())
	}
	return nil, fmt.Errorf("mcp: %w", err)
}

func (c *Client) build(name string, t *sdk.Tool, schema json.RawMessage, o tools.Options) (tools.Tool, error) {
	sent, servers := safeKeys(schema)
	for ours, theirs := range servers {
		c.log.Info("mcp: an argument goes by another name", "tool", t.Name, "argument", theirs, "name", ours)
	}
	description := t.Description
	if len(description) > maxDescription {
		c.log.Warn("mcp: the description of a tool was cut", "tool", t.Name, "bytes", len(description), "bytes_taken", maxDescription)
		description = fmt.Sprintf("%s [cut: the description has %d bytes]", runes.Cut(description, maxDescription), len(description))
	}
	call := func(ctx context.Context, input json.RawMessage) (tools.Result, error) {
		return c.call(ctx, t.Name, serversArguments(input, servers))
	}
	tool := tools.RawWith(name, c.hide.text(description), sent, call, o)
	if _, err := tool.Definition(); err != nil {
		return nil, err
	}
	if len(servers) > 0 {
		return &serverTool{FuncTool: tool, servers: servers}, nil
	}
	return tool, nil
}

// withoutRaw is a tool without what mendTool has added. The SDK keeps the tool itself
// as long as the server's ttl says, so that is not to be changed.
func withoutRaw(t *sdk.Tool) *sdk.Tool {
	own := *t
	own.Meta = maps.Clone(t.Meta)
	delete(own.Meta, rawSchema)
	return &own
}

// serversSchema is a tool's schema as the server wrote it.
func serversSchema(t *sdk.Tool) (json.RawMessage, error) {
	if raw, ok := t.Meta[rawSchema].(string); ok {
		return json.RawMessage(cmp.Or(raw, "null")), nil
	}
	return rawjson.Marshal(t.InputSchema)
}
