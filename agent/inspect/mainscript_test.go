package inspect_test

import (
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
)

// A page that opens another session closes the stream of the one before: its records
// don't get into the other one. The page's parts are of no matter here, and each is a
// thing that takes whatever is done with it.
func TestPageClosesTheStreamOfTheSessionBefore(t *testing.T) {
	_, source, _ := do(t, "GET", serve(t, new(memory.RAM), inspect.Options{}).URL+"/debug/agents/assets/main.js", "")
	source = strings.Replace(source, "import { Stream } from './stream.js';", "", 1)
	source = imported.ReplaceAllString(source, "const {$1} = anything;")
	source = starred.ReplaceAllString(source, "const $1 = anything;")
	begins, _, ok := strings.Cut(source, "\nawait loadSessions();")
	if !ok {
		t.Fatal("main.js doesn't end as it did")
	}
	vm := goja.New()
	if _, err := vm.RunString(`
		var anything = new Proxy(function () {}, {
			get: (_, k) => k === Symbol.toPrimitive ? () => '' : anything,
			set: () => true, apply: () => anything, construct: () => anything,
		});
		var document = anything, location = { hash: '', href: '' }, history = anything, navigator = anything, CSS = anything, matchMedia = anything, window = anything;
		var addEventListener = anything, setInterval = anything, setTimeout = anything, ResizeObserver = anything, IntersectionObserver = anything, MutationObserver = anything, localStorage = anything, sessionStorage = anything, clearTimeout = anything, requestAnimationFrame = anything, fetch = anything, scrollTo = anything, innerHeight = 0;
		var streams = [];
		function EventSource(url) { this.url = url; this.addEventListener = () => {}; this.close = () => { this.closed = true; }; streams.push(this); }
	`); err != nil {
		t.Fatal(err)
	}
	if _, err := vm.RunScript("main.js", "(function () {"+streamScript(t)+begins+"\nopenSession('a'); openSession('b');\n})()"); err != nil {
		t.Fatal(err)
	}
	got, err := vm.RunString(`streams.map((s) => s.url + ' ' + Boolean(s.closed)).join(', ')`)
	if err != nil {
		t.Fatal(err)
	}
	if want := "api/sessions/a/stream true, api/sessions/b/stream false"; got.String() != want {
		t.Errorf("closed streams: %s, want %s", got, want)
	}
}
