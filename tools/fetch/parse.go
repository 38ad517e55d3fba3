package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	maxTokens   = 600_000    // tags and texts of a page
	maxReopened = 500_000    // elements that a parser would make of formatting that is left open
	maxVisits   = 30_000_000 // looks at nodes
)

// formatting are the elements that a parser opens again in each block after the
// one that they were opened in, as long as nothing closes them (HTML standard,
// "reconstruct the active formatting elements").
var formatting = map[atom.Atom]bool{atom.A: true, atom.B: true, atom.Big: true, atom.Code: true, atom.Em: true, atom.Font: true, atom.I: true,
	atom.Nobr: true, atom.S: true, atom.Small: true, atom.Strike: true, atom.Strong: true, atom.Tt: true, atom.U: true}

// parse makes a tree of a page whose size is bounded by the page's: where
// formatting that is never closed would be made again in each block, it is left out.
func parse(ctx context.Context, page string) (*html.Node, error) {
	tokens, reopened, err := survey(ctx, page)
	switch {
	case err != nil:
		return nil, err
	case tokens > maxTokens:
		return nil, errTooMuch
	case reopened > maxReopened:
		if page, err = unformatted(ctx, page); err != nil {
			return nil, err
		}
	}
	doc, err := html.Parse(&steadyReader{ctx, strings.NewReader(page)})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, fmt.Errorf("the page's HTML can't be read: %w", err)
	}
	return doc, nil
}

// steadyReader ends with its context.
type steadyReader struct {
	ctx context.Context
	r   io.Reader
}

func (s *steadyReader) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p[:min(len(p), 16<<10)])
}

// survey counts the tokens of a page, and the elements that formatting left open
// could add to them.
func survey(ctx context.Context, page string) (tokens, reopened int, err error) {
	z := html.NewTokenizer(strings.NewReader(page))
	open := 0
	for tokens <= maxTokens && reopened <= maxReopened {
		if tokens++; tokens&0xfff == 0 && ctx.Err() != nil {
			return 0, 0, context.Cause(ctx)
		}
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return 0, 0, fmt.Errorf("the page's HTML can't be read: %w", err)
			}
			return tokens, reopened, nil
		case html.StartTagToken, html.EndTagToken:
			name, _ := z.TagName()
			switch a := atom.Lookup(name); {
			case !formatting[a]:
				reopened += open
			case kind == html.StartTagToken:
				open++
			default:
				open = max(open-1, 0)
			}
		}
	}
	return tokens, reopened, nil
}

// unformatted takes the tags of formatting out of a page.
func unformatted(ctx context.Context, page string) (string, error) {
	z := html.NewTokenizer(strings.NewReader(page))
	var b strings.Builder
	for n := 1; ; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		kind := z.Next()
		if kind == html.ErrorToken {
			return b.String(), nil
		}
		raw := string(z.Raw())
		if kind == html.StartTagToken || kind == html.EndTagToken {
			name, _ := z.TagName()
			if a := atom.Lookup(name); formatting[a] && a != atom.A {
				continue
			}
		}
		b.WriteString(raw)
	}
}
