package reader

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
)

// kit is what the request gives the reader to work with, found by the tools'
// schemas and descriptions, so that any search and read tools will do.
type kit struct {
	search, read, list, calculate *toolUse
	webSearch, webFetch           bool
}

// toolUse is a tool and the names of the parameters that matter here.
type toolUse struct {
	name           string
	query, under   string // of a search; query is also the pattern of a list
	path, from, to string // of a read
	count          string // how many results, or lines
	countMode      bool   // reads by a count of lines
}

type schema struct {
	Properties map[string]struct {
		Type any `json:"type"`
	} `json:"properties"`
	Required []string `json:"required"`
}

func findTools(defs []transport.ToolDefinition) kit {
	var k kit
	for _, d := range defs {
		switch typ := d.Type(); {
		case strings.HasPrefix(typ, "web_search_"):
			k.webSearch = true
			continue
		case strings.HasPrefix(typ, "web_fetch_"):
			k.webFetch = true
			continue
		case typ != "" && typ != "custom":
			continue
		}
		var def struct {
			Description string `json:"description"`
			InputSchema schema `json:"input_schema"`
		}
		if json.Unmarshal(d.Raw(), &def) != nil {
			continue
		}
		s := def.InputSchema
		u := &toolUse{
			name:  d.Name(),
			query: s.param("query", "q", "search", "keywords", "terms", "text", "pattern", "regex"),
			under: s.param("under", "path", "prefix", "folder", "dir", "directory"),
			path:  s.param("path", "file", "filename", "file_path", "filepath", "name"),
			from:  s.param("from", "start", "start_line", "line_start", "first", "offset", "line"),
			to:    s.param("to", "end", "end_line", "line_end", "last"),
			count: s.param("limit", "count", "max_results", "n", "num_lines"),
		}
		u.countMode = u.to == "" && u.count != ""
		about := strings.ToLower(d.Name() + " " + def.Description)
		has := func(words ...string) bool {
			return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(about, w) })
		}
		switch {
		case s.param("expression", "expr", "formula") != "":
			u.query = s.param("expression", "expr", "formula")
			k.calculate = cmp.Or(k.calculate, u)
		case u.path != "" && u.from != "" && has("read", "line", "view", "show", "open", "content"):
			k.read = cmp.Or(k.read, u)
		case has("list", "glob") && !has("search") || u.query == "pattern" && has("files") && !has("content"):
			u.query = s.param("pattern", "prefix", "glob", "query", "path", "dir", "folder")
			k.list = cmp.Or(k.list, u)
		case u.query != "" && s.onlyRequires(u.query):
			k.search = cmp.Or(k.search, u)
		case u.path != "" && s.onlyRequires(u.path) && has("read", "view", "open", "content"):
			k.read = cmp.Or(k.read, u)
		}
	}
	return k
}

// param finds the first of names that is a property.
func (s schema) param(names ...string) string {
	for _, n := range names {
		if _, ok := s.Properties[n]; ok {
			return n
		}
	}
	return ""
}

func (s schema) onlyRequires(name string) bool {
	return !slices.ContainsFunc(s.Required, func(r string) bool { return r != name })
}
