package cacheplan

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// docs/context.md says from how many steps on a summary pays.
func TestSummaryPaysFromAFewStepsOn(t *testing.T) {
	model, ok := models.Lookup("claude-opus-5-5")
	if !ok {
		t.Fatal("the model is not in the table")
	}
	const size = 150_000
	pays := func(steps, readable int64) bool {
		o := Outlook{price: PriceOf(model), steps: float64(steps), Size: size, readable: readable, fixed: 2000, kept: 4000}
		return o.Summarized() < o.AsIs()
	}
	for steps := int64(1); steps < 20; steps++ {
		if got, want := pays(steps, size), steps >= 5; got != want {
			t.Errorf("with all in the cache and %d steps to come a summary pays: %v", steps, got)
		}
		if !pays(steps, 0) {
			t.Errorf("with nothing in the cache and %d steps to come a summary doesn't pay", steps)
		}
	}
}

// What is cleared saves what the rewriting costs, at the least.
func TestClearingPays(t *testing.T) {
	opus, _ := models.Lookup("claude-opus-5-5")
	for _, steps := range []int64{1, 10, 100, 1000} {
		for _, m := range []models.Model{opus, {}} {
			price := PriceOf(m)
			cleared := float64(LeastToClear(m, 1_000_000, steps, 5000))
			costs := (1_000_000 - cleared + float64(steps)*5000) * (price.CacheWrite5m - price.CacheRead)
			saves := cleared * price.CacheRead * float64(steps)
			if saves < 0.999*costs || saves > 1.001*costs {
				t.Errorf("%d steps: clearing %.0f tokens costs %.0f and saves %.0f", steps, cleared, costs, saves)
			}
		}
	}
}

// What an outlook is made of, and that the tools and the system prompt are written with
// a summary only where the cache has lost them.
func TestOutlook(t *testing.T) {
	p := Prompt{System: []transport.Block{transport.Text("x")}, Messages: []transport.Message{transport.UserText("q")}, Now: at}
	p.Requests = sent(3*time.Minute, 1, 2*time.Minute, 1, time.Minute, 1)
	h := Observe(&p)
	if o := h.Outlook(&p, 0, 7); o.steps != 3 || o.kept != 7 || o.Size != 1000 || o.readable != 1000 || o.fixed != p.StaticTokens() || o.Cold() {
		t.Errorf("%+v", o)
	}
	if o := h.Outlook(&p, 5, 0); o.steps != 5 {
		t.Errorf("%+v", o)
	}
	small := Prompt{System: []transport.Block{transport.Text(string(make([]byte, 9000)))}, Requests: sent(time.Minute, 1), Now: at}
	few := Observe(&small)
	if o := few.Outlook(&small, 1, 0); o.fixed != o.Size || o.Size != 1000 {
		t.Errorf("%+v", o)
	}
	price := models.Price{Input: 4, CacheWrite5m: 5, CacheRead: 1, Output: 10}
	warm := Outlook{price: price, steps: 10, Size: 1000, readable: 500, fixed: 100, kept: 50}
	cold := warm
	cold.readable = 499
	if warm.Cold() || !cold.Cold() {
		t.Error("half of it is warm")
	}
	if got, want := warm.AsIs(), 10.0*1000+4*500; got != want {
		t.Errorf("as it is: %v, want %v", got, want)
	}
	if got, want := warm.Summarized(), 500.0+4*500+10*3000+10*3150+4*3050; got != want {
		t.Errorf("summarized: %v, want %v", got, want)
	}
	if got, want := cold.Summarized(), 499.0+4*501+10*3000+10*3150+4*3150; got != want {
		t.Errorf("summarized when cold: %v, want %v", got, want)
	}
	warm.price.Output = 0 // five times that of the input
	if got, want := warm.Summarized(), 500.0+4*500+20*3000+10*3150+4*3050; got != want {
		t.Errorf("summarized without a price of the answer: %v, want %v", got, want)
	}
}
