package corpus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/tools"
)

type toolInput struct {
	Query string `json:"query" jsonschema_description:"Words that the text you look for would use"`
	Limit int    `json:"limit,omitempty" jsonschema_description:"How many passages to return; 6 if left out" jsonschema:"minimum=1,maximum=20"`
}

// Tool returns a tool that searches the folder dir. Each call builds the index again,
// as the files may have changed. That takes less than a second for a few thousand
// files. The model calls it with {"query": "words"}.
func Tool(name, dir string) *tools.FuncTool {
	search := func(ctx context.Context, in toolInput) (_ string, err error) {
		c, err := Open(dir)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		if in.Limit == 0 {
			in.Limit = 6
		}
		found, err := c.Search(ctx, in.Query, "", in.Limit)
		if err != nil {
			return "", err
		}
		return found.String(), nil
	}
	return tools.FuncWith(name, "Searches the text files of the folder for words, in no order. Returns the best passages as path:line: text.",
		search, tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true}})
}

// String returns the text that a model sees: how rare each word is, and the passages as
// path:line: text, the best first. A long line is cut around the first of the words.
func (f Found) String() string {
	var words []string
	for _, w := range f.Words {
		words = append(words, fmt.Sprintf("%s %d", w.Word, w.Passages))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "Passages that hold each word: %s.\n", strings.Join(words, ", "))
	for _, hit := range f.Hits {
		out.WriteByte('\n')
		for _, line := range hit.Lines {
			fmt.Fprintf(&out, "%s:%d: %s\n", hit.Path, line.Number, f.clip(line.Text))
		}
	}
	return out.String()
}

// clip cuts a line that is none of a text's, such as a whole program on one line.
func (f Found) clip(line string) string {
	const most, before = 2000, 200
	if len(line) <= most {
		return line
	}
	from := 0
	if lower := strings.ToLower(line); len(lower) == len(line) {
		first := len(line)
		for _, w := range f.Words {
			if at := strings.Index(lower, w.Word); at >= 0 {
				first = min(first, at)
			}
		}
		if first < len(line) {
			from = runes.Start(line, max(0, first-before))
		}
	}
	text := line[from:runes.Start(line, min(len(line), from+most))]
	if from > 0 {
		text = "… " + text
	}
	return fmt.Sprintf("%s … (%d bytes)", text, len(line))
}
