package agent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A placement decides where a request is marked.
type placement struct {
	name string
	plan func(p prompt) []transport.Breakpoint
	auto bool // and the service marks the last block that takes a mark
}

var ours = placement{name: "whorl", plan: func(p prompt) []transport.Breakpoint { return breakpoints(p, Cache{}) }}

// elsewhere are the placements that other libraries and products have, read in
// October 2026.
var elsewhere = []placement{
	{name: "none (Go SDK, fantasy, genkit)", plan: func(prompt) []transport.Breakpoint { return nil }},
	{name: "automatic only (pydantic-ai's switch)", plan: func(prompt) []transport.Breakpoint { return nil }, auto: true},
	{name: "last tool, last system, automatic (deepagents)", plan: static, auto: true},
	{name: "last tool, last system, last 2 messages (crush)", plan: func(p prompt) []transport.Breakpoint {
		marks := static(p)
		for n := len(p.messages); n > 0 && n > len(p.messages)-2; n-- {
			if b, ok := lastMarkable(p.messages[n-1 : n]); ok {
				b.Index = n - 1
				marks = append(marks, b)
			}
		}
		return marks
	}},
	{name: "tools, system, newest message, the request's before (VS Code)", plan: func(p prompt) []transport.Breakpoint {
		marks := static(p)
		users := 0
		for n := len(p.messages); n > 0 && users < 2; n-- {
			if p.messages[n-1].Role != transport.RoleUser {
				continue
			}
			users++
			if b, ok := lastMarkable(p.messages[n-1 : n]); ok {
				b.Index = n - 1
				marks = append(marks, b)
			}
		}
		return marks
	}},
	{name: "last assistant message (trpc)", plan: func(p prompt) []transport.Breakpoint {
		for n := len(p.messages); n > 0; n-- {
			if p.messages[n-1].Role == transport.RoleAssistant {
				if b, ok := lastMarkable(p.messages[n-1 : n]); ok {
					b.Index = n - 1
					return []transport.Breakpoint{b}
				}
			}
		}
		return nil
	}},
}

// static marks the last tool and the last system block.
func static(p prompt) []transport.Breakpoint {
	var marks []transport.Breakpoint
	if n := len(p.tools); n > 0 {
		marks = append(marks, transport.Breakpoint{Part: transport.PartTools, Index: n - 1})
	}
	if n := len(p.system); n > 0 {
		marks = append(marks, transport.Breakpoint{Part: transport.PartSystem, Index: n - 1})
	}
	return marks
}

// A study plays a shape with a placement.
type study struct {
	place  placement
	model  transport.Model
	cache  studyCache
	least  leastCost
	now    time.Time
	number uint64

	cost, bound float64 // USD
	requests    int
}

func play(sh shape, place placement, model transport.Model, r reading) *study {
	minimum := int64(model.MinCacheTokens)
	s := &study{
		place: place, model: model, now: at,
		cache: studyCache{reading: r, minimum: minimum, entries: map[uint64]studyEntry{}},
		least: leastCost{price: model.Prices[0], minimum: minimum, blocks: map[uint64]studySent{}},
	}
	sh.play(&studyTalk{study: s, tools: []transport.ToolDefinition{studyTool}, system: studySystem(2000)})
	return s
}

// ask sends the conversation as it stands.
func (t *studyTalk) ask() {
	s := t.study
	list := t.positions()
	mark(list, s.place.plan(prompt{model: s.model, tools: t.tools, system: t.system, messages: t.messages, sends: t.sends, now: s.now, long: true}))
	if s.place.auto {
		for i := len(list) - 1; i >= 0; i-- {
			if !list[i].bare {
				list[i].mark = max(list[i].mark, shortLife)
				break
			}
		}
	}
	send := s.cache.charge(list, s.now)
	send.Messages = len(t.messages)
	t.sends = append(t.sends, send)
	s.cost += usd(send, s.model.Prices[0])
	s.bound += s.least.add(list, s.now)
	s.requests++
}

func mark(list []studyPosition, marks []transport.Breakpoint) {
	for i := range list {
		for _, m := range marks {
			if samePlace(m, list[i].at) {
				if list[i].mark = shortLife; m.TTL == transport.TTL1h {
					list[i].mark = longLife
				}
			}
		}
	}
}

// The cost study: what the prompts of many shapes of conversation cost, over the
// least that they could cost (see leastCost), by the agent's placement and by
// those in use elsewhere. Answers cost the same by all and are left out, which
// makes the differences look larger than on a bill, for us too.
//
//	go test ./agent -run CostStudy -v
func TestCostStudy(t *testing.T) {
	readings := []reading{{name: "look-back over blocks"}, {name: "look-back over runs", runs: true}}
	for _, id := range []string{"claude-opus-5-5", "claude-opus-5", "claude-fable-5-1", "claude-haiku-4-5"} {
		model, ok := transport.LookupModel(id)
		if !ok {
			t.Fatal(id)
		}
		for _, r := range readings {
			t.Run(id+"/"+strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) {
				table := newStudyTable(id + ", " + r.name)
				for _, sh := range shapes {
					s := play(sh, ours, model, r)
					ratio := s.cost / s.bound
					if ratio < 1-1e-9 {
						t.Errorf("%s: %.4f of the least cost: the bound is wrong", sh.name, ratio)
					}
					limit := cmp.Or(sh.limit, 1.02)
					if sh.gaps {
						limit = cmp.Or(sh.limit, 1.10)
					}
					if ratio > limit {
						t.Errorf("%s: %.4f times the least cost; at most %.2f", sh.name, ratio, limit)
					}
					row := []float64{ratio}
					for _, other := range elsewhere {
						o := play(sh, other, model, r)
						row = append(row, o.cost/o.bound)
					}
					r.fixed = true
					f := play(sh, ours, model, r)
					r.fixed = false
					row = append(row, f.cost/f.bound)
					if f.cost/f.bound > 1.5 {
						t.Errorf("%s: %.4f times the least cost where lives are fixed", sh.name, f.cost/f.bound)
					}
					table.add(sh, s, row)
				}
				t.Log(table.String())
			})
		}
	}
}

// A studyTable is the study's figures as text.
type studyTable struct {
	strings.Builder
	worst map[bool][]float64
}

func newStudyTable(title string) *studyTable {
	tb := &studyTable{worst: map[bool][]float64{}}
	fmt.Fprintf(tb, "%s: cost of the prompts over the least possible\n\n", title)
	names := []string{"A  " + ours.name}
	for _, e := range elsewhere {
		names = append(names, e.name)
	}
	names = append(names, ours.name+", if marking an entry again with 1h did not lengthen its life")
	for i, n := range names {
		fmt.Fprintf(tb, "  %c  %s\n", 'A'+i, strings.TrimPrefix(n, "A  "))
	}
	fmt.Fprintf(tb, "\n%-52s %8s %9s", "shape", "requests", "least")
	for i := range names {
		fmt.Fprintf(tb, " %6c", 'A'+i)
	}
	fmt.Fprintln(tb)
	return tb
}

func (tb *studyTable) add(sh shape, s *study, row []float64) {
	fmt.Fprintf(tb, "%-52s %8d %9s", sh.name, s.requests, fmt.Sprintf("$%.4f", s.bound))
	for _, f := range row {
		fmt.Fprintf(tb, " %6.3f", f)
	}
	fmt.Fprintln(tb)
	w := tb.worst[sh.gaps]
	if w == nil {
		w = slices.Clone(row)
	}
	for i := range row {
		w[i] = max(w[i], row[i])
	}
	tb.worst[sh.gaps] = w
}

func (tb *studyTable) String() string {
	for _, gaps := range []bool{false, true} {
		fmt.Fprintf(tb, "%-71s", map[bool]string{false: "worst without gaps", true: "worst with gaps"}[gaps])
		for _, f := range tb.worst[gaps] {
			fmt.Fprintf(tb, " %6.3f", f)
		}
		fmt.Fprintln(tb)
	}
	return tb.Builder.String()
}
