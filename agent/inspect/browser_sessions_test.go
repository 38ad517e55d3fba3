package inspect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The list of all sessions is sorted and filtered by user and other metadata, sums follow,
// what waits stands in one place, and sub-agents' sessions are led to. Markdown is shown
// as what it means, or as it was written.
func TestBrowserSessions(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	begin := func(id, user, tenant string) *memory.Log {
		meta := map[string]string{"tenant": tenant}
		if user != "" {
			meta["user"] = user
		}
		log, err := memory.Create(store, id, &memory.Start{Meta: meta})
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	const text = "## Rain\n\nIn **millimetres**, by [the office](https://weather.example/rain):\n\n| Place | 2024 | 2025 |\n|:--|--:|--:|\n| Oslo | 763 | 801 |\n| Bergen | 2,250 | 2,491 |\n\n1. Bergen is wetter.\n   - By far.\n   - Each year.\n2. Oslo is not dry.\n\n```go\nfunc wetter(a, b int) bool { return a > b }\n```\n\n> Bring an umbrella.\n"
	for _, s := range []struct{ id, user, tenant, say string }{{"s1", "cyd", "acme", "Yes."}, {"s2", "ann", "zeta", text}, {"s3", "", "acme", "Yes."}, {"s4", "bob", "acme", "Yes."}} {
		if _, err := asker(t, simulator.Script(simulator.Say(s.say))).Run(t.Context(), agent.Input{Log: begin(s.id, s.user, s.tenant), Prompt: "Where does it rain, asks " + s.id + "?"}); err != nil {
			t.Fatal(err)
		}
	}
	inner := asker(t, simulator.Script(simulator.Do(simulator.Call("ask_user", asking{Question: "Which umbrella?"})), simulator.Say("It is blue.")), tools.AskUser(tools.AskOptions{}))
	a := asker(t, simulator.Script(simulator.Do(simulator.Call("helper", map[string]string{"task": "Choose an umbrella."})), simulator.Say("ok")), agent.Sub{Agent: inner, Name: "helper", Description: "Helps."})
	if _, err := a.Run(t.Context(), agent.Input{Log: begin("s5", "ann", "acme"), Prompt: "Find me an umbrella."}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{Poll: 20 * time.Millisecond})
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token)
	ids := func(want string) {
		t.Helper()
		b.until(want, `[...document.querySelectorAll(".sessions tbody a")].map((a) => a.dataset.overview.includes("/") ? "child" : a.dataset.overview).join(" ") === "`+want+`"`)
	}
	ids("s5 child s4 s3 s2 s1")
	b.until("what waits, in one place", `/One waits for you.*ask_user.*Which umbrella\?.*ann/s.test(document.querySelector("section.waiting").textContent)`)
	b.click("[data-overview='sort meta user']")
	ids("s5 child s2 s4 s1 s3")
	b.until("it says so", `document.querySelector("[aria-sort=ascending]").textContent === "User ↑"`)
	b.click(".sums summary")
	b.until("the sums of all", `document.querySelectorAll(".sums table")[0].querySelectorAll("tbody tr").length === 4`)
	b.axe("all sessions")
	b.shootAll("overview")
	eval[any](b, `[...document.querySelectorAll(".sums tbody .sort")].find((e) => e.textContent === "ann").click()`)
	ids("s5 child s2")
	b.until("the sums of ann", `document.querySelectorAll(".sums table")[0].querySelectorAll("tbody tr").length === 1 && document.querySelectorAll(".sums table")[1].querySelector("td").textContent === "3"`)
	choose := func(label, value string) {
		eval[any](b, `(() => { const e = document.querySelector("select[aria-label=`+label+`]"); e.value = "`+value+`"; e.dispatchEvent(new Event("change")); })()`)
	}
	choose("User", "=")
	ids("s3")
	choose("User", "")
	choose("Sort", "meta tenant")
	ids("s5 child s4 s3 s1 s2")
	eval[any](b, `(document.querySelector(".filter").value = "tenant:acme rain", document.querySelector(".filter").dispatchEvent(new Event("input")))`)
	ids("s4 s3 s1")
	eval[any](b, `(document.querySelector(".filter").value = "", document.querySelector(".filter").dispatchEvent(new Event("input")))`)
	for _, width := range []int{1280, 390} {
		b.look(width, 844, false)
		b.until("nothing is wider than the window", `document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll(".sessions td, .sessions th, .waiting li")].every((e) => e.getBoundingClientRect().right <= innerWidth + 1)`)
	}
	b.until("the phone has cost and order", `document.querySelector(".sessions tbody .cost").getBoundingClientRect().right < innerWidth && document.querySelector("select[aria-label=Sort]").getBoundingClientRect().height > 0`)

	b.look(1280, 860, false)
	b.click("[data-overview=s5]")
	b.until("the session", `document.body.dataset.ready === "s5"`)
	b.until("the sub-agent's session and cost", `/session · 1 step · (over )?\$/.test(document.querySelector(".child").textContent)`)
	b.until("with sub-agents", `document.querySelector("#totals .with-sub-agents dd").textContent.includes("$")`)
	b.shootAll("subagent")
	b.click(".child a")
	b.until("back to the caller", `document.querySelector("#totals .sub-agent-of a").textContent === "Find me an umbrella."`)
	b.until("nothing is written to a sub-agent", `document.querySelector("#write").hidden`)

	b.key("h")
	b.click("[data-overview=s2]")
	b.until("Markdown", `document.querySelector(".md td.right").textContent === "763" && document.querySelector(".md h4").textContent === "Rain" && document.querySelector(".md ol ul li").textContent === "By far." && document.querySelector(".md a").rel.includes("noopener") && document.querySelector(".md pre code").textContent.startsWith("func")`)
	b.axe("Markdown")
	b.shootAll("markdown")
	b.look(390, 844, false)
	b.until("nothing is wider than the window", `document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll("#totals > *, .row")].every((e) => e.getBoundingClientRect().right <= innerWidth + 1)`)
	b.look(1280, 860, false)
	b.key("m")
	b.until("as it was written", `document.querySelector("#transcript").textContent.includes("| Oslo | 763 |") && !document.querySelector(".md")`)
	b.click("#written")
	b.until("Markdown again", `document.querySelector(".md table")`)
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %s", strings.Join(p, "\n"))
	}
}
