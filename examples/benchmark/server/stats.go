package main

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// gaps are the times that clients take between a response and their next
// request: from the return of the write to the arrival of the first byte.
type gaps struct {
	mu      sync.Mutex
	answers map[int]time.Time // when the newest answer of a conversation was written
	early   map[int]time.Time // requests that came before the write had returned
	all     []time.Duration
	bytes   int64 // of the bodies of requests behind the warming up
	bodies  int64
}

func newGaps() *gaps {
	return &gaps{answers: make(map[int]time.Time), early: make(map[int]time.Time)}
}

func (g *gaps) left(p place) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.early[p.conversation]; ok {
		delete(g.early, p.conversation)
		g.all = append(g.all, 0)
		return
	}
	g.answers[p.conversation] = now
}

func (g *gaps) came(p place, at time.Time, bytes int) {
	if p.conversation > 0 {
		g.mu.Lock()
		g.bytes += int64(bytes)
		g.bodies++
		g.mu.Unlock()
	}
	if p.step == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	left, ok := g.answers[p.conversation]
	if !ok {
		g.early[p.conversation] = at
		return
	}
	delete(g.answers, p.conversation)
	g.all = append(g.all, at.Sub(left))
}

// Stats is what GET /stats tells.
type Stats struct {
	Requests  int     `json:"requests"`
	GapMedian float64 `json:"gap_median_us"`
	// Bill is what the conversations cost over the least possible; 0 if the server
	// was not asked to reckon it.
	Bill float64 `json:"bill"`
	// Marks is the largest number of breakpoints in one request.
	Marks int `json:"marks"`
	// Sent is the mean size of a request's body, without those of the warming up.
	Sent float64 `json:"sent_bytes"`
}

func (s *server) stats() []byte {
	s.gaps.mu.Lock()
	all := slices.Clone(s.gaps.all)
	st := Stats{Requests: len(all), Sent: float64(s.gaps.bytes) / float64(max(1, s.gaps.bodies))}
	s.gaps.mu.Unlock()
	if len(all) > 0 {
		slices.Sort(all)
		st.GapMedian = float64(all[len(all)/2].Nanoseconds()) / 1000
	}
	if s.bills != nil {
		st.Bill, st.Marks = s.bills.ratio()
	}
	out, err := json.Marshal(st)
	if err != nil {
		panic(err) // numbers always can be encoded
	}
	return out
}
