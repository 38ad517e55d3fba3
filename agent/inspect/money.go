package inspect

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// A moneyView is what the sessions of the list came to, in three ways.
type moneyView struct {
	Users  []moneyLine `json:"users"` // by the metadata's "user"
	Models []moneyLine `json:"models"`
	Days   []moneyLine `json:"days"` // UTC, the newest first
}

// A moneyLine is a sum.
type moneyLine struct {
	Name     string  `json:"name"` // empty: no user, or requests beside the conversations
	Sessions int     `json:"sessions"`
	Requests int     `json:"requests"`
	Tokens   int64   `json:"tokens"`
	USD      float64 `json:"usd"`
	Known    bool    `json:"known"` // the price of all of it is
}

// A spent is what one session came to: with each model on each day.
type spent struct {
	records int
	lines   map[spentKey]*moneyLine
}

type spentKey struct{ model, day string }

// spendings keeps what was summed up last of each session: it takes the whole log.
type spendings struct {
	mu   sync.Mutex
	last map[string]spent
}

// money serves the sums over the sessions of the list, or over those of one user.
func (p *Page) money(w http.ResponseWriter, r *http.Request) {
	users, byModel, days := map[string]*moneyLine{}, map[string]*moneyLine{}, map[string]*moneyLine{}
	for info, err := range p.store.List(r.Context(), memory.Query{Limit: mostSessions}) {
		if err != nil {
			p.fail(w, err)
			return
		}
		if of := r.URL.Query(); of.Has("user") && info.Meta["user"] != of.Get("user") {
			continue
		}
		s, err := p.spent(r.Context(), info)
		if err != nil {
			continue // it can't be read, which its own line says
		}
		seen := map[*moneyLine]bool{}
		for key, l := range s.lines {
			for _, line := range []*moneyLine{lineOf(users, info.Meta["user"]), lineOf(byModel, key.model), lineOf(days, key.day)} {
				if !seen[line] {
					seen[line] = true
					line.Sessions++
				}
				line.Requests += l.Requests
				line.Tokens += l.Tokens
				line.USD += l.USD
				line.Known = line.Known && l.Known
			}
		}
	}
	dear := func(a, b moneyLine) int { return cmp.Or(cmp.Compare(b.USD, a.USD), cmp.Compare(a.Name, b.Name)) }
	late := func(a, b moneyLine) int { return cmp.Compare(b.Name, a.Name) }
	writeJSON(w, moneyView{sorted(users, dear), sorted(byModel, dear), sorted(days, late)})
}

func lineOf(lines map[string]*moneyLine, name string) *moneyLine {
	l := lines[name]
	if l == nil {
		l = &moneyLine{Name: name, Known: true}
		lines[name] = l
	}
	return l
}

func sorted(lines map[string]*moneyLine, by func(a, b moneyLine) int) []moneyLine {
	list := []moneyLine{}
	for _, l := range lines {
		list = append(list, *l)
	}
	slices.SortFunc(list, by)
	return list
}

// spent is what a session's own log came to, without its sub-agents', which are in the
// list themselves, and without what a fork has of its origin.
func (p *Page) spent(ctx context.Context, info memory.Info) (spent, error) {
	p.spendings.mu.Lock()
	s, ok := p.spendings.last[info.ID]
	p.spendings.mu.Unlock()
	if ok && s.records == info.Records {
		return s, nil
	}
	log, err := memory.Open(ctx, p.store, info.ID)
	if err != nil {
		return s, err
	}
	s = spent{log.Len(), map[spentKey]*moneyLine{}}
	add := func(model string, at time.Time, b agent.Bill) {
		key := spentKey{model, at.UTC().Format(time.DateOnly)}
		l := s.lines[key]
		if l == nil {
			l = &moneyLine{Known: true}
			s.lines[key] = l
		}
		l.Requests += b.Requests
		l.Tokens += b.Tokens
		l.USD += b.Cost.USD
		l.Known = l.Known && !b.Cost.Incomplete
	}
	var answered agent.Bill
	for _, r := range log.Records(0) {
		if r.Kind != memory.KindResponse || info.Origin != "" && r.Time.Before(info.Created) {
			continue
		}
		var b agent.Bill
		b.AddResponse(r.Response, r.Time, p.opts.Models...)
		b.Requests = 1
		answered.Add(b)
		add(r.Response.Model, r.Time, b)
	}
	if info.Origin == "" { // what is no response: attempts that failed, summaries
		all, err := agent.BillOf(ctx, log.Fork(), p.opts.Models...)
		if err != nil {
			return s, err
		}
		if rest := all.Tokens - answered.Tokens; rest > 0 || all.Cost.USD > answered.Cost.USD+1e-9 {
			add("", info.Changed, agent.Bill{Requests: max(0, all.Requests-answered.Requests), Tokens: rest, Cost: agent.Cost{USD: all.Cost.USD - answered.Cost.USD, Incomplete: all.Cost.Incomplete && !answered.Cost.Incomplete}})
		}
	}
	p.spendings.mu.Lock()
	defer p.spendings.mu.Unlock()
	if p.spendings.last == nil || len(p.spendings.last) >= maxBriefs {
		p.spendings.last = make(map[string]spent)
	}
	p.spendings.last[info.ID] = s
	return s, nil
}
