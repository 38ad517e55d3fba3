package skills

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The format's bounds on characters (agentskills.io/specification).
const (
	maxName          = 64
	maxDescription   = 1024
	maxCompatibility = 500
)

// Bounds of our own on the YAML, which is a few short fields.
const (
	maxFrontMatter = 64 << 10
	maxDepth       = 16
)

var fields = []string{"allowed-tools", "compatibility", "description", "license", "metadata", "name"}

// mergeKey has a meaning of its own in YAML 1.1.
const mergeKey = "<<"

// A problem is an Error without its file.
type problem struct {
	line int
	text string
}

// parse reads a SKILL.md whose folder is called dir. It takes what skills-ref
// takes: front matter ends at the next "---", wherever that stands, and its YAML is
// the part of the language in which all scalars are strings, without anchors, tags
// and flow style.
func parse(content []byte, dir string) (*Skill, []problem) {
	if !utf8.Valid(content) {
		return nil, []problem{{0, "it is not UTF-8; save it in UTF-8"}}
	}
	if bytes.HasPrefix(content, []byte("\ufeff")) {
		return nil, []problem{{1, "it begins with a byte order mark, in front of the ---; save it without one"}}
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(content), "\r\n", "\n"), "\r", "\n")
	if !strings.HasPrefix(text, "---") {
		return nil, []problem{{1, "it has no front matter; begin it with a line ---, the fields name and description, and a line ---"}}
	}
	parts := strings.SplitN(text, "---", 3)
	if len(parts) < 3 {
		return nil, []problem{{1, "the front matter has no end; put a line --- behind its last field"}}
	}
	if len(parts[1]) > maxFrontMatter {
		return nil, []problem{{1, fmt.Sprintf("the front matter has %d bytes; at most %d are read", len(parts[1]), maxFrontMatter)}}
	}
	root, bad := parseYAML(parts[1])
	if bad != nil {
		return nil, []problem{*bad}
	}
	s := &Skill{Instructions: strings.TrimSpace(parts[2])}
	return s, s.fill(root, dir)
}

// parseYAML gives the mapping of front matter.
func parseYAML(text string) (*yaml.Node, *problem) {
	notMapping := &problem{1, "the front matter must be fields such as name: and description:"}
	if depth(text) > 8*maxDepth { // before anything is built of it
		return nil, &problem{1, fmt.Sprintf("the front matter is nested too deeply; at most %d levels are read", maxDepth)}
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r >= 0x7f && r <= 0x9f && r != 0x85 }); i >= 0 {
		return nil, &problem{1 + strings.Count(text[:i], "\n"), "there is a control character; take it away"}
	}
	var doc yaml.Node
	if err := yaml.Load([]byte(hideBreaks.Replace(text)), &doc); err != nil {
		var at *yaml.LoadError
		if errors.As(err, &at) && at.Mark.Line > 0 {
			return nil, &problem{at.Mark.Line, "the YAML is wrong: " + at.Message + "; put quotes around values with special characters"}
		}
		if strings.TrimSpace(text) == "" {
			return nil, notMapping
		}
		return nil, &problem{1, "the YAML is wrong: " + err.Error()}
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, notMapping
	}
	root := doc.Content[0]
	if bad := checkYAML(root, 0); bad != nil {
		return nil, bad
	}
	showHidden(root)
	if n := looseTab(text); n > 0 {
		return nil, &problem{n, "there is a tab outside of quotes; write spaces"}
	}
	if first := strings.TrimSpace(text); first == "..." || strings.HasPrefix(first, "...\n") {
		return nil, notMapping
	}
	if root.Kind != yaml.MappingNode {
		return nil, notMapping
	}
	return root, nil
}

// depth is how deeply the brackets of text may be nested at most.
func depth(text string) int {
	n, most := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			n++
			most = max(most, n)
		case ']', '}':
			n = max(n-1, 0)
		}
	}
	return most
}

// Characters that end a line in YAML 1.1 and none in 1.2, which skills-ref reads,
// are read as others. It reads U+0085 as a space.
var (
	hideBreaks = strings.NewReplacer("\u0085", " ", "\u2028", "\uE028", "\u2029", "\uE029")
	showBreaks = strings.NewReplacer("\uE028", "\u2028", "\uE029", "\u2029")
)

// showHidden undoes what hideBreaks has done to the texts below n.
func showHidden(n *yaml.Node) {
	n.Value = showBreaks.Replace(n.Value)
	for _, c := range n.Content {
		showHidden(c)
	}
}

// looseTab is the line of a tab that stands elsewhere than in quotes, in a block
// of text or in a comment, where skills-ref takes none; 0 if there is none. A tab
// is told from its surroundings by reading another character, which may stand
// wherever text may, in its place.
func looseTab(text string) int {
	const mark = "\uE000"
	i := strings.IndexByte(text, '\t')
	if i < 0 {
		return 0
	}
	var doc yaml.Node
	if yaml.Load([]byte(hideBreaks.Replace(strings.ReplaceAll(text, "\t", mark))), &doc) != nil {
		return 1 + strings.Count(text[:i], "\n")
	}
	var find func(n *yaml.Node) int
	find = func(n *yaml.Node) int {
		if n.Kind == yaml.ScalarNode && n.Style == 0 && strings.Contains(n.Value, mark) {
			return n.Line
		}
		for _, c := range n.Content {
			if line := find(c); line > 0 {
				return line
			}
		}
		return 0
	}
	return find(&doc)
}

// checkYAML finds what the format's YAML doesn't have.
func checkYAML(n *yaml.Node, level int) *problem {
	switch {
	case level > maxDepth:
		return &problem{n.Line, fmt.Sprintf("the front matter is nested too deeply; at most %d levels are read", maxDepth)}
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return &problem{n.Line, "anchors and aliases (& and *) are not allowed; write the value out, in quotes if it is text"}
	case n.Style&yaml.TaggedStyle != 0:
		return &problem{n.Line, "tags (!) are not allowed; put quotes around the value"}
	case n.Style&yaml.FlowStyle != 0:
		return &problem{n.Line, "lists and mappings in brackets are not allowed; write one entry per line, or put quotes around text"}
	}
	seen := map[string]bool{}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			switch {
			case c.Kind == yaml.ScalarNode && seen[c.Value]:
				return &problem{c.Line, fmt.Sprintf("the field %q is there twice; keep one", c.Value)}
			case c.Kind != yaml.ScalarNode:
				return &problem{c.Line, "a field's name must be text"}
			case c.Value == mergeKey && n.Content[i+1].Kind == yaml.ScalarNode:
				return &problem{c.Line, "the field << takes fields, not text; leave it out"}
			}
			seen[c.Value] = true
		}
		if bad := checkYAML(c, level+1); bad != nil {
			return bad
		}
	}
	return nil
}

// fill sets the skill's fields and returns what is wrong with them.
func (s *Skill) fill(root *yaml.Node, dir string) (bad []problem) {
	found := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		found[key.Value] = true
		scalar := value.Kind == yaml.ScalarNode
		add := func(format string, args ...any) { bad = append(bad, problem{value.Line, fmt.Sprintf(format, args...)}) }
		switch key.Value {
		case "name":
			s.Name = normal(value.Value)
			if !scalar || s.Name == "" {
				add("the name must be text, and not empty")
				continue
			}
			for _, text := range checkName(s.Name, dir) {
				add("%s", text)
			}
		case "description":
			s.Description = strings.TrimSpace(value.Value)
			if n := utf8.RuneCountInString(value.Value); !scalar || s.Description == "" {
				add("the description must be text, and not empty; say what the skill does and when to use it")
			} else if n > maxDescription {
				add("the description has %d characters; at most %d are allowed", n, maxDescription)
			}
		case "compatibility":
			s.Compatibility = value.Value
			if n := utf8.RuneCountInString(value.Value); !scalar {
				add("compatibility must be text")
			} else if n > maxCompatibility {
				add("compatibility has %d characters; at most %d are allowed", n, maxCompatibility)
			}
		case mergeKey: // skills-ref passes over it
		case "license":
			s.License = value.Value
		case "allowed-tools":
			s.allowed = parseAllowed(value)
		case "metadata":
			s.Metadata = texts(value)
		default:
			bad = append(bad, problem{key.Line, fmt.Sprintf("the format has no field %q; it has %s; put your own under metadata", key.Value, strings.Join(fields, ", "))})
		}
	}
	for _, name := range []string{"name", "description"} {
		if !found[name] {
			bad = append(bad, problem{1, fmt.Sprintf("the front matter has no field %s; add it", name)})
		}
	}
	return bad
}

// texts are the fields of a mapping that are text.
func texts(n *yaml.Node) map[string]string {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	m := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := n.Content[i+1]; v.Kind == yaml.ScalarNode {
			m[n.Content[i].Value] = v.Value
		}
	}
	return m
}

// parseAllowed reads allowed-tools: a text with spaces or commas between the
// entries, or a list.
func parseAllowed(n *yaml.Node) []allowed {
	var list []allowed
	switch n.Kind {
	case yaml.ScalarNode:
		for _, entry := range splitAllowed(n.Value) {
			list = append(list, newAllowed(entry))
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind == yaml.ScalarNode {
				list = append(list, newAllowed(strings.TrimSpace(c.Value)))
			}
		}
	}
	return slices.DeleteFunc(list, func(a allowed) bool { return a.tool == "" })
}
