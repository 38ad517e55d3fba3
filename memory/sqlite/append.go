package sqlite

import (
	"context"
	"errors"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// A change is an append on its way to the disk.
type change struct {
	id     string
	at     memory.Position
	rows   []sqlstore.Row
	blobs  []memory.Blob
	queued int64

	err  error         // of this change alone
	done chan struct{} // closed once the change is durable or has failed
}

// Append implements [memory.Store]. After it has begun to write, the end of ctx
// does not interrupt it, so that its outcome is certain.
func (s *Store) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return s.AppendBlobs(ctx, id, at, nil, records...)
}

// AppendBlobs implements [github.com/whorl-go/whorl/memory/blob.Appender]: blobs and
// records become durable together.
func (s *Store) AppendBlobs(ctx context.Context, id string, at memory.Position, blobs []memory.Blob, records ...memory.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rows, err := sqlstore.Encode(id, at.Records, records)
	if err != nil {
		return err
	}
	if blobs, err = sqlstore.OrderBlobs(id, blobs); err != nil {
		return err
	}
	c := &change{id: id, at: at, rows: rows, blobs: blobs, queued: sqlstore.Queued(records), done: make(chan struct{})}
	s.mu.Lock()
	s.pending = append(s.pending, c)
	s.mu.Unlock()
	// Whoever gets the turn writes what is pending, its own and that of others, in
	// one transaction.
	select {
	case <-c.done:
	case s.turn <- struct{}{}:
		s.mu.Lock()
		pending := s.pending
		s.pending, s.spare = s.spare, nil
		s.mu.Unlock()
		s.write(pending)
		clear(pending)
		s.mu.Lock()
		s.spare = pending[:0]
		s.mu.Unlock()
		<-s.turn
		<-c.done
	}
	return s.db.Fail(id, c.err)
}

// write makes changes durable. One that is refused leaves the others alone; if
// the transaction fails, each is tried by itself.
func (s *Store) write(changes []*change) {
	ctx := context.Background()
	err := s.db.Tx(ctx, func(tx sqlstore.Tx) error {
		for _, c := range changes {
			err := s.db.AppendTx(ctx, tx, c.id, c.at, c.rows, c.queued, c.blobs)
			if c.err = nil; refused(err) {
				c.err = err
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(changes) > 1 {
		for _, c := range changes {
			s.write([]*change{c})
		}
		return
	}
	for _, c := range changes {
		if err != nil {
			c.err = err
		}
		close(c.done)
	}
}

// refused reports whether an append has changed nothing because it doesn't fit.
func refused(err error) bool {
	return errors.Is(err, memory.ErrConflict) || errors.Is(err, memory.ErrNoSession) || errors.Is(err, memory.ErrReplaced)
}
