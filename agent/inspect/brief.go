package inspect

import (
	"context"
	"net/http"
	"sync"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/models"
)

// A briefView is what the list of all sessions says about one.
type briefView struct {
	Records int     `json:"records"` // that it was made from
	Doing   string  `json:"doing"`   // as in stateView
	Detail  string  `json:"detail,omitempty"`
	Waiting int     `json:"waiting,omitempty"` // calls that wait for a decision, and questions
	Model   string  `json:"model,omitempty"`   // of the newest response
	Steps   int     `json:"steps"`
	Prompt  int64   `json:"prompt"` // tokens, whether read, written or neither
	Read    int64   `json:"read"`
	Output  int64   `json:"output"`
	USD     float64 `json:"usd"`
	Known   bool    `json:"known"`
	// What the session has cost with its sub-agents' sessions.
	TreeUSD   float64 `json:"treeUSD"`
	TreeKnown bool    `json:"treeKnown"`
}

// briefs keeps what was told last of each session: making it reads the whole log.
type briefs struct {
	mu   sync.Mutex
	last map[string]briefView
}

// maxBriefs bounds how many are kept.
const maxBriefs = 2 * mostSessions

func (b *briefs) get(id string, records int) (briefView, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, ok := b.last[id]
	return v, ok && v.Records == records
}

func (b *briefs) put(id string, v briefView) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil || len(b.last) >= maxBriefs {
		b.last = make(map[string]briefView)
	}
	b.last[id] = v
}

// brief serves what a session has come to.
func (p *Page) brief(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	info, err := p.store.Info(r.Context(), id)
	if err != nil {
		p.fail(w, err)
		return
	}
	if v, ok := p.briefs.get(id, info.Records); ok {
		writeJSON(w, v)
		return
	}
	log, err := memory.Open(r.Context(), p.store, id)
	if err != nil {
		p.fail(w, err)
		return
	}
	v, err := briefOf(r.Context(), log, p.opts.Models)
	if err != nil {
		p.fail(w, err)
		return
	}
	p.briefs.put(id, v)
	writeJSON(w, v)
}

func briefOf(ctx context.Context, log *memory.Log, own []models.Model) (briefView, error) {
	state := stateOf(log)
	bill, err := agent.BillOf(ctx, log.Fork(), own...)
	if err != nil {
		return briefView{}, err
	}
	tree, err := agent.BillOf(ctx, log, own...)
	if err != nil {
		return briefView{}, err
	}
	v := briefView{
		Records: log.Len(), Doing: state.Doing, Detail: state.Detail, Waiting: len(state.Waiting) + len(agent.Questions(log)), Steps: responses(log),
		Prompt: bill.Usage.PromptTokens(), Read: bill.Usage.CacheReadInputTokens, Output: bill.Usage.OutputTokens,
		USD: bill.Cost.USD, Known: !bill.Cost.Incomplete, TreeUSD: tree.Cost.USD, TreeKnown: !tree.Cost.Incomplete,
	}
	if last := log.State().Response; last != nil {
		v.Model = last.Model
	}
	return v, nil
}

func responses(log *memory.Log) int {
	n := 0
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindResponse {
			n++
		}
	}
	return n
}
