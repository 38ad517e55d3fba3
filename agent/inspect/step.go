package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	cachemiss "github.com/whorl-go/whorl/agent/internal/miss"

	"github.com/whorl-go/whorl/agent/internal/pricing"
	"github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/view"
)

// A stepView is a request and what its response says of it.
type stepView struct {
	Number    int    `json:"number"` // counts the session's responses from 1
	Model     string `json:"model"`
	Stop      string `json:"stop"`
	RequestID string `json:"requestId,omitempty"`
	Retries   int    `json:"retries,omitempty"`

	Read     int64 `json:"read"`    // prompt tokens from the cache
	Written  int64 `json:"written"` // prompt tokens written to the cache
	New      int64 `json:"new"`     // prompt tokens neither read nor written
	Output   int64 `json:"output"`
	Thinking int64 `json:"thinking,omitempty"` // of Output
	USD      price `json:"usd"`

	First int64 `json:"first"`          // milliseconds to the first delta
	Took  int64 `json:"took"`           // milliseconds to the end
	Sent  int64 `json:"sent,omitempty"` // bytes of the request's body, of all attempts

	Configured bool   `json:"configured"` // the log tells the whole request
	Marks      []mark `json:"marks,omitempty"`
	Miss       *miss  `json:"miss,omitempty"`

	points []transport.Breakpoint
}

// A price is what a request cost, in USD.
type price struct {
	Read    float64 `json:"read"`
	Written float64 `json:"written"`
	New     float64 `json:"new"`
	Output  float64 `json:"output"`
	Other   float64 `json:"other,omitempty"` // web searches
	Total   float64 `json:"total"`
	Known   bool    `json:"known"`
}

// A mark is a place where a request was marked for the cache.
type mark struct {
	Place  string `json:"place"` // as the service names it: "system.0"
	TTL    string `json:"ttl"`
	Record int    `json:"record"` // of the block, or -1
	Block  int    `json:"block"`  // in that record
}

// A miss is a cache that held less than the request before had left in it.
type miss struct {
	Tokens int64 `json:"tokens"` // that could have been read
	// What the tokens cost beyond what reading them would have.
	USD    float64 `json:"usd"`
	Known  bool    `json:"known"`
	Reason string  `json:"reason"`
	Detail string  `json:"detail"`
	Place  string  `json:"place,omitempty"` // of the first block that differs
	Before string  `json:"before,omitempty"`
	After  string  `json:"after,omitempty"`
}

// A reader reads a session's records in order, and keeps what it needs to
// explain the next.
type reader struct {
	log    *memory.Log
	own    []models.Model // correct and extend the table of prices
	n      int
	config *transport.Request // of the newest run that told
	step   int
	last   *lastStep
	todo   []todoView // the newest list of what is to be done

	pending []*stepView    // whose marks are not located yet
	where   map[*byte]mark // of each block, by its bytes
}

// lastStep is what the next step's cache is judged by.
type lastStep struct {
	config *transport.Request
	resp   *transport.Response
	began  time.Time
	points []transport.Breakpoint
}

func newReader(own []models.Model) *reader {
	return &reader{log: memory.NewLog(), own: own, where: make(map[*byte]mark)}
}

// prices are those of the records that come next.
func (rd *reader) prices() pricing.Prices {
	p := pricing.Prices{Own: rd.own}
	if rd.config != nil {
		p.Asked = rd.config.Model
	}
	return p
}

// add reads a record. The marks of steps are found by locate, which comes before
// entries are shown.
func (rd *reader) add(ctx context.Context, r memory.Record) (entry, error) {
	e := viewRecord(rd.n, &r, rd.prices())
	if list, ok := todoOf(&r); ok {
		rd.todo = list
	}
	switch r.Kind {
	case memory.KindRun:
		if r.Data != nil {
			config := new(transport.Request)
			if json.Unmarshal(r.Data, config) == nil {
				rd.config = config
				e.Config = viewConfig(config)
			}
		}
	case memory.KindResponse:
		e.Step = rd.addStep(&r)
	case memory.KindSummary, memory.KindOmission:
		rd.locate() // from here on messages have other places
		rd.last = nil
	}
	for i, b := range blocksOf(&r) {
		if raw := b.Raw(); len(raw) > 0 {
			rd.where[&raw[0]] = mark{Record: rd.n, Block: i}
		}
	}
	if err := rd.log.Append(ctx, r); err != nil {
		return e, fmt.Errorf("record %d: %w", rd.n, err)
	}
	rd.n++
	return e, nil
}

func (rd *reader) addStep(r *memory.Record) *stepView {
	resp := r.Response
	rd.step++
	s := viewResponse(resp, r.Time, rd.prices())
	s.Number, s.Configured = rd.step, rd.config != nil
	s.points, _ = sent.Breakpoints(r.Data) // a log by something else has none
	now := &lastStep{config: rd.config, resp: resp, began: r.Time.Add(-resp.Meta.Duration), points: s.points}
	s.Miss = missOf(rd.last, now)
	rd.last = now
	rd.pending = append(rd.pending, s)
	return s
}

// viewResponse shows what a response says of itself.
func viewResponse(resp *transport.Response, at time.Time, prices pricing.Prices) *stepView {
	return &stepView{
		Model: resp.Model, Stop: string(resp.StopReason), RequestID: resp.Meta.RequestID, Retries: max(0, resp.Meta.Attempts-1),
		Read: resp.Usage.CacheReadInputTokens, Written: resp.Usage.CacheCreationInputTokens, New: resp.Usage.InputTokens,
		Output: resp.Usage.OutputTokens, Thinking: resp.Usage.OutputTokensDetails.ThinkingTokens,
		First: resp.Meta.FirstDelta.Milliseconds(), Took: resp.Meta.Duration.Milliseconds(), Sent: resp.Meta.Sent, USD: priceOf(resp, at, prices),
	}
}

// locate finds the blocks that the marks of the newest steps stand on. Between
// two summaries messages are only ever added, so those of now hold all that these
// steps were sent.
func (rd *reader) locate() {
	if len(rd.pending) == 0 {
		return
	}
	messages := rd.log.Messages()
	for _, s := range rd.pending {
		for _, p := range s.points {
			m := mark{Place: placeName(p), TTL: string(p.TTL), Record: -1}
			if m.TTL == "" {
				m.TTL = string(transport.TTL5m)
			}
			if p.Part == transport.PartMessages && p.Index < len(messages) && p.Block < len(messages[p.Index].Content) {
				if at, ok := rd.where[&messages[p.Index].Content[p.Block].Raw()[0]]; ok {
					m.Record, m.Block = at.Record, at.Block
				}
			}
			s.Marks = append(s.Marks, m)
		}
	}
	rd.pending = rd.pending[:0]
}

func placeName(p transport.Breakpoint) string {
	switch p.Part {
	case transport.PartTools:
		return fmt.Sprintf("tools.%d", p.Index)
	case transport.PartSystem:
		return fmt.Sprintf("system.%d", p.Index)
	}
	return fmt.Sprintf("messages.%d.content.%d", p.Index, p.Block)
}

// priceOf splits what a response cost. The whole is the model's own sum; the
// parts are in proportion to their prices.
func priceOf(resp *transport.Response, at time.Time, prices pricing.Prices) price {
	total, known := prices.Cost(resp, at)
	p := price{Total: total, Known: known}
	m, ok := prices.Model(resp)
	if !ok {
		return p
	}
	u := resp.Usage
	searches, _ := m.Cost(transport.Usage{ServerToolUse: u.ServerToolUse}, at)
	p.Other = searches
	if t, ok := m.PriceAt(at, u.Speed, u.PromptTokens()); ok {
		long := min(u.CacheCreation.Ephemeral1hInputTokens, u.CacheCreationInputTokens)
		p.Read = t.CacheRead * float64(u.CacheReadInputTokens)
		p.Written = t.CacheWrite5m*float64(u.CacheCreationInputTokens-long) + t.CacheWrite1h*float64(long)
		p.New = t.Input * float64(u.InputTokens)
		p.Output = t.Output * float64(u.OutputTokens)
	}
	if sum := p.Read + p.Written + p.New + p.Output; sum > 0 {
		f := (total - searches) / sum
		p.Read, p.Written, p.New, p.Output = p.Read*f, p.Written*f, p.New*f, p.Output*f
	}
	return p
}

// missOf explains why less was read than the request before had left in the
// cache; nil if it was not less, or that can't be told.
func missOf(last, now *lastStep) *miss {
	if last == nil {
		return nil
	}
	found := cachemiss.Between(last.resp, now.resp, now.began.Sub(last.began), now.began)
	there := last.resp.Usage.CacheReadInputTokens + last.resp.Usage.CacheCreationInputTokens
	const least = 0.02 // of what was there: thinking that the service drops, and rounding
	if found == nil || found.Tokens <= 0 || float64(found.Tokens) < least*float64(there) {
		return nil
	}
	told, _ := view.CacheMissOf(now.resp)
	if told == nil && (blurred(last.resp.Usage) || blurred(now.resp.Usage)) {
		return nil
	}
	m := &miss{Tokens: found.Tokens, Reason: found.Reason, USD: found.USD, Known: found.Known}
	m.compare(last, now)
	life, gap := 5*time.Minute, now.began.Sub(last.began)
	for _, p := range last.points {
		if p.TTL == transport.TTL1h {
			life = time.Hour
		}
	}
	switch {
	case told != nil && told.Type != "previous_message_not_found" && told.Type != "unavailable": // those two tell nothing
		m.Detail = "The service's own diagnosis."
	case m.Reason == "context_edited":
		m.Detail = "The service removed older parts of the prompt, as it was asked to."
	case last.resp.Model != now.resp.Model:
		m.Reason, m.Detail = "model_changed", fmt.Sprintf("%s answered, %s before it; each model has a cache of its own.", now.resp.Model, last.resp.Model)
	case m.Place != "":
		part, _, _ := strings.Cut(m.Place, ".")
		m.Reason, m.Detail = part+"_changed", "The configuration changed between the runs."
	case gap > life:
		m.Reason, m.Detail = "expired", fmt.Sprintf("%v passed since the request before; its entries live %v.", gap.Round(time.Second), life)
	default:
		m.Reason, m.Detail = "unknown", "The request begins with all of the one before. The service did not say why it missed."
	}
	return m
}

// blurred reports whether the input counts are sums over samplings that the
// usage doesn't list.
func blurred(u transport.Usage) bool {
	return len(u.Iterations) == 0 && u.ServerToolUse.WebSearchRequests+u.ServerToolUse.WebFetchRequests > 0
}

// compare finds the first block of tools and system that differs.
func (m *miss) compare(last, now *lastStep) {
	if last.config == nil || now.config == nil || last.config == now.config {
		return
	}
	before, after := prefixBlocks(last.config), prefixBlocks(now.config)
	for i := range max(len(before), len(after)) {
		var b, a prefixBlock
		if i < len(before) {
			b = before[i]
		}
		if i < len(after) {
			a = after[i]
		}
		if b.place == a.place && bytes.Equal(b.raw, a.raw) {
			continue
		}
		if m.Place = a.place; m.Place == "" || b.place != "" && b.place < a.place {
			m.Place = b.place
		}
		m.Before, m.After = around(b.raw, a.raw)
		return
	}
}

type prefixBlock struct {
	place string
	raw   []byte
}

func prefixBlocks(r *transport.Request) []prefixBlock {
	var list []prefixBlock
	for i, t := range r.Tools {
		list = append(list, prefixBlock{fmt.Sprintf("tools.%d", i), t.Raw()})
	}
	for i, b := range r.System {
		list = append(list, prefixBlock{fmt.Sprintf("system.%d", i), b.Raw()})
	}
	return list
}

// around is what the two have from a little in front of their first difference.
func around(a, b []byte) (string, string) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	show := func(s []byte) string {
		from := max(0, min(i, len(s))-60)
		text, cut := clip(strings.ToValidUTF8(string(s[from:]), "�"), 240)
		if from > 0 {
			text = "…" + text
		}
		if cut {
			text += "…"
		}
		return text
	}
	return show(a), show(b)
}
