package inspect_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Who looks at one of two calls that wait stays with it, whatever happens to the other:
// the button that has the focus is that of the same call, and words that are being written
// go on where they were.
func TestBrowserTwoCallsWait(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	a := newAgent(t, simulator.Script(
		simulator.Do(simulator.Call("lookup", query{"first", 10}), simulator.Call("lookup", query{"second", 10}), simulator.Call("lookup", query{"third", 10})),
		simulator.Say("Done.")), true, "")
	run(t, a, store, "two", transport.UserText("go"))
	server := serve(t, store, inspect.Options{Poll: 20 * time.Millisecond})
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token + "#two")
	b.until("three wait", `document.querySelectorAll(".call .approval").length === 3 && document.querySelectorAll("#waiting button").length === 3`)

	const second = `document.querySelectorAll(".call")[1]`
	eval[any](b, `document.querySelectorAll("#waiting button")[1].click()`)
	b.until("the button of the call that was asked for", `document.activeElement === `+second+`.querySelector(".approve")`)
	eval[any](b, `(() => {
		const all = document.querySelectorAll(".call");
		all[2].querySelector("details").open = false;
		all[0].querySelector(".approve").click();
	})()`)
	b.until("the first is approved", `document.querySelectorAll(".call .approval").length === 2 && document.querySelectorAll("#waiting button").length === 2`)
	b.until("the button is the same call's", `document.activeElement === `+second+`.querySelector(".approve")`)
	b.until("what is shown of the others is", `[...document.querySelectorAll(".call")].map((c) => c.querySelector("details")?.open).join() === ",true,false"`)

	eval[any](b, `(() => {
		const e = `+second+`.querySelector(".approval input");
		e.focus(); e.value = "too dear"; e.dispatchEvent(new Event("input")); e.setSelectionRange(4, 4);
		document.querySelectorAll(".call")[2].querySelector(".deny").click();
	})()`)
	b.until("the third is denied", `document.querySelectorAll(".call .approval").length === 1`)
	b.key("r")
	b.until("words go on where they were", `document.activeElement.value === "too rdear" && document.activeElement === `+second+`.querySelector(".approval input")`)
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}

// What is said once is said once, however often its button is pressed, and what was begun
// in one session isn't said in another.
func TestBrowserSaysOnce(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	for _, id := range []string{"a", "b"} {
		if err := store.Append(t.Context(), id, memory.Position{}, longRun(t, 60)...); err != nil {
			t.Fatal(err)
		}
	}
	var resumed atomic.Int32
	server := serve(t, store, inspect.Options{Poll: 20 * time.Millisecond, Resume: func(string) { resumed.Add(1) }})
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token + "#a")
	b.until("the session", `document.body.dataset.ready === "a" && !document.querySelector("#write").hidden`)
	eval[any](b, `document.querySelector("#words").value = "for a"; location.hash = "#b"; 0`)
	b.until("the other session, to which nothing was said yet", `document.body.dataset.ready === "b" && document.querySelector("#words").value === ""`)
	eval[any](b, `location.hash = "#a"; 0`)
	b.until("what was begun", `document.body.dataset.ready === "a" && document.querySelector("#words").value === "for a"`)
	eval[any](b, `for (let i = 0; i < 3; i++) document.querySelector("#write").requestSubmit()`)
	b.until("it is said", `document.querySelector("#words").value === "" && !document.querySelector("#write button").disabled`)
	said := 0
	for _, err := range store.Inbox(t.Context(), "a", 0) {
		if said++; err != nil {
			t.Fatal(err)
		}
	}
	if said != 1 || resumed.Load() != 1 {
		t.Errorf("%d messages, %d runs, want one of each", said, resumed.Load())
	}

	// The timeline grows where it is looked at.
	b.click("#tab-timeline")
	eval[any](b, `document.querySelector("#timeline").scrollTop = 1000`)
	info, err := store.Info(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Append(t.Context(), "a", memory.Position{Records: info.Records}, longRun(t, 1)[2:]...); err != nil {
		t.Fatal(err)
	}
	b.until("it has grown", `document.querySelectorAll(".row.bar").length === 122`)
	if top := eval[float64](b, `document.querySelector("#timeline").scrollTop`); top != 1000 {
		t.Errorf("the timeline is at %v, was at 1000", top)
	}

	// An address that isn't one is no session, and nothing else breaks.
	b.open(server.URL + "/debug/agents/#%zz")
	b.until("it says so", `document.querySelector("#status.lost").textContent.includes("%zz")`)
	b.forget() // the browser notes the status 404
	eval[any](b, `location.hash = "#a"; 0`)
	b.until("the session", `document.body.dataset.ready === "a" && !document.querySelector("#status.lost")`)
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}
