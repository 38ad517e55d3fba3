package failover

import (
	"hash/maphash"
	"sync"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

// mostKnown bounds what is known of each kind.
const mostKnown = 20_000

var seed = maphash.MakeSeed()

// known is what was learned of the endpoints: whose an id is, and what they refused.
// What is forgotten is learned again, by a refusal that is not billed.
type known struct {
	mu       sync.Mutex
	owners   map[string]owned // by the id of a response or a container
	refusals map[refusal]bool
	answered map[int]bool // endpoints
}

type owned struct {
	endpoint int
	alone    bool // a response that isn't part of a thread
}

// A refusal is a block that an endpoint didn't take.
type refusal struct {
	endpoint int
	block    uint64
}

// response learns whose a response and its container are.
func (k *known) response(endpoint int, r *transport.Response, threaded bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answered == nil {
		k.answered = map[int]bool{}
	}
	k.answered[endpoint] = true
	if k.owners == nil || len(k.owners) >= mostKnown {
		k.owners = map[string]owned{}
	}
	k.owners[r.ID] = owned{endpoint, !threaded}
	if r.Container != nil && r.Container.ID != "" {
		k.owners[r.Container.ID] = owned{endpoint: endpoint}
	}
}

func (k *known) owner(id string) (endpoint int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o, ok := k.owners[id]
	return o.endpoint, ok
}

// alone reports whether a response is known not to be part of a thread.
func (k *known) alone(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.owners[id].alone
}

// others reports whether another endpoint than the first has answered.
func (k *known) others() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.answered) > 1 || len(k.answered) == 1 && !k.answered[0]
}

// refuse learns which thinking an endpoint doesn't take.
func (k *known) refuse(endpoint int, messages []transport.Message, o omit.Omission) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refusals == nil || len(k.refusals) >= mostKnown {
		k.refusals = map[refusal]bool{}
	}
	for _, p := range o.Blocks {
		if b := messages[p.Message].Content[p.Block]; p.Inner == 0 && isThinking(b) {
			k.refusals[refusal{endpoint, maphash.Bytes(seed, b.Raw())}] = true
		}
	}
}

// refused are the places of thinking that an endpoint is known not to take.
func (k *known) refused(endpoint int, messages []transport.Message) []omit.Place {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.refusals) == 0 {
		return nil
	}
	var places []omit.Place
	for i := range messages {
		for j, b := range messages[i].Content {
			if isThinking(b) && k.refusals[refusal{endpoint, maphash.Bytes(seed, b.Raw())}] {
				places = append(places, omit.Place{Message: i, Block: j})
			}
		}
	}
	return places
}

func isThinking(b transport.Block) bool {
	return b.Type() == transport.TypeThinking || b.Type() == transport.TypeRedactedThinking
}
