package inspect_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// rich is a conversation with most of what there is to see.
func rich() simulator.Model {
	return simulator.Script(
		simulator.Do(simulator.Thinking("The user wants numbers. I should look up two things at once, and compare them."),
			simulator.Text("I'll look these up."), simulator.Call("lookup", query{"rainfall in Oslo, 2025", 10}), simulator.Call("lookup", query{Query: evil})),
		simulator.Do(simulator.Thinking("One more source."), simulator.Call("lookup", query{"rainfall in Bergen, 2025", 3})),
		simulator.Do(simulator.Call("nobody", query{Query: "x"})),
		simulator.Say("Bergen had **2,492 mm** of rain, Oslo 835 mm.\n\n"+evil),
		simulator.Say("You're welcome."),
	)
}

func TestBrowserTranscript(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	a := newAgent(t, rich(), false, strings.Repeat("You compare things. ", 200))
	run(t, a, store, "rain", transport.UserText("Where did it rain more in 2025, Oslo or Bergen? "+evil))
	changed := newAgent(t, simulator.Script(simulator.Say("Still Bergen.")), false, strings.Repeat("You compare things. ", 190)+"Be brief.")
	run(t, changed, store, "rain", transport.UserText("Sure?"))
	server := serve(t, store, inspect.Options{})

	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token)
	b.until("the list of sessions, with what each cost", `[...document.querySelectorAll(".sessions .cost")].some((e) => /^\$0\.0/.test(e.textContent))`)
	b.until("its state", `document.querySelector(".sessions .status.done")`)
	b.click("[data-overview=rain]")
	b.until("the session", `document.body.dataset.ready === "rain"`)
	b.until("five steps", `document.querySelectorAll(".row.step").length === 5`)
	for what, js := range map[string]string{
		"scripts in content are text":        `document.title !== "owned" && !document.querySelector("main script, main img") && document.querySelector("#transcript").textContent.includes("<script>")`,
		"Markdown is shown as what it means": `[...document.querySelectorAll(".text strong")].some((e) => e.textContent === "2,492 mm")`,
		"thinking is folded":                 `[...document.querySelectorAll("details.thinking")].length === 2 && ![...document.querySelectorAll("details.thinking")].some((d) => d.open)`,
		"the bars have names":                `[...document.querySelectorAll(".money .bar")].every((e) => /read .*written .*new .*output .*\$/.test(e.getAttribute("aria-label")))`,
		"no pill lies on another one":        `(() => { const all = [...document.querySelectorAll(".mark span")].map((e) => e.getBoundingClientRect()).filter((r) => r.width); return all.every((a, i) => all.every((b, j) => i === j || a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top)); })()`,
		"breakpoints stand where they are":   `document.querySelectorAll(".mark").length >= 2`,
		"the miss is explained":              `document.querySelector(".miss").textContent.includes("system changed") && document.querySelector(".miss code").textContent === "system.0"`,
		"a call of no tool has failed":       `[...document.querySelectorAll(".call.failed .tool")].some((e) => e.textContent === "nobody")`,
		"every button has a name":            `[...document.querySelectorAll("button, a, input, textarea")].every((e) => (e.textContent || e.ariaLabel || e.labels?.[0]?.textContent || "").trim())`,
		"nothing is wider than the window":   `document.documentElement.scrollWidth <= innerWidth`,
	} {
		b.until(what, js)
	}
	b.axe("transcript")
	b.shootAll("transcript")
	eval[any](b, `document.querySelector(".miss").scrollIntoView({block: "end"})`)
	b.key("t")
	b.shootAll("miss")

	// Keys: two steps up, and the request of that step.
	b.key("k")
	b.key("k")
	b.until("the third step is chosen", `document.querySelector(".row.selected h2").textContent === "Step 3"`)
	b.key("Enter")
	b.until("the request", `document.querySelector("#request[open] .request-body h3")`)
	b.until("its breakpoints", `document.querySelectorAll("#request .badge").length >= 2`)
	b.until("the focus is in the dialog", `document.querySelector("#request").contains(document.activeElement)`)
	b.axe("request")
	b.shootAll("request")
	b.key("Escape")
	b.until("the dialog is closed", `!document.querySelector("#request").open`)

	b.look(390, 844, false)
	b.until("nothing is wider than a phone", `document.documentElement.scrollWidth <= innerWidth`)
	b.click("#menu")
	b.until("the menu", `document.body.classList.contains("menu")`)
	time.Sleep(50 * time.Millisecond)
	b.shoot("menu-390-light")
	b.key("Escape")

	b.look(1280, 860, false)
	b.click("#tab-timeline")
	b.until("the timeline", `document.querySelectorAll(".timeline-row").length >= 8`)
	b.axe("timeline")
	b.shootAll("timeline")
	b.key("h")
	b.until("all sessions", `location.hash === "" && !document.querySelector("#overview").hidden && document.querySelector("#transcript").hidden`)

	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}

// A live run: the transcript grows, a call waits, a click approves it, the run
// goes on; a reload keeps the place.
func TestBrowserApproval(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	a := newAgent(t, simulator.Script(
		simulator.Do(simulator.Call("lookup", query{"dear data", 10})),
		simulator.Do(simulator.Call("lookup", query{"more dear data", 10})),
		simulator.Do(simulator.Call("lookup", query{"all of it", 10})),
		simulator.Say("Done."),
	), true, "")
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	resume := func(id string) {
		running.Go(func() { run(t, a, store, id) })
	}
	server := serve(t, store, inspect.Options{Resume: resume, Poll: 20 * time.Millisecond})
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token)
	b.until("the page", `document.querySelector("#overview .nothing")`)

	run(t, a, store, "dear", transport.UserText("Look it up."))
	b.open(server.URL + "/debug/agents/?token=" + token + "#dear")
	b.until("a call waits", `document.querySelector(".approval .approve")`)
	b.shootAll("approval")
	b.click(".approval .approve")
	b.until("the run has gone on to the next call", `document.querySelectorAll(".row.step").length === 2 && document.querySelector(".call.ok")`)

	b.until("it waits again", `document.querySelector(".approval .deny")`)
	eval[any](b, `document.querySelector('.approval input').value = "too dear"`)
	b.click(".approval .deny")
	b.until("it was denied", `document.querySelector(".call.denied") && document.querySelectorAll(".row.step").length === 3`)

	b.until("a third waits", `document.querySelector(".approval [data-key^=edit-]")`)
	b.click(".approval [data-key^=edit-]")
	b.until("the arguments can be changed", `!document.querySelector(".approval .editor").hidden`)
	eval[any](b, `(() => {
		const edit = document.querySelector(".approval textarea");
		edit.value = '{"query": "a part of it"}';
		edit.dispatchEvent(new Event("input"));
	})()`)
	b.until("the arguments are shown as they would run", `document.querySelector(".approval .editor pre").textContent.includes("a part of it")`)
	b.click(".approval .approve")
	b.until("the run is done", `document.querySelectorAll(".row.step").length === 4 && document.querySelector("#status.done")`)
	running.Wait()

	log, err := memory.Open(context.Background(), store, "dear")
	if err != nil {
		t.Fatal(err)
	}
	var decided []string
	for _, r := range log.Records(0) {
		if d := r.Decision; d != nil {
			decided = append(decided, fmt.Sprintf("%v %s %s", d.Approve, d.Reason, d.Input))
		}
	}
	if want := `[true   false too dear  true  {"query": "a part of it"}]`; fmt.Sprint(decided) != want {
		t.Errorf("decisions %v, want %v", decided, want)
	}

	// A fork of the second step is a session of its own.
	b.click(".row.step [data-key=fork]")
	b.until("the dialog", `document.querySelector("#fork").open && document.activeElement.id === "fork-name"`)
	b.shootAll("fork")
	eval[any](b, `document.querySelector("#fork-name").value = "dear"`)
	b.key("Enter")
	b.until("a name that is taken is refused", `document.querySelector("#fork").open && document.querySelector("#fork-error").textContent`)
	b.forget() // the browser notes the status 409
	eval[any](b, `document.querySelector("#fork-name").value = ""`)
	b.click("#fork-go")
	b.until("the fork", `location.hash.includes("dear-fork-") && document.body.dataset.ready.startsWith("dear-fork-")`)
	b.open(server.URL + "/debug/agents/?token=" + token)
	b.until("all sessions", `document.querySelectorAll(".sessions tbody tr").length === 2 && document.querySelectorAll(".sessions .status").length === 2`)
	b.shootAll("sessions")
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}

// A response is seen while it is written. The row grows at its end only, what
// stands before it does not move, and the record takes its place.
func TestBrowserLive(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	words := strings.Repeat("It rained in Bergen, and then it rained again. ", 40)
	slow := func(r simulator.Reply) simulator.Reply {
		r.Delay, r.DeltaBytes = 15*time.Millisecond, 24
		return r
	}
	a := newAgent(t, simulator.Script(
		simulator.Do(simulator.Call("lookup", query{"rain", 10})),
		slow(simulator.Do(simulator.Thinking("Was it rain?"), simulator.Text(words+evil), simulator.Call("lookup", query{"more rain", 10}))),
		simulator.Say("Done."),
	), false, "")
	live := new(feed.Feed)
	server := serve(t, store, inspect.Options{Feed: live})
	b.look(1280, 860, false)
	session, err := memory.Create(store, "wet", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Append(t.Context(), memory.Record{Kind: memory.KindRun}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Did it rain?")}); err != nil {
		t.Fatal(err)
	}
	b.open(server.URL + "/debug/agents/?token=" + token + "#wet")
	b.until("the session", `document.body.dataset.ready === "wet"`)
	var running sync.WaitGroup
	running.Go(func() {
		for _, err := range a.NewRun(agent.Input{Log: session}).Events(live.Attach(context.Background())) {
			if err != nil {
				t.Error(err)
			}
		}
	})
	b.until("words of the response", `document.querySelector(".live .block .text").textContent.includes("it rained again")`)
	if !eval[bool](b, `document.querySelector(".live .block .text").textContent.startsWith("It rained in Bergen, and then") && document.querySelector(".live .thinking .text").textContent === "Was it rain?"`) {
		t.Errorf("what streams begins with %q", eval[string](b, `document.querySelector(".live").textContent.slice(0, 200)`))
	}
	if n := eval[int](b, `document.querySelectorAll(".row.step:not(.live)").length`); n != 1 {
		t.Errorf("%d steps are there besides the one that is written", n)
	}
	places := `(() => {
		const all = [...document.querySelectorAll(".row")], second = document.querySelectorAll(".row.step")[1], s = document.querySelector("#transcript");
		return [...all.slice(0, all.indexOf(second) + 1), second.querySelector(".block .text")].map((e) => Math.round(e.getBoundingClientRect().top + s.scrollTop)).join(" ");
	})()`
	before := eval[string](b, places)
	b.until("more of them", `document.querySelector(".live .block .text").textContent.length > 700`)
	b.shootAll("live")
	if now := eval[string](b, places); now != before {
		t.Errorf("rows moved while the response was written: %s, then %s", before, now)
	}
	b.until("the record", `document.querySelectorAll(".row.step").length === 3 && !document.querySelector(".live") && document.querySelector("#status.done")`)
	running.Wait()
	if got := eval[string](b, `document.querySelectorAll(".row.step")[1].querySelector(".block .text").textContent`); got != words+evil {
		t.Errorf("the record has %d bytes", len(got))
	}
	if after := eval[string](b, places); after != before {
		t.Errorf("the record does not stand where its words stood: %s, then %s", before, after)
	}
	if title := eval[string](b, `document.title`); title == "owned" {
		t.Error("a script in what streamed was run")
	}
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}

// longRun is a run of so many steps, each with thinking, a call and a result of 2 KB.
func longRun(t testing.TB, steps int) []memory.Record {
	t.Helper()
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	next := func() time.Time { at = at.Add(700 * time.Millisecond); return at }
	records := []memory.Record{{Kind: memory.KindRun, Time: at}, {Kind: memory.KindInput, Time: at, Message: transport.UserText("Go on and on.")}}
	for i := range steps {
		id := fmt.Sprintf("toolu_%d", i)
		resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_%d","type":"message","role":"assistant","model":"claude-opus-5-5","content":[`+
			`{"type":"thinking","thinking":"The next step is to look up more.","signature":"c2ln"},{"type":"text","text":"Looking up part %d."},`+
			`{"type":"tool_use","id":%q,"name":"lookup","input":{"query":"step %d","limit":10}}],"stop_reason":"tool_use","stop_sequence":null,`+
			`"usage":{"input_tokens":3,"cache_creation_input_tokens":600,"cache_read_input_tokens":%d,"output_tokens":80}}`, i, i, id, i, 600*i))
		if err != nil {
			t.Fatal(err)
		}
		resp.Meta.Duration = 500 * time.Millisecond
		records = append(records,
			memory.Record{Kind: memory.KindResponse, Time: next(), Response: resp, Data: fmt.Appendf(nil, `{"breakpoints":["messages.%d.content.0"]}`, 2*i)},
			memory.Record{Kind: memory.KindStarted, Time: next(), Calls: []string{id}},
			memory.Record{Kind: memory.KindResult, Time: next(), Block: transport.ToolResult(id, transport.Text(strings.Repeat("found ", 340)))})
	}
	return records
}

// A run of 2,000 steps opens in under a second and can be scrolled. The times
// are logged, not asserted.
func TestBrowserLongRun(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	if err := store.Append(context.Background(), "long", memory.Position{}, longRun(t, 2000)...); err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{})
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token + "#long")
	b.until("the session", `document.body.dataset.ready === "long"`)
	b.until("all steps", `document.querySelectorAll(".row.step").length === 2000`)
	opened := eval[float64](b, `performance.getEntriesByName("ready")[0].startTime`)
	frames := eval[[]float64](b, `new Promise((resolve) => {
		const s = document.querySelector("#transcript"), times = [];
		let last = performance.now(), n = 0;
		const step = (now) => {
			times.push(now - last); last = now;
			s.scrollTop += 300;
			if (++n < 180) requestAnimationFrame(step); else resolve(times.slice(2));
		};
		requestAnimationFrame(step);
	})`)
	slow, worst := 0, 0.0
	for _, f := range frames {
		worst = max(worst, f)
		if f > 34 {
			slow++
		}
	}
	t.Logf("2,000 steps: ready %.0f ms after the navigation began; scrolling by 300 px a frame: %d of %d frames over 34 ms, the worst %.0f ms", opened, slow, len(frames), worst)
	built := eval[int](b, `document.querySelectorAll(".row.built").length`)
	if built == 0 || built > 1500 {
		t.Errorf("%d rows are built", built)
	}
	b.shootAll("long")

	// Far down, a reload keeps the place.
	eval[any](b, `document.querySelector("#transcript").scrollTop = document.querySelector("#transcript").scrollHeight / 2`)
	b.until("the place is in the address", `/long\/\d+$/.test(location.hash)`)
	time.Sleep(400 * time.Millisecond)
	before := eval[string](b, `location.hash`)
	b.do("Page.reload", nil)
	b.until("the session again", `document.body.dataset.ready === "long" && performance.getEntriesByName("ready").length`)
	b.until("the same row is at the top", fmt.Sprintf(`(() => { const r = document.querySelector("#transcript").getBoundingClientRect(); const e = document.elementFromPoint(r.left + r.width / 2, r.top + 24); return e && "#long/" + e.closest("[data-n]")?.dataset.n === %q; })()`, before))
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}
