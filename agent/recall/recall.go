// Package recall provides a tool with which a model searches past conversations.
//
//	tool := recall.New(recall.Options{Store: store, Same: []string{"user"}}) // of Input.User
//
// The search is the store's own: FTS5 in package sqlite, tsvector in package
// postgres. Without Same and Meta in [Options] the model sees every session of the
// store, which in a store of several users includes those of other users. Encrypted
// sessions can't be searched.
package recall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Options configure the tool.
type Options struct {
	// Store has the sessions. The stores of packages sqlite and postgres can be
	// searched.
	Store search.Searcher
	// Meta selects the sessions that the model may see, as in [memory.Query]: for
	// instance those of one user. Nil means all sessions, which suits a store with a
	// single user.
	Meta map[string]string
	// Same are keys of the metadata of the run that calls the tool, such as "user". The
	// model sees only sessions with the same values, so one tool serves many users. A
	// run that lacks one of the keys finds nothing, and the result says why.
	Same []string
	// Name is the tool's name; empty means "search_past_conversations".
	Name string
	// Limit is the maximum number of matches in a result; 0 means 10.
	Limit int
	// ExcerptBytes is the approximate number of bytes that are shown of each message; 0
	// means 600.
	ExcerptBytes int
}

type lookup struct {
	Words string `json:"words" jsonschema_description:"Words to look for, the rarer the better. Messages with more of them come first; case and accents don't matter." jsonschema:"minLength=1"`
	Limit int    `json:"limit,omitempty" jsonschema_description:"The most messages to give" jsonschema:"minimum=1"`
}

const description = "Searches what was said in past conversations, by the user and by the assistant. Gives parts of messages, with the conversation's id and the date."

// New returns a tool that searches sessions. The tool changes nothing, so it may run
// while the model is still writing, and again after a crash.
func New(o Options) tools.Tool {
	if o.Name == "" {
		o.Name = "search_past_conversations"
	}
	if o.Limit == 0 {
		o.Limit = 10
	}
	if o.ExcerptBytes == 0 {
		o.ExcerptBytes = 600
	}
	return tools.FuncWith(o.Name, description, o.search, tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true, Untrusted: true, Private: true}})
}

// meta chooses the sessions that the run may see.
func (o Options) meta(ctx context.Context) (map[string]string, error) {
	if len(o.Same) == 0 {
		return o.Meta, nil
	}
	meta, run := maps.Clone(o.Meta), tools.CallOf(ctx).Meta
	if meta == nil {
		meta = make(map[string]string, len(o.Same))
	}
	for _, key := range o.Same {
		if run[key] == "" {
			return nil, fmt.Errorf("past conversations can't be searched: it is not known whose they are (the run has no %q)", key)
		}
		meta[key] = run[key]
	}
	return meta, nil
}

func (o Options) search(ctx context.Context, in lookup) (string, error) {
	if o.Store == nil {
		return "", tools.Fatal(errors.New("recall: Options.Store is nil; give a store of package sqlite or postgres"))
	}
	limit := o.Limit
	if in.Limit > 0 {
		limit = min(in.Limit, limit)
	}
	meta, err := o.meta(ctx)
	if err != nil {
		return "", err
	}
	matches, err := o.Store.Search(ctx, search.Query{Words: in.Words, Meta: meta, Limit: limit})
	if err != nil {
		return "", fmt.Errorf("the search failed: %w", err)
	}
	if len(matches) == 0 {
		return "Nothing found. Try other or fewer words.", nil
	}
	var b strings.Builder
	for _, m := range matches {
		fmt.Fprintf(&b, "[conversation %s, message %d, %s, %s]\n%s\n\n", m.Session, m.Record, m.Time.UTC().Format(time.DateOnly), speaker(m.Role), m.Excerpt(in.Words, o.ExcerptBytes))
	}
	return strings.TrimSuffix(b.String(), "\n\n"), nil
}

func speaker(role string) string {
	if transport.Role(role) == transport.RoleAssistant {
		return "you"
	}
	return role
}
