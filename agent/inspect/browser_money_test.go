package inspect_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The page says first what a run cost, and why.
func TestBrowserMoney(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	prompt := strings.Repeat("You compare things. ", 400)
	for _, s := range []struct{ id, user string }{{"dear", "ann"}, {"cheap", "bob"}} {
		log, err := memory.Create(store, s.id, &memory.Start{Meta: map[string]string{"user": s.user, "tenant": "acme"}})
		if err != nil {
			t.Fatal(err)
		}
		turns, said := 4, "Compare everything."
		if s.id == "cheap" {
			turns, said = 1, "Say hi."
		}
		if _, err := newAgent(t, simulator.Loop{Turns: turns}, false, prompt).Run(t.Context(), agent.Input{Log: log, Messages: []transport.Message{transport.UserText(said)}}); err != nil {
			t.Fatal(err)
		}
	}
	run(t, newAgent(t, simulator.Script(simulator.Say("Once more.")), false, prompt+"Be brief."), store, "dear", transport.UserText("Sure?"))
	talks := newAgent(t, simulator.Script(simulator.Say("A new answer."), simulator.Say("And another.")), false, prompt)
	var runs sync.WaitGroup
	defer runs.Wait()
	server := serve(t, store, inspect.Options{Resume: func(id string) {
		runs.Go(func() { _, _ = talks.Run(context.Background(), agent.Input{Store: store, Session: id}) })
	}})

	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token)
	b.until("metadata", `document.querySelector(".sessions").textContent.includes("tenant: acme")`)
	b.click("[data-overview='sort cost']")
	b.until("the dearest first", `document.querySelector(".sessions tbody a").dataset.overview === "dear" && document.querySelector("[aria-sort=descending]").textContent.startsWith("Cost")`)
	b.click(".sums summary")
	b.until("the sums", `document.querySelectorAll(".sums table").length === 3 && document.querySelector(".sums tbody th").textContent === "ann"`)
	b.axe("sums")
	b.shootAll("sums")
	eval[any](b, `(document.querySelector(".filter").value = "bob", document.querySelector(".filter").dispatchEvent(new Event("input")))`)
	b.until("one of bob's", `document.querySelectorAll(".sessions tbody tr").length === 1`)
	eval[any](b, `(document.querySelector(".filter").value = "", document.querySelector(".filter").dispatchEvent(new Event("input")))`)
	b.click("[data-overview=dear]")
	b.until("the session", `document.body.dataset.ready === "dear"`)
	for what, js := range map[string]string{
		"the cost stands first":            `document.querySelector("#totals dt").textContent === "cost"`,
		"the chart shows USD":              `document.querySelector("#unit").textContent === "USD"`,
		"what made the cost has a price":   `/result of \w+ .*about \$/.test(document.querySelector(".causes").textContent)`,
		"the miss has a price":             `/cost over \$|cost \$/.test(document.querySelector(".miss").textContent)`,
		"no pill of a breakpoint is cut":   `[...document.querySelectorAll(".row")].every((r) => [...r.querySelectorAll(".mark span")].every((m) => m.getBoundingClientRect().bottom <= r.getBoundingClientRect().bottom + 1))`,
		"times have dates":                 `/\d/.test(document.querySelector(".row .time").textContent) && document.querySelector(".divider").textContent.includes(new Date().toLocaleDateString([], {month: "short"}))`,
		"nothing is wider than the window": `document.documentElement.scrollWidth <= innerWidth`,
	} {
		b.until(what, js)
	}
	grow := func() string {
		return eval[string](b, `[...document.querySelectorAll(".row.step .bar")].map((bar) => [...bar.children].map((c) => c.style.flexGrow).join()).join(";")`)
	}
	was := grow()
	b.click("#unit")
	b.until("tokens", `document.querySelector("#unit").textContent === "Tokens"`)
	if grow() == was {
		t.Error("the bars are the same in tokens and in USD")
	}
	b.click("#unit")
	b.axe("money")
	b.shootAll("money")
	b.look(1280, 860, true)
	b.axe("money, dark")
	b.look(390, 844, false)
	b.until("the phone shows the cost", `(() => { const r = document.querySelector("#totals .cost").getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth; })()`)
	// A session is begun, and goes on, by what is written in the page.
	b.look(1280, 860, false)
	b.key("h")
	b.until("all sessions", `!document.querySelector("#overview").hidden && !document.querySelector("#write").hidden`)
	for _, want := range []string{"A new answer.", "And another."} {
		eval[any](b, `(document.querySelector("#words").value = "Hello.", document.querySelector("#write").requestSubmit())`)
		b.until(want, `document.querySelector("#transcript").textContent.includes("`+want+`")`)
	}
	b.axe("written")
	b.shootAll("written")
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}
