package uistream

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
)

// branching knows the branches that requests have begun and listen to. The same request
// that comes meanwhile, as by a double click, is about the same branch; one that comes
// later wants another answer.
type branching struct {
	mu   sync.Mutex
	list map[[sha256.Size]byte]*begun
}

// A begun is a branch, with the number of the requests that listen.
type begun struct {
	session   string
	listeners int
}

func keyOf(in *input) [sha256.Size]byte {
	raw, _ := json.Marshal(in) // it was JSON
	return sha256.Sum256(raw)
}

// session is that of the branch that the same request has begun, or "".
func (b *branching) session(in *input) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.list[keyOf(in)]; o != nil {
		return o.session
	}
	return ""
}

// listen notes that the request listens to its branch, until leave is called.
func (b *branching) listen(in *input, session string) (leave func()) {
	key := keyOf(in)
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.list[key]
	if o == nil || o.session != session {
		o = &begun{session: session}
		if b.list == nil {
			b.list = make(map[[sha256.Size]byte]*begun)
		}
		b.list[key] = o
	}
	o.listeners++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if o.listeners--; o.listeners == 0 && b.list[key] == o {
			delete(b.list, key)
		}
	}
}
