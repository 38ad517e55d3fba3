package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A tool of 12 minutes, with the cache kept warm for 5, 10 and 20, and not. The
// first request to keep it warm also makes the system prompt live for an hour,
// which is nearly all there is.
func TestKeepWarm(t *testing.T) {
	tests := []struct {
		keep  time.Duration
		pings int
		warm  bool // when the tool is done
	}{{0, 0, false}, {10 * time.Minute, 2, true}, {5 * time.Minute, 1, true}, {20 * time.Minute, 2, true}}
	for _, tt := range tests {
		t.Run(tt.keep.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := simulated(t, simulator.Loop{Turns: 1}, simulator.LookbackBlocks, 4000, 12*time.Minute)
				a.opts.Cache.KeepWarm = tt.keep
				log := memory.NewLog()
				res, err := a.Continue(t.Context(), log, transport.UserText("go")).Result()
				if err != nil || res.Steps != 2 {
					t.Fatalf("%+v, %v", res, err)
				}
				if got := len(w.exchanges) - 2; got != tt.pings {
					t.Errorf("%d requests to keep warm, want %d", got, tt.pings)
				}
				for _, x := range w.exchanges[1 : 1+tt.pings] {
					if u := x.resp.Usage; x.req.MaxTokens != 0 || u.OutputTokens > 1 || u.CacheReadInputTokens == 0 || u.CacheCreationInputTokens > 0 {
						t.Errorf("%+v", u)
					}
				}
				last := w.exchanges[len(w.exchanges)-1].resp.Usage
				if whole := last.CacheReadInputTokens > last.CacheCreationInputTokens; whole != tt.warm {
					t.Errorf("kept for %v: %+v", tt.keep, last)
				}
				if b := BillOf(log); b.Requests != 2+tt.pings || b.Cost != res.Cost || b.Usage.CacheReadInputTokens != res.Usage.CacheReadInputTokens {
					t.Errorf("the log's bill is %+v, the run's %v", b, res.Cost)
				}
			})
		})
	}
}
