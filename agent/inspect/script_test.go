package inspect_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

var (
	imported  = regexp.MustCompile(`(?m)^import \{([^}]*)\} from '\./([a-z]+)\.js';$`)
	starred   = regexp.MustCompile(`(?m)^import \* as (\w+) from '\./([a-z]+)\.js';$`)
	exported  = regexp.MustCompile(`(?m)^export (?:async )?(?:function|const|class) ([\w$]+)`)
	keyExport = regexp.MustCompile(`(?m)^export `)
)

// pageScripts runs the page's scripts, in an interpreter without a browser, in a
// document that refuses what could make markup of text.
func pageScripts(t *testing.T) *goja.Runtime {
	t.Helper()
	vm := goja.New()
	server := serve(t, new(memory.RAM), inspect.Options{})
	document, err := os.ReadFile("testdata/document.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vm.RunScript("document.js", string(document)+"\nvar modules = {};"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"visible", "rawjson", "dom", "markdown", "rows", "request", "live", "stream", "waits", "overview", "timeline", "asks"} {
		status, source, _ := do(t, "GET", server.URL+"/debug/agents/assets/"+name+".js", "")
		if status != 200 {
			t.Fatalf("assets/%s.js: status %d", name, status)
		}
		var exports []string
		for _, m := range exported.FindAllStringSubmatch(source, -1) {
			exports = append(exports, m[1])
		}
		text := imported.ReplaceAllString(source, "const {$1} = modules.$2;")
		text = starred.ReplaceAllString(text, "const $1 = modules.$2;")
		text = keyExport.ReplaceAllString(text, "")
		if _, err := vm.RunScript(name+".js", fmt.Sprintf("modules.%s = (function () {%s\nreturn {%s};\n})();", name, text, strings.Join(exports, ", "))); err != nil {
			t.Fatalf("assets/%s.js: %v", name, err)
		}
	}
	return vm
}

// hostileText is markup, a turned text, invisible letters and a terminal's sequence.
const hostileText = "<img src=x onerror=alert(1)><script>alert(2)</script> \u202Egnp.exe\u202C zero\u200Bwidth \U000E0041tag \x1b]52;c;x\a &lt;b&gt;"

// unseen are characters that must not get into the page as they are.
const unseen = "\u202E\u202C\u200B\U000E0041\x1b\a"

// Every part of the page shows what strangers wrote as text, with code points for
// what can't be seen: noticed without a browser.
func TestPageEscapes(t *testing.T) {
	vm := pageScripts(t)
	quoted, err := json.Marshal(hostileText)
	if err != nil {
		t.Fatal(err)
	}
	if err := vm.Set("hostile", hostileText); err != nil {
		t.Fatal(err)
	}
	if err := vm.Set("records", recordsOf(t, string(quoted))); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"el":     `modules.dom.el('div', { title: hostile, 'aria-label': hostile, textContent: hostile, data: { x: hostile } }, hostile, [[hostile]], modules.dom.el('span', {}, hostile))`,
		"flat":   `document.createElement('div').append(...modules.dom.flat([hostile, [hostile]]))`,
		"say":    `modules.visible.say(document.createElement('div'), hostile)`,
		"extend": `{ const e = document.createElement('div'); modules.visible.extend(e, hostile); modules.visible.extend(e, hostile); }`,
		"exact":  `document.createElement('pre').append(...modules.visible.exact(hostile))`,
		"plain":  `document.createElement('div').title = modules.visible.plain(hostile)`,
		"transcript": `{
			const none = () => {}, act = { readOnly: () => false, request: none, refresh: none, decide: none, fork: none, child: (id) => ({ id: hostile + id, brief: { steps: 1, treeUSD: 1, treeKnown: true } }) };
			const t = new modules.rows.Transcript(hostile, act);
			t.add(JSON.parse(records));
			if (t.rows.length < 4) throw new Error('only ' + t.rows.length + ' rows');
			for (const row of t.rows) { row.el = document.createElement('article'); row.el.append(...modules.dom.flat([t.build(row)])); }
		}`,
		"asks": `{
			const none = () => {}, act = { readOnly: () => false, answer: none, show: none };
			const w = (kind, q) => ({ session: hostile, agents: [hostile], kind, tool: hostile, why: hostile, since: 1, until: 2, call: hostile, question: q });
			const q = (hash, more) => Object.assign({ key: hostile, hash, data: JSON.stringify({ [hostile]: hostile }), schema: JSON.stringify(hostile), default: JSON.stringify(hostile) }, more);
			const choices = [{ value: JSON.stringify(hostile), label: hostile }, { value: '2', label: '2' }];
			const fields = ['text', 'number', 'boolean', 'choice', 'choices', 'json'].map((kind) => ({ name: hostile + kind, title: hostile, description: hostile, kind, choices, default: hostile }));
			const list = [w('approval'), w(hostile, q('1', { choices })), w('user', q('2', { choices, several: true, fields: [{ name: '', kind: 'text', required: true }] })), w('external', q('3', { fields })), w('external', q('4', { fields: [{ name: '', kind: 'json', title: hostile }] }))];
			for (const readOnly of [false, true]) {
				const asks = new modules.asks.Asks({ ...act, readOnly: () => readOnly });
				if (!asks.take(list) || asks.take(list)) throw new Error('what is new is not noticed');
				const built = modules.dom.flat([asks.build()]);
				if (built.length < 6) throw new Error('only ' + built.length + ' rows');
				document.createElement('div').append(...built);
			}
		}`,
		"overview": `{
			const o = new modules.overview.Overview(document.createElement('div'));
			const s = (id, more) => ({ id, title: hostile, records: 1, changed: 1, meta: { user: hostile, [hostile]: hostile }, ...more });
			o.briefs.set('a', { records: 1, doing: 'done', detail: hostile, model: hostile, steps: 1, prompt: 1, read: 1, output: 1, usd: 1, known: true, treeUSD: 2, treeKnown: true });
			o.draw([s(hostile), s('a', { parent: hostile, origin: hostile }), s('c', { meta: {} })], true);
			o.waits.show([{ session: hostile, tool: hostile, why: hostile, call: 'x' }, { session: 'a', tool: hostile, question: {} }], 1);
			if (o.cells.size !== 3 || !o.waits.box.children.length) throw new Error('nothing is shown');
		}`,
		"markdown": `{
			const texts = [hostile, '# ' + hostile, '- ' + hostile, '> ' + hostile, '| ' + hostile + ' |\n|---|\n| ' + hostile + ' |', '\x60\x60\x60' + hostile + '\n' + hostile, '**' + hostile + '**', '[' + hostile + '](https://a.example)', '[a](' + hostile + ')', '![' + hostile + '](x)'];
			for (const partial of [false, true]) for (const text of texts) {
				const box = document.createElement('div');
				modules.markdown.draw(box, text, { make: modules.dom.el, partial });
				document.createElement('div').append(...modules.markdown.rendered(text, { make: modules.dom.el, partial }));
			}
		}`,
		"todo": `document.createElement('div').append(modules.asks.todoList([{ text: hostile, status: 'pending' }, { text: hostile, status: 'completed' }], true))`,
	} {
		if _, err := vm.RunString("made = [];"); err != nil {
			t.Fatal(err)
		}
		if _, err := vm.RunScript(name, script); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		shown, err := vm.RunString("shownOf()")
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(shown.String(), unseen) {
			t.Errorf("%s: what can't be seen gets into the page: %q", name, shown)
		}
		if name == "transcript" && !strings.Contains(shown.String(), "sent 2.0 KB") {
			t.Errorf("the page doesn't show what was sent: %q", shown)
		}
		for _, want := range []string{"<img src=x onerror=alert(1)>", "U+202E", "U+200B", "U+E0041"} {
			if got := shown.String(); !strings.Contains(got, want) && !(name == "transcript" && strings.Contains(got, `\u`)) {
				t.Errorf("%s: the page doesn't show %s: %q", name, want, got)
			}
		}
	}
}

// recordsOf are the entries, as the page gets them, of a session that has the text in every place.
func recordsOf(t *testing.T, quoted string) string {
	t.Helper()
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[
		{"type":"thinking","thinking":%[1]s,"signature":"x"},{"type":"text","text":%[1]s},{"type":"tool_use","id":"toolu_1","name":"look","input":{%[1]s:%[1]s}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`, quoted))
	if err != nil {
		t.Fatal(err)
	}
	resp.Meta.Sent = 2048
	result, err := transport.ParseBlock(fmt.Appendf(nil, `{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":%s}]}`, quoted))
	if err != nil {
		t.Fatal(err)
	}
	list := []memory.Record{
		{Kind: memory.KindInput, Message: transport.UserText(hostileText)},
		{Kind: memory.KindResponse, Response: resp},
		{Kind: memory.KindResult, Block: result},
		{Kind: memory.KindNote, Note: "a note " + hostileText, Data: []byte(quoted)},
		{Kind: memory.KindSummary, Replaces: 3, Message: transport.UserText(hostileText)},
	}
	if err := log.Append(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(entries(t, events(t, serve(t, store, inspect.Options{}).URL+api+"/s/stream", "", len(list))))
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// What is approved is what is shown: arguments that were edited count only while their
// editor is open.
func TestPageApprovesWhatIsShown(t *testing.T) {
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.ParseResponse([]byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"tool_use","id":"toolu_1","name":"pay","input":{"usd":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	list := []memory.Record{
		{Kind: memory.KindInput, Message: transport.UserText("pay")},
		{Kind: memory.KindResponse, Response: resp},
		{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "toolu_1", Reason: "it costs money"}}},
	}
	if err := log.Append(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	records, err := json.Marshal(entries(t, events(t, serve(t, store, inspect.Options{}).URL+api+"/s/stream", "", len(list))))
	if err != nil {
		t.Fatal(err)
	}
	vm := pageScripts(t)
	if err := vm.Set("records", string(records)); err != nil {
		t.Fatal(err)
	}
	for edits, want := range map[int]string{0: "none", 1: `{"usd":2}`, 2: "none", 3: `{"usd":2}`} { // how often the editor is opened or closed
		if err := vm.Set("edits", edits); err != nil {
			t.Fatal(err)
		}
		got, err := vm.RunString(`{
			made = [];
			let sent;
			const none = () => {}, act = { readOnly: () => false, request: none, refresh: none, fork: none, child: none, decide: (d) => { sent = d; return Promise.resolve(); } };
			const t = new modules.rows.Transcript('s', act);
			t.add(JSON.parse(records));
			for (const row of t.rows) { row.el = document.createElement('article'); t.build(row); }
			const button = (key) => made.find((e) => e.dataset.key === key + '-toolu_1').listeners;
			for (let i = 0; i < edits; i++) {
				button('edit').click();
				if (i === 0) {
					const area = made.find((e) => e.tag === 'textarea');
					area.value = '{"usd":2}';
					area.listeners.input();
				}
			}
			button('approve').click();
			sent.approve && sent.call === 'toolu_1' ? sent.input ?? 'none' : 'not approved';
		}`)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("the editor was opened or closed %d times: approved with %s, want %s", edits, got, want)
		}
	}
}

// A text of nothing but characters that can't be seen, or of lines, of any length, is
// shown whole, and in few elements: a browser must neither refuse it nor stand still.
func TestLongTextsOfHiddenCharacters(t *testing.T) {
	vm := pageScripts(t)
	if _, err := vm.RunString(`
		function counted(n) { return 1 + (n.children || []).reduce((sum, c) => sum + (c.nodeType === 3 ? 0 : counted(c)), 0); }
		var alone = modules.dom.el('div', {}, '\u0001'.repeat(2500) + 'end');
		var mixed = modules.dom.el('div', {}, 'a\u202e'.repeat(2500) + 'end');
		var grown = document.createElement('div');
		for (let i = 0; i < 25; i++) modules.visible.extend(grown, '\u0001'.repeat(100));
		modules.visible.extend(grown, 'end');
		var lines = modules.markdown.rendered('a\n'.repeat(500) + 'end', { make: modules.dom.el })[0];
	`); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ hidden, elements int }{"alone": {2500, 2001}, "mixed": {2500, 2001}, "grown": {2500, 2001}, "lines": {0, 501}} {
		text, err := vm.RunString("textOf(" + name + ")")
		if err != nil {
			t.Fatal(err)
		}
		elements, err := vm.RunString("counted(" + name + ")")
		if err != nil {
			t.Fatal(err)
		}
		if s := text.String(); strings.Count(s, "U+") != want.hidden || !strings.HasSuffix(s, "end") || elements.ToInteger() > int64(want.elements) {
			t.Errorf("%s: %d characters are shown in %d elements, want %d in %d; it ends with %q", name, strings.Count(s, "U+"), elements.ToInteger(), want.hidden, want.elements, s[len(s)-10:])
		}
	}
	// No call has more arguments than a browser takes.
	for _, script := range []string{"dom", "visible"} {
		source, err := os.ReadFile("assets/" + script + ".js")
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), "(...flat("); n > 0 {
			t.Errorf("%s.js adds a list of any length at once %d times", script, n)
		}
	}
}
