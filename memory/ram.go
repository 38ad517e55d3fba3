package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// RAM is a [Store] in the memory of the process, for tests and for programs
// whose sessions need not outlive them. The zero RAM is empty and ready to use.
type RAM struct {
	mu       sync.Mutex
	sessions map[string]*ramSession
	leases   map[string]ramLease
}

type ramSession struct {
	info    Info
	records []Record
	inbox   []Record
	queued  int64 // the newest number of the inbox
}

type ramLease struct {
	owner string
	until time.Time
}

func (s *RAM) get(id string) (*ramSession, error) {
	if ses := s.sessions[id]; ses != nil {
		return ses, nil
	}
	return nil, fmt.Errorf("session %q: %w", id, ErrNoSession)
}

func (s *RAM) put(ses *ramSession) {
	if s.sessions == nil {
		s.sessions = make(map[string]*ramSession)
	}
	s.sessions[ses.info.ID] = ses
}

// Append implements [Store].
func (s *RAM) Append(ctx context.Context, id string, n int, records ...Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	ses := s.sessions[id]
	if ses == nil && n == 0 {
		ses = &ramSession{info: Info{ID: id, Created: now}}
		s.put(ses)
	}
	if ses == nil {
		_, err := s.get(id)
		return err
	}
	if len(ses.records) != n {
		return fmt.Errorf("session %q holds %d records, not %d: %w", id, len(ses.records), n, ErrConflict)
	}
	ses.records = append(ses.records, records...)
	ses.info.Records, ses.info.Changed = len(ses.records), now
	return nil
}

// Info implements [Store].
func (s *RAM) Info(ctx context.Context, id string) (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id)
	if err != nil {
		return Info{}, err
	}
	return ses.info, nil
}

// Load implements [Store].
func (s *RAM) Load(ctx context.Context, id string, from int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.mu.Lock()
		ses, err := s.get(id)
		var records []Record
		if err == nil {
			records = ses.records
		}
		s.mu.Unlock()
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, r := range records[min(max(from, 0), len(records)):] {
			if err := ctx.Err(); err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Fork implements [Store].
func (s *RAM) Fork(ctx context.Context, from string, n int, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(from)
	if err != nil {
		return err
	}
	if n < 0 || n > len(ses.records) {
		return fmt.Errorf("session %q holds %d records: can't fork at %d", from, len(ses.records), n)
	}
	if s.sessions[to] != nil {
		return fmt.Errorf("session %q is there already: %w", to, ErrConflict)
	}
	now := time.Now()
	s.put(&ramSession{
		info:    Info{ID: to, Records: n, Created: now, Changed: now, Meta: maps.Clone(ses.info.Meta), Parent: from},
		records: ses.records[:n:n],
	})
	return nil
}

// SetMeta implements [Store].
func (s *RAM) SetMeta(ctx context.Context, id, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id)
	if err != nil {
		return err
	}
	meta := maps.Clone(ses.info.Meta)
	if meta == nil {
		meta = make(map[string]string)
	}
	meta[key] = value
	if value == "" {
		delete(meta, key)
	}
	ses.info.Meta = meta
	return nil
}

// List implements [Store].
func (s *RAM) List(ctx context.Context, q Query) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		s.mu.Lock()
		var infos []Info
		for _, ses := range s.sessions {
			if q.matches(ses.info) {
				infos = append(infos, ses.info)
			}
		}
		s.mu.Unlock()
		slices.SortFunc(infos, func(a, b Info) int {
			return cmp.Or(b.Changed.Compare(a.Changed), cmp.Compare(a.ID, b.ID))
		})
		for i, info := range infos {
			if q.Limit > 0 && i == q.Limit || !yield(info, nil) {
				return
			}
		}
	}
}

func (q Query) matches(info Info) bool {
	for k, v := range q.Meta {
		if info.Meta[k] != v {
			return false
		}
	}
	return !info.Changed.Before(q.Since)
}

// Delete implements [Store].
func (s *RAM) Delete(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.get(id); err != nil {
		return err
	}
	delete(s.sessions, id)
	delete(s.leases, id)
	return nil
}

// Lease implements [Store].
func (s *RAM) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	l := s.leases[id]
	if l.owner != owner && now.Before(l.until) {
		return &LeaseError{ID: id, Owner: l.owner, Until: l.until}
	}
	if d <= 0 {
		delete(s.leases, id)
		return nil
	}
	if s.leases == nil {
		s.leases = make(map[string]ramLease)
	}
	s.leases[id] = ramLease{owner, now.Add(d)}
	return nil
}

// Send implements [Store].
func (s *RAM) Send(ctx context.Context, id string, input Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id)
	if err != nil {
		return err
	}
	ses.queued = max(ses.queued+1, time.Now().UnixNano())
	input.Queued = ses.queued
	ses.inbox = append(ses.inbox, input)
	return nil
}

// Inbox implements [Store].
func (s *RAM) Inbox(ctx context.Context, id string, after int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.mu.Lock()
		var inbox []Record
		ses, err := s.get(id)
		if err == nil {
			ses.inbox = slices.DeleteFunc(slices.Clone(ses.inbox), func(r Record) bool { return r.Queued <= after })
			inbox = ses.inbox
		}
		s.mu.Unlock()
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, r := range inbox {
			if !yield(r, nil) {
				return
			}
		}
	}
}
