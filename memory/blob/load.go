package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/whorl-go/whorl/memory"
)

// Load implements [memory.Store]. A record with a payload that is gone or was
// changed ends it with a [*memory.RecordError] that has a [*LostError], after all
// records before it.
func (s *Store) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		n := max(0, from.Records)
		var ahead batch
		flush := func() bool {
			full, errs := s.fill(ctx, id, ahead)
			for i, r := range ahead.records {
				out, err := full[i], errs[i]
				if err != nil {
					out, err = s.lost(ctx, id, from.Incarnation, n, r, err)
				}
				if !yield(out, err) || err != nil {
					return false
				}
				n++
			}
			ahead = batch{records: ahead.records[:0]}
			return true
		}
		for r, err := range s.Store.Load(ctx, id, from) {
			if err != nil {
				if flush() {
					yield(r, err)
				}
				return
			}
			if ahead.add(r) && !flush() {
				return
			}
		}
		flush()
	}
}

// A batch is records whose payloads are asked for at once.
type batch struct {
	records []memory.Record
	names   []string
}

const (
	maxNames = 16 // payloads, which are big
	maxAhead = 64
)

// add adds a record, and reports whether the batch is to be read now. Records that
// need nothing don't wait for others.
func (b *batch) add(r memory.Record) (full bool) {
	b.records = append(b.records, r)
	for _, name := range r.Aside {
		if !slices.Contains(b.names, name) {
			b.names = append(b.names, name)
		}
	}
	return len(b.names) == 0 || len(b.names) >= maxNames || len(b.records) >= maxAhead
}

// fill puts payloads back into the records of a batch: into the first ones while the
// payloads of the others are read.
func (s *Store) fill(ctx context.Context, id string, b batch) (full []memory.Record, errs []error) {
	full, errs = slices.Clone(b.records), make([]error, len(b.records))
	if len(b.names) == 0 {
		return full, errs
	}
	payloads := make(map[string]*reading, len(b.names))
	for _, name := range b.names {
		payloads[name] = &reading{read: make(chan struct{})}
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(b.names)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(full)); i = next.Add(1) - 1 {
				full[i], errs[i] = fill(full[i], func(name string) (memory.Blob, error) { return payloads[name].get() })
			}
		})
	}
	s.read(ctx, id, b.names, payloads)
	wg.Wait()
	return full, errs
}

// A reading is a blob that is being read.
type reading struct {
	read  chan struct{} // closed when it has been
	blob  memory.Blob
	err   error
	must  bool      // it has yet to be checked
	check sync.Once // which does that
}

// get waits for the payload.
func (p *reading) get() (memory.Blob, error) {
	<-p.read
	if p.must {
		p.check.Do(func() { p.err = p.blob.Check() })
	}
	return p.blob, p.err
}

// read reads payloads: at once where the store can do that.
func (s *Store) read(ctx context.Context, id string, names []string, payloads map[string]*reading) {
	left := slices.Clone(names)
	defer func() { // also when a store of somebody else's panics
		for _, name := range left {
			close(payloads[name].read)
		}
	}()
	if f, ok := s.Store.(Fetcher); ok && len(names) > 1 {
		for b, err := range f.FetchBlobs(ctx, id, names) {
			if err != nil {
				break // which asking for one tells better
			}
			if i := slices.Index(left, b.Name); i >= 0 {
				left = slices.Delete(left, i, i+1)
				payloads[b.Name].blob, payloads[b.Name].must = b, true
				close(payloads[b.Name].read)
			}
		}
	}
	for ; len(left) > 0; left = left[1:] {
		p := payloads[left[0]]
		p.blob, p.err = s.blobs.Blob(ctx, id, left[0])
		close(p.read)
	}
}

// one puts the payloads back into a message of the inbox.
func (s *Store) one(ctx context.Context, id string, r memory.Record) (memory.Record, error) {
	full, err := fill(r, func(name string) (memory.Blob, error) { return s.blobs.Blob(ctx, id, name) })
	if err != nil {
		return s.lost(ctx, id, "", -1, r, err)
	}
	return full, nil
}

// lost is what is returned for the record at position n, or for a message of the
// inbox if that is negative, which fill has failed for.
func (s *Store) lost(ctx context.Context, id, incarnation string, n int, r memory.Record, err error) (memory.Record, error) {
	var lost *LostError
	switch {
	case errors.As(err, &lost) && !gone(lost.Err):
		return memory.Record{}, fmt.Errorf("session %q, payload %s: %w", id, lost.Name, lost.Err)
	case lost != nil && incarnation != "" && s.replaced(ctx, id, incarnation):
		return memory.Record{}, fmt.Errorf("session %q: %w", id, memory.ErrReplaced)
	case lost != nil:
		if lost.Session, lost.Record = id, n; n < 0 {
			lost.Queued = r.Queued
		}
		if s.opts.Lost != nil {
			var full memory.Record
			if full, err = s.opts.Lost(r, lost); err == nil && len(full.Aside) == 0 {
				return full, nil
			}
			if err == nil {
				err = lost
			}
		}
	}
	if n < 0 {
		return memory.Record{}, fmt.Errorf("session %q, message %d of its inbox: %w (%w)", id, r.Queued, err, memory.ErrCorrupt)
	}
	return memory.Record{}, fmt.Errorf("session %q: %w", id, &memory.RecordError{Record: n, Err: err})
}

// gone reports whether an error says that the payload itself is gone or was changed. Any
// other one, such as that of a disk or of a store that was closed, may pass.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, memory.ErrCorrupt)
}

func (s *Store) replaced(ctx context.Context, id, incarnation string) bool {
	info, err := s.Store.Info(ctx, id)
	return err == nil && info.Incarnation != incarnation
}
