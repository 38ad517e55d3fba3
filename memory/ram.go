package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// RAM is a [Store] in the memory of the process, with all abilities but
// [github.com/whorl-go/whorl/memory/search.Searcher], for tests and for programs whose sessions need not outlive them.
// The zero RAM is empty and ready to use.
type RAM struct {
	mu       sync.Mutex
	sessions map[string]*ramSession
	leases   map[string]ramLease
	ledger   ramLedger
	blobs    map[string][]byte // by name
}

type ramSession struct {
	info    Info // without Due
	records []Record
	inbox   []Record
	blobs   map[string]ramRef // by name
}

type ramLease struct {
	owner string
	until time.Time
}

// get returns the session at a position, whose number of records it leaves alone.
func (s *RAM) get(id string, at Position) (*ramSession, error) {
	ses := s.sessions[id]
	switch {
	case ses == nil:
		return nil, fmt.Errorf("session %q: %w", id, ErrNoSession)
	case at.Incarnation != "" && at.Incarnation != ses.info.Incarnation:
		return nil, fmt.Errorf("session %q: %w", id, ErrReplaced)
	}
	return ses, nil
}

// create makes a session.
func (s *RAM) create(info Info, start *Start) (*ramSession, error) {
	if start == nil {
		start = &Start{}
	}
	if s.sessions[info.ID] != nil {
		return nil, fmt.Errorf("session %q is there already: %w", info.ID, ErrConflict)
	}
	if start.Parent != "" {
		if _, err := s.get(start.Parent, Position{Incarnation: start.ParentIncarnation}); err != nil {
			return nil, fmt.Errorf("session %q: its parent: %w", info.ID, err)
		}
	}
	info.Incarnation, info.Parent = cmp.Or(start.Incarnation, info.Incarnation), start.Parent
	if info.Incarnation == "" {
		info.Incarnation = rand.Text()
	}
	for k, v := range start.Meta {
		info.Meta = withMeta(info.Meta, k, v)
	}
	ses := &ramSession{info: info}
	if s.sessions == nil {
		s.sessions = make(map[string]*ramSession)
	}
	s.sessions[info.ID] = ses
	return ses, nil
}

// withMeta is a copy of meta with one value more, or less if it is "".
func withMeta(meta map[string]string, key, value string) map[string]string {
	meta = maps.Clone(meta)
	if meta == nil {
		meta = make(map[string]string)
	}
	meta[key] = value
	if value == "" {
		delete(meta, key)
	}
	return meta
}

// Append implements [Store].
func (s *RAM) Append(ctx context.Context, id string, at Position, records ...Record) error {
	return s.AppendBlobs(ctx, id, at, nil, records...)
}

// AppendBlobs implements [github.com/whorl-go/whorl/memory/blob.Appender].
func (s *RAM) AppendBlobs(ctx context.Context, id string, at Position, blobs []Blob, records ...Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, b := range blobs {
		if err := b.Check(); err != nil {
			return fmt.Errorf("session %q: %w", id, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var ses *ramSession
	var err error
	if at.Start != nil || at.Records == 0 && at.Incarnation == "" && s.sessions[id] == nil {
		if at.Records != 0 {
			return fmt.Errorf("session %q: a new session holds no records, not %d: %w", id, at.Records, ErrConflict)
		}
		ses, err = s.create(Info{ID: id, Created: now, Changed: now}, at.Start)
	} else {
		ses, err = s.get(id, at)
	}
	if err != nil {
		return err
	}
	if len(ses.records) != at.Records {
		return fmt.Errorf("session %q holds %d records, not %d: %w", id, len(ses.records), at.Records, ErrConflict)
	}
	for _, b := range blobs {
		b.Data = slices.Clone(b.Data)
		s.putBlob(ses, at.Records, b)
	}
	ses.records = append(ses.records, records...)
	ses.info.Records, ses.info.Changed = len(ses.records), now
	for i := range records {
		if q := records[i].Queued; q > 0 {
			ses.info.Queued = max(ses.info.Queued, q)
			ses.forget(q)
		}
	}
	return nil
}

// forget removes the inbox's messages with numbers up to n.
func (ses *ramSession) forget(n int64) {
	ses.inbox = slices.DeleteFunc(slices.Clone(ses.inbox), func(r Record) bool { return r.Queued <= n })
}

// Info implements [Store].
func (s *RAM) Info(ctx context.Context, id string) (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id, Position{})
	if err != nil {
		return Info{}, err
	}
	return s.describe(ses), nil
}

// Load implements [Store].
func (s *RAM) Load(ctx context.Context, id string, from Position) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.mu.Lock()
		ses, err := s.get(id, from)
		var records []Record
		if err == nil {
			records = ses.records
		}
		s.mu.Unlock()
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, r := range records[min(max(from.Records, 0), len(records)):] {
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

// Fork implements [Forker].
func (s *RAM) Fork(ctx context.Context, from string, at Position, to string, start *Start) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(from, at)
	if err != nil {
		return err
	}
	n := at.Records
	if n < 0 || n > len(ses.records) {
		return fmt.Errorf("session %q holds %d records: can't fork at %d", from, len(ses.records), n)
	}
	now := time.Now()
	fork, err := s.create(Info{
		ID: to, Records: n, Created: now, Changed: now, Meta: ses.info.Meta, Origin: from, Queued: ses.info.Queued,
	}, start)
	if err != nil {
		return fmt.Errorf("fork: %w", err)
	}
	fork.records, fork.blobs = ses.records[:n:n], maps.Clone(ses.blobs)
	maps.DeleteFunc(fork.blobs, func(_ string, r ramRef) bool { return r.since >= n })
	return nil
}

// Import implements [Importer].
func (s *RAM) Import(ctx context.Context, in Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := in.Info
	for _, b := range in.Blobs {
		if err := b.Check(); err != nil {
			return fmt.Errorf("session %q: %w", info.ID, err)
		}
	}
	for _, r := range slices.Concat(in.Records, in.Inbox) {
		info.Queued = max(info.Queued, r.Queued)
	}
	info.Records, info.Cursor, info.Due, info.Meta = len(in.Records), "", time.Time{}, maps.Clone(info.Meta)
	maps.DeleteFunc(info.Meta, func(_, value string) bool { return value == "" })
	ses, err := s.create(info, &Start{Parent: info.Parent})
	if err != nil {
		return err
	}
	ses.records, ses.inbox = slices.Clip(in.Records), slices.Clone(in.Inbox)
	slices.SortFunc(ses.inbox, func(a, b Record) int { return cmp.Compare(a.Queued, b.Queued) })
	needed := make(map[string]int) // from which record on
	for i, r := range slices.Backward(in.Records) {
		for _, name := range r.Aside {
			needed[name] = i
		}
	}
	for _, b := range in.Blobs {
		since, ok := needed[b.Name]
		if !ok {
			since = byItself
		}
		b.Data = slices.Clone(b.Data)
		s.putBlob(ses, since, b)
	}
	return nil
}

// SetMeta implements [MetaSetter].
func (s *RAM) SetMeta(ctx context.Context, id, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id, Position{})
	if err == nil {
		ses.info.Meta = withMeta(ses.info.Meta, key, value)
	}
	return err
}

// Delete implements [Store].
func (s *RAM) Delete(ctx context.Context, id string) error {
	_, err := s.delete(id, func(Info) bool { return true })
	return err
}

// DeleteOld implements [github.com/whorl-go/whorl/memory/sweep.Deleter].
func (s *RAM) DeleteOld(ctx context.Context, id string, before time.Time, planned bool) (deleted bool, err error) {
	return s.delete(id, func(i Info) bool { return i.Changed.Before(before) && (planned || i.Wake.IsZero() && i.Due.IsZero()) })
}

// delete removes a session's tree, if the condition is true of all sessions in it.
func (s *RAM) delete(id string, condition func(Info) bool) (deleted bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.get(id, Position{}); err != nil {
		return false, err
	}
	tree := s.tree(id)
	for id := range tree {
		if l := s.leases[id]; time.Now().Before(l.until) {
			return false, &LeaseError{ID: id, Owner: l.owner, Until: l.until}
		}
	}
	for id := range tree {
		if !condition(s.describe(s.sessions[id])) {
			return false, nil
		}
	}
	for id := range tree {
		delete(s.sessions, id)
		delete(s.leases, id)
	}
	s.dropBlobs()
	return true, nil
}

// ReplaceSealed is for [github.com/whorl-go/whorl/memory/protect.EncryptedStore.Rewrap]: it replaces what an encrypted
// session's record is wrapped in.
func (s *RAM) ReplaceSealed(ctx context.Context, id string, n int, r Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id, Position{})
	if err != nil {
		return err
	}
	if n >= len(ses.records) || ses.records[n].Kind != KindSealed || r.Kind != KindSealed {
		return fmt.Errorf("session %q: record %d is not encrypted: %w", id, n, ErrConflict)
	}
	ses.records = slices.Clone(ses.records) // forks have the old one
	ses.records[n] = r
	return nil
}

// tree are the ids of a session and of all below it.
func (s *RAM) tree(root string) map[string]bool {
	in := map[string]bool{root: true}
	for grown := true; grown; {
		grown = false
		for id, ses := range s.sessions {
			if !in[id] && ses.info.Parent != "" && in[ses.info.Parent] {
				in[id], grown = true, true
			}
		}
	}
	return in
}

// Lease implements [Leaser].
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
	if ses := s.sessions[id]; ses != nil && !now.Before(l.until) && !ses.info.Wake.After(now) {
		ses.info.Wake = time.Time{}
	}
	if s.leases == nil {
		s.leases = make(map[string]ramLease)
	}
	s.leases[id] = ramLease{owner, now.Add(d)}
	return nil
}

// Enqueue implements [Inbox].
func (s *RAM) Enqueue(ctx context.Context, id string, input Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id, Position{})
	if err != nil {
		return err
	}
	if input.Queued == 0 {
		input.Queued = max(ses.info.Queued+1, time.Now().UnixNano())
	} else if input.Queued <= ses.info.Queued {
		return fmt.Errorf("session %q: the number %d of a message is not above %d: %w", id, input.Queued, ses.info.Queued, ErrConflict)
	}
	ses.info.Queued = input.Queued
	ses.inbox = append(ses.inbox, input)
	return nil
}

// Inbox implements [Inbox].
func (s *RAM) Inbox(ctx context.Context, id string, after int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.mu.Lock()
		var inbox []Record
		ses, err := s.get(id, Position{})
		if err == nil {
			ses.forget(after)
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
