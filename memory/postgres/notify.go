package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/whorl-go/whorl/memory"
)

// channelOf is the name of the channel of a schema's notifications. A name has at
// most 63 bytes, so that of the schema can't be in it.
func channelOf(schema string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(schema))
	return fmt.Sprintf("whorl_due_%x", h.Sum64())
}

// Enqueue implements [memory.Inbox].
func (s *Store) Enqueue(ctx context.Context, id string, input memory.Record) error {
	err := s.Sessions.Enqueue(ctx, id, input)
	if err == nil {
		s.tell(ctx)
	}
	return err
}

// Wake implements [memory.Waker].
func (s *Store) Wake(ctx context.Context, id string, at time.Time) error {
	err := s.Sessions.Wake(ctx, id, at)
	if err == nil && !at.IsZero() && !at.After(time.Now()) {
		s.tell(ctx)
	}
	return err
}

// tell tells those that listen that a session may be due. If that fails, nothing is
// lost: they look by themselves.
func (s *Store) tell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = s.db.Write.ExecContext(ctx, "SELECT pg_notify($1, '')", s.channel)
}

// The pause before connecting again for notifications, and the longest one.
const (
	firstReconnect = 100 * time.Millisecond
	lastReconnect  = 10 * time.Second
)

// Notify calls due whenever a session may have become due: a message has come, or a
// time to be woken that is not in the future. It returns when ctx ends, with ctx's error.
// Times that come, and leases that run out, tell nobody, so due sessions must be looked
// for from time to time too. due is called once at the beginning, and after each loss of
// the connection, as something may have been missed; it must return quickly.
//
// Notify keeps a connection of its own, besides Options.MaxConns. It fails with an error
// that matches [errors.ErrUnsupported] behind a pooler that shares connections between
// transactions.
func (s *Store) Notify(ctx context.Context, due func()) error {
	if s.pooled {
		return fmt.Errorf("postgres: no notifications come through a pooler that shares connections: give the server's own URL: %w", errors.ErrUnsupported)
	}
	for pause := firstReconnect; ; pause = min(2*pause, lastReconnect) {
		if s.listen(ctx, due) {
			pause = firstReconnect
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// listen calls due for each notification until the connection is lost, or ctx ends. It
// reports whether there was a connection.
func (s *Store) listen(ctx context.Context, due func()) (connected bool) {
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+s.channel); err != nil {
		return false
	}
	for {
		due()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true
		}
	}
}
