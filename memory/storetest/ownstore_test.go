package storetest_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/storetest"
)

// A store of one's own: the five methods of memory.Store over a map of lines, as they
// would be kept in files or in a key-value database. It has no other ability: forks,
// leases, an inbox and the like are interfaces that can be added one by one.
type ownStore struct {
	mu       sync.Mutex
	sessions map[string]*ownSession
}

type ownSession struct {
	info  memory.Info
	lines [][]byte
}

func (s *ownStore) find(id string, at memory.Position) (*ownSession, error) {
	switch ses := s.sessions[id]; {
	case ses == nil:
		return nil, fmt.Errorf("session %q: %w", id, memory.ErrNoSession)
	case at.Incarnation != "" && at.Incarnation != ses.info.Incarnation:
		return nil, fmt.Errorf("session %q: %w", id, memory.ErrReplaced)
	default:
		return ses, nil
	}
}

func (s *ownStore) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lines := make([][]byte, len(records))
	for i, r := range records {
		line, err := r.AppendJSON(nil)
		if err != nil {
			return fmt.Errorf("session %q: %w", id, err)
		}
		lines[i] = line
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.find(id, at)
	isNew := at.Start != nil || at == (memory.Position{}) && ses == nil
	switch {
	case isNew && s.sessions[id] != nil:
		return fmt.Errorf("session %q is there: %w", id, memory.ErrConflict)
	case isNew:
		start := at.Start
		if start == nil {
			start = &memory.Start{}
		}
		if start.Parent != "" {
			if _, err := s.find(start.Parent, memory.Position{Incarnation: start.ParentIncarnation}); err != nil {
				return fmt.Errorf("session %q: its parent: %w", id, err)
			}
		}
		ses = &ownSession{info: memory.Info{
			ID: id, Incarnation: cmp.Or(start.Incarnation, rand.Text()), Parent: start.Parent, Meta: maps.Clone(start.Meta), Created: time.Now(),
		}}
		maps.DeleteFunc(ses.info.Meta, func(_, value string) bool { return value == "" })
	case err != nil:
		return err
	}
	if len(ses.lines) != at.Records {
		return fmt.Errorf("session %q holds %d records, not %d: %w", id, len(ses.lines), at.Records, memory.ErrConflict)
	}
	if s.sessions == nil {
		s.sessions = map[string]*ownSession{}
	}
	s.sessions[id] = ses
	ses.lines = append(ses.lines, lines...)
	ses.info.Records, ses.info.Changed = len(ses.lines), time.Now()
	for _, r := range records {
		ses.info.Queued = max(ses.info.Queued, r.Queued)
	}
	return nil
}

func (s *ownStore) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		s.mu.Lock()
		ses, err := s.find(id, from)
		var lines [][]byte
		if err == nil {
			lines = ses.lines
		}
		s.mu.Unlock()
		if err != nil {
			yield(memory.Record{}, err)
			return
		}
		for i := min(max(from.Records, 0), len(lines)); i < len(lines); i++ {
			r, err := memory.ParseRecord(lines[i])
			if err == nil {
				err = ctx.Err()
			} else {
				err = fmt.Errorf("session %q: %w", id, &memory.RecordError{Record: i, Err: err})
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (s *ownStore) Info(ctx context.Context, id string) (memory.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.find(id, memory.Position{})
	if err != nil {
		return memory.Info{}, err
	}
	return ses.info, nil
}

// tree are the ids of a session and of all below it.
func (s *ownStore) tree(root string) map[string]bool {
	in := map[string]bool{root: true}
	for n := 0; n < len(in); {
		n = len(in)
		for id, ses := range s.sessions {
			if in[ses.info.Parent] {
				in[id] = true
			}
		}
	}
	return in
}

func (s *ownStore) Delete(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(id, memory.Position{}); err != nil {
		return err
	}
	for id := range s.tree(id) {
		delete(s.sessions, id)
	}
	return nil
}

func (s *ownStore) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return func(yield func(memory.Info, error) bool) {
		list, err := s.list(q)
		if err != nil {
			yield(memory.Info{}, err)
			return
		}
		for _, info := range list {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *ownStore) list(q memory.Query) ([]memory.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tree map[string]bool
	if q.Tree != "" {
		if _, err := s.find(q.Tree, memory.Position{}); err != nil {
			return nil, err
		}
		tree = s.tree(q.Tree)
	}
	by := cmp.Or(q.Sort, "changed")
	if by != "id" && by != "created" && by != "changed" || q.After != "" && !strings.HasPrefix(q.After, by+" ") {
		return nil, fmt.Errorf("no order %q, or no cursor of it: %q", q.Sort, q.After)
	}
	// The cursor is the place in the order.
	key := func(info memory.Info) string {
		switch by {
		case "id":
			return "id " + info.ID
		case "created":
			return fmt.Sprintf("created %020d %s", info.Created.UnixNano(), info.ID)
		}
		return fmt.Sprintf("changed %020d %s", info.Changed.UnixNano(), info.ID)
	}
	var list []memory.Info
	for id, ses := range s.sessions {
		info := ses.info
		switch {
		case q.Parent != "" && info.Parent != q.Parent, tree != nil && !tree[id], q.Roots && info.Parent != "":
		case !q.Since.IsZero() && info.Changed.Before(q.Since), !q.Before.IsZero() && !info.Changed.Before(q.Before):
		case !contains(info.Meta, q.Meta):
		default:
			info.Cursor = key(info)
			list = append(list, info)
		}
	}
	descending := (by != "id") != q.Reverse
	order := func(a, b string) int {
		if descending {
			a, b = b, a
		}
		return strings.Compare(a, b)
	}
	slices.SortFunc(list, func(a, b memory.Info) int { return order(a.Cursor, b.Cursor) })
	if q.After != "" {
		list = slices.DeleteFunc(list, func(info memory.Info) bool { return order(info.Cursor, q.After) <= 0 })
	}
	if q.Limit > 0 {
		list = list[:min(q.Limit, len(list))]
	}
	return list, nil
}

func contains(meta, want map[string]string) bool {
	for k, v := range want {
		if v == "" || meta[k] != v {
			return false
		}
	}
	return true
}

// A store of one's own runs all the tests; those of abilities that it lacks are skipped.
func TestOwnStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) memory.Store { return new(ownStore) })
}
