package reader

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// transcript is what has been asked and found out so far, taken from a
// request's messages.
type transcript struct {
	question string
	rounds   int    // responses since the question
	calls    []call // since the question, in order
	hits     []hit
	passages int                       // groups of hits
	opened   map[string]map[int]string // lines that were read, not only found
	files    map[string]map[int]string // lines seen, by path and number
	counts   map[string]int            // in how many passages a word is, where a search told

	webCalls  []call   // of server tools
	pages     []*page  // of the web
	documents int      // pages fetched
	failed    []string // error codes of server tools
}

// call is a tool call and its result.
type call struct {
	id, name string
	input    []byte
	answered bool
	isError  bool
	result   string
}

func (c call) arg(name string) string { return rawjson.GetString(c.input, name) }

func (c call) number(name string) int {
	n, _ := strconv.Atoi(string(rawjson.Get(c.input, name)))
	return n
}

// hit is a line that a search came up with.
type hit struct {
	path    string
	line    int
	text    string
	rank    int // of the passage in its search, from 0
	passage int // hits of one passage share it
}

func readTranscript(messages []transport.Message, k kit, open func(encrypted string) (string, bool)) transcript {
	t := transcript{opened: map[string]map[int]string{}, files: map[string]map[int]string{}, counts: map[string]int{}}
	for _, m := range messages {
		if m.Role == transport.RoleUser {
			t.user(m)
			continue
		}
		if m.Role == transport.RoleAssistant {
			t.rounds++
			for _, b := range m.Content {
				if b.Type() == transport.TypeToolUse {
					raw := b.Raw()
					t.calls = append(t.calls, call{
						id: rawjson.GetString(raw, "id"), name: rawjson.GetString(raw, "name"), input: rawjson.Get(raw, "input"),
					})
				} else {
					t.webBlock(b, open)
				}
			}
		}
	}
	for _, c := range t.calls {
		if !c.answered || c.isError {
			continue
		}
		switch {
		case k.search != nil && c.name == k.search.name:
			t.takeSearch(c, k.search)
		case k.read != nil && c.name == k.read.name:
			t.takeRead(c, k.read)
		}
	}
	t.openPages()
	return t
}

// user takes a user message: a new question, the results of calls, or both. Text
// behind results may also be a hint for the work at hand; it is a new question
// only if it asks something.
func (t *transcript) user(m transport.Message) {
	var asked strings.Builder
	results := false
	for _, b := range m.Content {
		switch b.Type() {
		case transport.TypeText:
			if text := rawjson.GetString(b.Raw(), "text"); !results || strings.Contains(text, "?") {
				asked.WriteString(text)
				asked.WriteByte('\n')
			}
		case transport.TypeToolResult:
			results = true
			id := rawjson.GetString(b.Raw(), "tool_use_id")
			i := slices.IndexFunc(t.calls, func(c call) bool { return c.id == id })
			if i < 0 {
				continue
			}
			t.calls[i].answered = true
			t.calls[i].isError = string(rawjson.Get(b.Raw(), "is_error")) == "true"
			t.calls[i].result = resultText(rawjson.Get(b.Raw(), "content"))
		}
	}
	if text := strings.TrimSpace(asked.String()); text != "" {
		t.question, t.rounds, t.calls, t.webCalls, t.pages = text, 0, nil, nil, nil
	}
}

func resultText(content []byte) string {
	if len(content) > 0 && content[0] == '"' {
		return rawjson.Unquote(content)
	}
	var b strings.Builder
	for e := range rawjson.Elements(content) {
		if rawjson.GetString(e, "type") == "text" {
			b.WriteString(rawjson.GetString(e, "text"))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

var (
	placeLine  = regexp.MustCompile(`(?m)^\s*([^\s:]+):(\d+):(?: |\t|$)(.*)$`)
	numberLine = regexp.MustCompile(`^ *(\d+)(?:\t|: ?| ?\| ?|→)(.*)$`)
	wordCounts = regexp.MustCompile(`(?i)\b(?:each word|words|counts): (.*?)\.?$`)
	wordCount  = regexp.MustCompile(`^(\S+) (\d+)$`)
)

// takeSearch takes lines of the form path:line: text, as grep prints them; groups
// of them are apart by an empty line or by --. A result without such a line is
// a text of its own, named by the call.
func (t *transcript) takeSearch(c call, u *toolUse) {
	rank, in := 0, false
	defer func() { t.passages++ }()
	if result := jsonOrText(c.result); !placeLine.MatchString(result) {
		name := fmt.Sprintf("%s(%q)", c.name, c.arg(u.query))
		for i, line := range strings.Split(strings.TrimSpace(result), "\n") {
			t.saw(name, i+1, line)
		}
		return
	}
	for line := range strings.Lines(jsonOrText(c.result)) {
		line = strings.TrimRight(line, "\r\n")
		if m := placeLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[2])
			t.hits = append(t.hits, hit{path: m[1], line: n, text: m[3], rank: rank, passage: t.passages})
			t.saw(m[1], n, m[3])
			in = true
			continue
		}
		if in {
			rank, in = rank+1, false
			t.passages++
		}
		if m := wordCounts.FindStringSubmatch(line); m != nil {
			for _, c := range strings.Split(m[1], ", ") {
				if m := wordCount.FindStringSubmatch(c); m != nil {
					t.counts[strings.ToLower(m[1])], _ = strconv.Atoi(m[2])
				}
			}
		}
	}
}

// takeRead takes numbered lines, or plain ones that start where the call asked for.
func (t *transcript) takeRead(c call, u *toolUse) {
	name := path.Clean(c.arg(u.path))
	lines := strings.Split(strings.TrimRight(jsonOrText(c.result), "\n"), "\n")
	first := max(c.number(u.from), 1)
	number := func(line string) (int, string) {
		m := numberLine.FindStringSubmatch(line)
		if p := placeLine.FindStringSubmatch(line); p != nil && path.Clean(p[1]) == name {
			m = p[1:]
		}
		if m == nil {
			return 0, ""
		}
		n, _ := strconv.Atoi(m[1])
		return n, m[2]
	}
	begin := slices.IndexFunc(lines, func(l string) bool { n, _ := number(l); return n == first })
	if begin < 0 {
		for i, l := range lines {
			t.open(name, first+i, l)
		}
		return
	}
	for _, l := range lines[begin:] {
		if n, text := number(l); n > 0 {
			t.open(name, n, text)
		}
	}
}

func (t *transcript) open(name string, n int, text string) {
	t.saw(name, n, text)
	if t.opened[name] == nil {
		t.opened[name] = map[int]string{}
	}
	t.opened[name][n] = text
}

func (t *transcript) saw(name string, n int, text string) {
	if t.files[name] == nil {
		t.files[name] = map[int]string{}
	}
	t.files[name][n] = text
}

// jsonOrText unwraps a result that is one JSON string, as some tools give it.
func jsonOrText(s string) string {
	var inner string
	if len(s) > 1 && s[0] == '"' && json.Unmarshal([]byte(s), &inner) == nil {
		return inner
	}
	return s
}
