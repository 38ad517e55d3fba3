package cachestudy

import (
	"slices"
	"testing"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// inThreads is the agent's placement with message threads.
func inThreads(c cacheplan.Options, uninsured bool) placement {
	p := ours("whorl in threads", c)
	p.thread = func(p cacheplan.Prompt, held int) (cacheplan.Thread, bool) {
		return cacheplan.PlanThread(&p, c, held, uninsured)
	}
	return p
}

// What threads cost: the prompts over those without, and the bytes that are sent.
// They never cost more than 1.01 times as much where they are chosen by themselves,
// whether the marks of a thread's earlier messages count and act or not. Where they
// are asked for, that holds for all kinds without pauses.
//
//	go test ./agent/internal/cachestudy -run ThreadsCost -v
func TestThreadsCost(t *testing.T) {
	if raceEnabled {
		t.Skip("arithmetic in one goroutine")
	}
	ids, readings := studyModels, []reading{{name: "marks are inert", inert: true}, {name: "marks act"}, {name: "runs", runs: true}}
	if testing.Short() {
		ids, readings = ids[:1], readings[:2]
	}
	for _, id := range ids {
		model, _ := models.Lookup(id)
		for _, r := range readings {
			t.Logf("%s, %s: cost of the prompts over that without, and part of the bytes: by themselves, with a TTL of 5m, asked for", id, r.name)
			for _, sh := range slices.Concat(shapes, changes) {
				short := cacheplan.Options{TTL: transport.TTL5m}
				without, shortWithout := playOurs(sh, model, r), play(sh, ours("", short), model, r)
				all := []*study{
					play(sh, inThreads(cacheplan.Options{}, false), model, r),
					play(sh, inThreads(short, false), model, r),
					play(sh, inThreads(cacheplan.Options{}, true), model, r),
				}
				bases := []*study{without, shortWithout, without}
				var cost, sent [3]float64
				for i, s := range all {
					cost[i], sent[i] = s.cost/bases[i].cost, float64(s.sent)/float64(bases[i].sent)
					if s.excess > 0 {
						t.Errorf("%s, %s, %s: %d requests with more than 4 marks", id, r.name, sh.name, s.excess)
					}
					if cost[i] > 1.01 && (i < 2 || sh.pause == 0) {
						t.Errorf("%s, %s, %s: %.3f times the cost without threads (case %d)", id, r.name, sh.name, cost[i], i)
					}
				}
				t.Logf("%-56s %.3f %.3f   %.3f %.3f   %.3f %.3f", sh.name, cost[0], sent[0], cost[1], sent[1], cost[2], sent[2])
			}
		}
	}
}
