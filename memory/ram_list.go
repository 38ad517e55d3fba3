package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory/internal/cursor"
)

// describe is the session's Info, with what follows from leases and inbox.
func (s *RAM) describe(ses *ramSession) Info {
	info := ses.info
	info.Due, info.Meta = info.Wake, maps.Clone(info.Meta)
	if l, ok := s.leases[info.ID]; ok {
		info.Due = l.until
	} else if len(ses.inbox) > 0 {
		if at := time.Unix(0, ses.inbox[0].Queued); info.Due.IsZero() || at.Before(info.Due) {
			info.Due = at
		}
		if now := time.Now(); info.Due.After(now) {
			info.Due = now
		}
	}
	return info
}

// choose returns the sessions that a query's conditions are true of.
func (s *RAM) choose(q Query) ([]Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tree map[string]bool
	if q.Tree != "" {
		if _, err := s.get(q.Tree, Position{}); err != nil {
			return nil, err
		}
		tree = s.tree(q.Tree)
	}
	var infos []Info
	for id, ses := range s.sessions {
		if q.matches(ses.info) && (tree == nil || tree[id]) {
			infos = append(infos, s.describe(ses))
		}
	}
	return infos, nil
}

func (q Query) matches(info Info) bool {
	for k, v := range q.Meta {
		if v == "" || info.Meta[k] != v {
			return false
		}
	}
	switch {
	case q.Parent != "" && info.Parent != q.Parent, q.Roots && info.Parent != "":
		return false
	case !q.Before.IsZero() && !info.Changed.Before(q.Before):
		return false
	}
	return !info.Changed.Before(q.Since)
}

// List implements [Store].
func (s *RAM) List(ctx context.Context, q Query) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		c, err := cursor.Parse(q.Sort, q.After)
		var infos []Info
		if err == nil {
			infos, err = s.choose(q)
		}
		if err != nil {
			yield(Info{}, fmt.Errorf("list sessions: %w", err))
			return
		}
		order := func(a, b Info) int {
			n := 0
			switch c.Sort {
			case cursor.Changed:
				n = b.Changed.Compare(a.Changed)
			case cursor.Created:
				n = b.Created.Compare(a.Created)
			}
			if n = cmp.Or(n, cmp.Compare(a.ID, b.ID)); q.Reverse {
				n = -n
			}
			return n
		}
		slices.SortFunc(infos, order)
		last := Info{ID: c.ID, Changed: c.Time, Created: c.Time}
		n := 0
		for _, info := range infos {
			if c.Set && order(info, last) <= 0 {
				continue
			}
			info.Cursor = c.Behind(info.ID, info.Changed, info.Created)
			if !yield(info, nil) {
				return
			}
			if n++; n == q.Limit {
				return
			}
		}
	}
}

// Wake implements [Waker].
func (s *RAM) Wake(ctx context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id, Position{})
	if err == nil {
		ses.info.Wake = at
	}
	return err
}

// Due implements [Waker].
func (s *RAM) Due(ctx context.Context, q Query) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		infos, err := s.choose(Query{Meta: q.Meta, Parent: q.Parent, Roots: q.Roots})
		if err != nil {
			yield(Info{}, err)
			return
		}
		now := time.Now()
		infos = slices.DeleteFunc(infos, func(i Info) bool { return i.Due.IsZero() || i.Due.After(now) })
		slices.SortFunc(infos, func(a, b Info) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
		for i, info := range infos {
			if q.Limit > 0 && i == q.Limit || !yield(info, nil) {
				return
			}
		}
	}
}
