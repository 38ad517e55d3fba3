package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
)

// RaceBlobs has several openings of one store append the same payloads, fork sessions
// while they are deleted, and delete what others share, all at the same time. What is
// there must be whole. At the end no session is left, and so no blob may be: the caller
// checks that.
func RaceBlobs(t *testing.T, openings ...memory.Store) {
	const workers, rounds = 4, 10
	var wg sync.WaitGroup
	for w := range workers {
		b, err := blob.New(openings[w%len(openings)], nil)
		must(t, err)
		forker, err := memory.Need[memory.Forker](b)
		must(t, err)
		other := openings[(w+1)%len(openings)]
		wg.Go(func() {
			for n := range rounds {
				id, fork := fmt.Sprintf("%d/%d", w, n), fmt.Sprintf("%d/%d/fork", w, n)
				want := shots(n%2, 2+(n+w)%2, n%2) // which the other workers have, too
				if err := b.Append(ctx, id, memory.Position{}, want...); err != nil {
					t.Errorf("append: %v", err)
					return
				}
				wantRecords(t, b, id, want...)
				var deleted error
				var both sync.WaitGroup
				both.Go(func() { deleted = other.Delete(ctx, id) })
				forked := forker.Fork(ctx, id, memory.Position{Records: 2}, fork, nil)
				both.Wait()
				if deleted != nil {
					t.Errorf("delete: %v", deleted)
					return
				}
				if errors.Is(forked, memory.ErrNoSession) {
					continue
				}
				if forked != nil {
					t.Errorf("fork: %v", forked)
					return
				}
				wantRecords(t, b, fork, want[:2]...)
				if err := b.Append(ctx, fork, memory.Position{Records: 2}, shot(n%2)); err != nil {
					t.Errorf("append to the fork: %v", err)
				}
				wantRecords(t, b, fork, append(want[:2:2], shot(n%2))...)
				if err := other.Delete(ctx, fork); err != nil {
					t.Errorf("delete the fork: %v", err)
				}
			}
		})
	}
	wg.Wait()
}
