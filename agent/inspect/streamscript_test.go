package inspect_test

import (
	"testing"

	"github.com/dop251/goja"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
)

// streamScript is the page's script that follows a session.
func streamScript(t *testing.T) string {
	t.Helper()
	_, source, _ := do(t, "GET", serve(t, new(memory.RAM), inspect.Options{}).URL+"/debug/agents/assets/stream.js", "")
	return keyExport.ReplaceAllString(source, "")
}

// followed runs it beside streams and a clock of the test's own.
func followed(t *testing.T) *goja.Runtime {
	t.Helper()
	vm := goja.New()
	if _, err := vm.RunString(`
		var streams = [], timers = new Map(), turn = null, log = [], timer = 0;
		function EventSource(url) {
			const on = {};
			Object.assign(this, { url, readyState: 1, on, addEventListener: (k, f) => { on[k] = f; }, close: () => { this.readyState = 2; } });
			streams.push(this);
		}
		EventSource.CLOSED = 2;
		var document = { hidden: false, addEventListener: (_, f) => { turn = f; }, removeEventListener: () => { turn = null; } };
		var setTimeout = (f) => { timers.set(++timer, f); return timer; }, clearTimeout = (id) => timers.delete(id);
		var AbortController = function () { this.signal = 'signal'; this.abort = () => log.push('aborted'); };
		var answer = () => Promise.reject(new Error('nobody'));
		var fetch = (url, o) => { log.push('asks ' + url + ' ' + o.signal); return answer(); };
		var tick = () => { const all = [...timers.values()]; timers.clear(); all.forEach((f) => f()); };
		var now = () => streams[streams.length - 1];
		var show = () => streams.map((s) => s.url.slice(1) + (s.readyState === 2 ? ' closed' : '')).join(', ');
	` + streamScript(t) + `
		var told = { records: (v) => log.push('records ' + v), state: () => {}, live: () => {}, replaced: () => log.push('replaced'), lost: (why, refused) => log.push(why + ' ' + refused) };
		var s = new Stream('/s', told);
		var come = (kind, data, lastEventId) => now().on[kind]({ data, lastEventId });
	`); err != nil {
		t.Fatal(err)
	}
	return vm
}

func steps(t *testing.T, vm *goja.Runtime, list []string) {
	t.Helper()
	for i := 0; i+1 < len(list); i += 2 {
		got, err := vm.RunString(list[i])
		if err != nil {
			t.Fatalf("%s: %v", list[i], err)
		}
		if got.String() != list[i+1] {
			t.Fatalf("%s\nis %s, want %s", list[i], got, list[i+1])
		}
	}
}

// A stream that the server refuses, or a proxy whose server starts again, is asked for
// again behind what has come, and the page says why: the browser gives such a one up.
func TestPageAsksForARefusedStreamAgain(t *testing.T) {
	steps(t, followed(t), []string{
		`come('records', '3', '7-i'); come('live', '1', ''); show()`, "s",
		`now().readyState = 0; now().onerror(); show() + log.pop()`, "sconnection lost, trying again false", // the browser tries
		`answer = () => Promise.resolve({ ok: false, text: () => Promise.resolve(' too many pages ') }); now().readyState = 2; now().onerror(); log.pop()`, "asks /s signal",
		`log.join()`, "records 3,aborted,too many pages · trying again true",
		`tick(); show()`, "s closed, s?after=7-i",
		`come('records', '4', '9-i'); now().readyState = 2; log = []; answer = () => Promise.reject(new Error('x')); now().onerror(); 0`, "0",
		`log.join()`, "asks /s signal,connection lost · trying again true",
		`tick(); show()`, "s closed, s?after=7-i closed, s?after=9-i",
		`now().readyState = 2; now().onerror(); s.close(); tick(); streams.length`, "3",
		`log = []; 0`, "0",
		`log.join()`, "",
	})
}

// A page that nobody sees gives its connection back after a while, and goes on behind what
// has come once it is seen.
func TestPageThatIsNotSeenHasNoStream(t *testing.T) {
	steps(t, followed(t), []string{
		`come('records', '3', '7-i'); document.hidden = true; turn(); document.hidden = false; turn(); tick(); show()`, "s", // for a moment only
		`document.hidden = true; turn(); show()`, "s",
		`tick(); show()`, "s closed",
		`document.hidden = false; turn(); show()`, "s closed, s?after=7-i",
		`turn(); show()`, "s closed, s?after=7-i",
		`document.hidden = true; turn(); s.close(); tick(); streams.length + ' ' + turn`, "2 null",
		`show()`, "s closed, s?after=7-i closed",
	})
}

// Records that come twice, as behind a connection that was lost, are shown once.
func TestPageShowsRecordsOnce(t *testing.T) {
	vm := pageScripts(t)
	got, err := vm.RunString(`{
		const t = new modules.rows.Transcript('s', {});
		const input = (n) => ({ n, kind: 'input', role: 'user', blocks: [] });
		const first = t.add([input(0), input(1)]).fresh, again = t.add([input(1), input(2)]).fresh;
		[first, again, t.rows].map((list) => list.map((r) => r.n).join(' ')).join(', ');
	}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := "0 1, 2, 0 1 2"; got.String() != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}
