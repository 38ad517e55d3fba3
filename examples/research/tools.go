package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/corpus"
)

// toolbox makes the tools that the flags ask for.
func toolbox(opts options) ([]tools.Tool, func() error, error) {
	var kit []tools.Tool
	if opts.web {
		kit = append(kit, tools.WebSearch{MaxUses: 8}, tools.WebFetch{MaxUses: 8, Citations: true, MaxContentTokens: 60_000})
		if opts.dir == "" {
			return kit, func() error { return nil }, nil
		}
	}
	c, err := openCorpus(opts.dir)
	if err != nil {
		return nil, nil, err
	}
	l := library{c}
	traits := tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true}}
	kit = append(kit,
		tools.FuncWith("search_corpus", "Search the files of the corpus for words, in no order. Returns the best passages as path:line: text.", l.search, traits),
		tools.FuncWith("read_lines", "Read a range of lines of a file of the corpus, with line numbers.", l.read, traits),
		tools.FuncWith("list_files", "List the files of the corpus whose path matches a pattern.", l.list, traits),
		tools.FuncWith("calculate", "Compute an arithmetic expression exactly.", calculate, traits),
	)
	return kit, c.Close, nil
}

func openCorpus(dir string) (*corpus.Corpus, error) {
	if dir != "" {
		return corpus.Open(dir)
	}
	root, err := goRoot()
	if err != nil {
		return nil, err
	}
	c, err := corpus.Open(root, "src", "doc")
	if err != nil {
		return nil, err
	}
	if cache, err := os.UserCacheDir(); err == nil {
		c.CacheIn(filepath.Join(cache, "whorl", "corpus"))
	}
	return c, nil
}

// library is the folder that the agent's tools work on.
type library struct{ corpus *corpus.Corpus }

type searchInput struct {
	Query string `json:"query" jsonschema:"description=Words that the text you look for would use. Identifiers count whole and by their parts."`
	Path  string `json:"path,omitempty" jsonschema:"description=Only look in files whose path contains this."`
	Limit int    `json:"limit,omitempty" jsonschema:"description=How many passages to return; 6 if left out.,minimum=1,maximum=20"`
}

// search is the tool search_corpus.
func (l library) search(ctx context.Context, in searchInput) (string, error) {
	if in.Limit == 0 {
		in.Limit = 6
	}
	found, err := l.corpus.Search(ctx, in.Query, in.Path, in.Limit)
	if err != nil {
		return "", err
	}
	return found.String(), nil
}

type readInput struct {
	Path string `json:"path" jsonschema:"description=The file, as search_corpus and list_files name it."`
	From int    `json:"from" jsonschema:"description=The first line to read, from 1.,minimum=1"`
	To   int    `json:"to" jsonschema:"description=The last line to read. At most 400 lines at once.,minimum=1"`
}

const maxLinesRead = 400

// read is the tool read_lines.
func (l library) read(ctx context.Context, in readInput) (string, error) {
	in.To = min(in.To, in.From+maxLinesRead-1)
	lines, total, err := l.corpus.Lines(in.Path, in.From, in.To)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %d lines.\n", in.Path, total)
	for i, line := range lines {
		fmt.Fprintf(&b, "%d\t%s\n", max(in.From, 1)+i, line)
	}
	return b.String(), nil
}

type listInput struct {
	Pattern string `json:"pattern,omitempty" jsonschema:"description=A glob such as *.md\\, or the beginning of a path. Everything if left out."`
	Limit   int    `json:"limit,omitempty" jsonschema:"description=How many paths to return; 100 if left out.,minimum=1,maximum=500"`
}

// list is the tool list_files.
func (l library) list(ctx context.Context, in listInput) (string, error) {
	if in.Limit == 0 {
		in.Limit = 100
	}
	paths, total, err := l.corpus.List(in.Pattern, in.Limit)
	if err != nil {
		return "", err
	}
	if total == 0 {
		return fmt.Sprintf("No file matches %q.", in.Pattern), nil
	}
	out := strings.Join(paths, "\n")
	if total > len(paths) {
		out += fmt.Sprintf("\n… and %d more; narrow the pattern.", total-len(paths))
	}
	return out, nil
}
