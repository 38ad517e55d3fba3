package inspect_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/todo"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Questions of a session and of its sub-agent are answered with a click, with several
// choices and in words; an answer that is refused says why; then the run goes on.
func TestBrowserQuestions(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	inner := asker(t, simulator.Script(simulator.Do(simulator.Call("ask_user", asking{Question: "And below? " + evil})), simulator.Say("It is blue.")), tools.AskUser(tools.AskOptions{}))
	weigh := tools.External("weigh", "Weighs.", []byte(`{"type":"object"}`), tools.ExternalOptions{Output: []byte(`{"type":"number"}`), Deadline: time.Hour, Default: []byte(`0`)})
	a := asker(t, simulator.Script(
		simulator.Do(simulator.Call("todo", todo.List{Items: []todo.Item{{Text: "ask " + evil, Status: todo.InProgress}, {Text: "go", Status: todo.Pending}}})),
		simulator.Do(
			simulator.Call("ask_user", asking{Question: "Which?", Choices: []string{"red", evil}}),
			simulator.Call("ask_user", asking{Question: "Which of them?", Choices: []string{"a", "b", "c"}, Several: true}),
			simulator.Call("weigh", struct{}{}),
			simulator.Call("helper", map[string]string{"task": "help"})),
		simulator.Say("Done.")),
		tools.AskUser(tools.AskOptions{}), weigh, todo.New(), agent.Sub{Agent: inner, Name: "helper", Description: "Helps."})
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	resume := func(id string) { running.Go(func() { run(t, a, store, id) }) }
	server := serve(t, store, inspect.Options{Resume: resume, Poll: 20 * time.Millisecond})
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "asks", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token + "#asks")
	b.until("four questions", `document.querySelectorAll(".ask").length === 4 && document.querySelector("#status.answer")`)
	b.until("what is to be done", `document.querySelector("#todo").textContent.includes("0 of 2 done")`)
	b.until("scripts in content are text", `document.title !== "owned" && !document.querySelector("main script, main img") && document.querySelector("#waiting").textContent.includes("<script>")`)
	b.until("who asks below", `[...document.querySelectorAll(".ask .quiet")].some((e) => e.textContent.startsWith("helper › ask_user asks"))`)
	b.until("their calls wait", `document.querySelectorAll(".call.waits").length === 4`)
	b.shootAll("questions")
	b.look(390, 844, false)
	b.until("the phone leaves room for the transcript", `document.querySelector("#transcript").getBoundingClientRect().height > 200`)
	b.until("nothing lies on the button that sends", `(() => { const e = document.querySelector("#write button"), r = e.getBoundingClientRect(); return !document.querySelector("#follow").hidden && e.contains(document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2)); })()`)
	b.look(1280, 860, false)

	// What was begun in one stays while another is answered.
	const find = `(words) => [...document.querySelectorAll(".ask")].find((e) => e.querySelector(".prompt").textContent.includes(words))`
	write := func(words, text string) {
		eval[any](b, `(() => { const e = (`+find+`)("`+words+`").querySelector("textarea, .fields input"); e.value = '`+text+`'; e.dispatchEvent(new Event("input")); })()`)
	}
	press := func(words, button string) {
		eval[any](b, `[...(`+find+`)("`+words+`").querySelectorAll("button")].find((e) => e.textContent === "`+button+`").click()`)
	}
	write("And below?", "the blue one")
	press("Which?", "red")
	b.until("three are left, and what was written", `document.querySelectorAll(".ask").length === 3 && (`+find+`)("And below?").querySelector("textarea").value === "the blue one"`)
	write("result of weigh", "much")
	press("result of weigh", "Answer")
	b.until("an answer that doesn't fit is refused", `(`+find+`)("result of weigh").querySelector(".error").textContent.includes("number")`)
	b.forget() // the browser notes the status 400
	write("result of weigh", "2.50")
	press("result of weigh", "Answer")
	b.until("two are left", `document.querySelectorAll(".ask").length === 2`)
	eval[any](b, `[...(`+find+`)("Which of them?").querySelectorAll("input[type=checkbox]")].forEach((e, i) => { if (i !== 1) e.click(); })`)
	press("Which of them?", "Answer with these")
	b.until("one is left", `document.querySelectorAll(".ask").length === 1`)
	press("And below?", "Answer")
	b.until("the run is done", `document.querySelectorAll(".row.step").length === 3 && document.querySelector("#status.done") && document.querySelector("#waiting").hidden`)
	running.Wait()

	log, err := memory.Open(t.Context(), store, "asks")
	if err != nil {
		t.Fatal(err)
	}
	var results strings.Builder
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindResult {
			results.Write(r.Block.Raw())
		}
	}
	for _, want := range []string{"red", "2.50", `a`, `c`, "It is blue."} {
		if !strings.Contains(results.String(), want) {
			t.Errorf("the model isn't told %s: %s", want, results.String())
		}
	}
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}

// An answer that has to fit a schema is filled in, a field for each part of it.
func TestBrowserForm(t *testing.T) {
	b := newBrowser(t)
	store := new(memory.RAM)
	trip := tools.External("trip", "Asks for a trip.", nil, tools.ExternalOptions{Output: []byte(`{"type":"object","properties":{
		"to":{"type":"string","title":"Where to?"},"seats":{"type":"integer","minimum":1},"class":{"enum":["first","second"],"default":"second"},
		"extras":{"type":"array","items":{"enum":["bike","dog"]}},"back":{"type":"boolean"}},"required":["to","seats","class","back"]}`)})
	a := asker(t, simulator.Script(simulator.Do(simulator.Call("trip", struct{}{})), simulator.Say("Done.")), trip)
	server := serve(t, store, inspect.Options{Poll: 20 * time.Millisecond})
	run(t, a, store, "form", transport.UserText("go"))
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token + "#form")
	b.until("a form of five fields", `document.querySelectorAll(".fields > div").length === 5`)
	write := func(name, text string) {
		eval[any](b, `(() => { const e = document.querySelector(".fields [aria-label='`+name+`']"); e.value = "`+text+`"; e.dispatchEvent(new Event("input")); })()`)
	}
	click := func(group, label string) {
		eval[any](b, `[...document.querySelectorAll(".fields [aria-label='`+group+`'] label")].find((e) => e.textContent.trim() === "`+label+`").click()`)
	}
	answer := func() {
		eval[any](b, `[...document.querySelectorAll(".ask button")].find((e) => e.textContent === "Answer").click()`)
	}
	write("Where to?", "the sea")
	write("seats", "none")
	click("extras (may be left out)", "dog")
	click("back", "no")
	b.shootAll("form")
	answer()
	b.until("no number is refused", `document.querySelector(".ask .error").textContent.includes("seats: it is not a number")`)
	b.forget()
	write("seats", "2")
	answer()
	b.until("it is answered", `document.querySelector("#waiting").hidden`)
	run(t, a, store, "form")
	log, err := memory.Open(t.Context(), store, "form")
	if err != nil {
		t.Fatal(err)
	}
	if m := string(log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, `{\"to\":\"the sea\",\"seats\":2,\"class\":\"second\",\"extras\":[\"dog\"],\"back\":false}`) {
		t.Errorf("the model is told %s", m)
	}
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}
