package inspect_test

import (
	"os"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// shape writes elements as a test reads them: tags with the addresses of links.
const shape = `
function shape(n) {
	if (n.nodeType === 3) return n.data;
	if (n.className === 'codehead') return '<' + textOf(n) + '>';
	const attributes = (n.href !== undefined ? ' ' + n.href : '') + (n.start !== undefined ? ' ' + n.start : '') + (/right|center/.test(n.className || '') ? ' ' + n.className : '');
	return '<' + n.tag + attributes + '>' + n.children.map(shape).join('') + '</' + n.tag + '>';
}
function shapes(text, partial) { return modules.markdown.rendered(text, { make: modules.dom.el, partial }).map(shape); }
`

func markdown(t *testing.T) *goja.Runtime {
	t.Helper()
	vm := pageScripts(t)
	if _, err := vm.RunString(shape); err != nil {
		t.Fatal(err)
	}
	return vm
}

func shaped(t *testing.T, vm *goja.Runtime, text string, partial bool) []string {
	t.Helper()
	var f func(string, bool) []string
	if err := vm.ExportTo(vm.Get("shapes"), &f); err != nil {
		t.Fatal(err)
	}
	return f(text, partial)
}

// Markdown is shown as what it means.
func TestMarkdown(t *testing.T) {
	vm := markdown(t)
	for text, want := range map[string]string{
		"# A *b* #\nc\n###### d":                   "<h2>A <em>b</em></h2><p>c</p><h6>d</h6>",
		"- a\n- b\n  - c\n    1. d\n    2. e\n- f": "<ul><li>a</li><li>b<ul><li>c<ol><li>d</li><li>e</li></ol></li></ul></li><li>f</li></ul>",
		"1. a\n   more\n\n   para\n2. b":           "<ol><li>a<br></br>more<p>para</p></li><li>b</li></ol>",
		"1. x\n  - y\n2. z":                        "<ol><li>x<ul><li>y</li></ul></li><li>z</li></ol>",
		"3. c\n4) d":                               "<ol 3><li>c</li><li>d</li></ol>",
		"- a\n1. b":                                "<ul><li>a</li></ul><ol><li>b</li></ol>",
		"- [ ] a\n- [x] b":                         "<ul><li>☐ a</li><li>☑ b</li></ul>",
		"- a\n\n  ```go\n  x\n    y\n  ```\n- b":   "<ul><li>a<div><go><pre><code>x\n  y</code></pre></div></li><li>b</li></ul>",
		"The year\n2024. was":                      "<p>The year<br></br>2024. was</p>",
		"| a | b |\n|---|--:|\n| **1** | `x\\|y` | z |\n| 2 |\nafter": "<div><table><thead><tr><th>a</th><th right>b</th></tr></thead><tbody><tr><td><strong>1</strong></td><td right><code>x|y</code></td></tr><tr><td>2</td><td right></td></tr></tbody></table></div><p>after</p>",
		"a | b\n- | -\n1 | 2":                            "<div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>",
		"a | b\nc":                                       "<p>a | b<br></br>c</p>",
		"a\n```go title=x\nif a < b {}\n```\nb":          "<p>a</p><div><go><pre><code>if a < b {}</code></pre></div><p>b</p>",
		"~~~~\n~~~\n```\n~~~~":                           "<div><pre><code>~~~\n```</code></pre></div>",
		"```\nnever ends":                                "<div><pre><code>never ends</code></pre></div>",
		"> q\n> - l\nlazy\n\nout":                        "<blockquote><p>q</p><ul><li>l<br></br>lazy</li></ul></blockquote><p>out</p>",
		"a\n\n***\n\n- - -":                              "<p>a</p><hr></hr><hr></hr>",
		"**b** __b__ *e* _e_ ***be*** ~~d~~ `c` ``a`b``": "<p><strong>b</strong> <strong>b</strong> <em>e</em> <em>e</em> <strong><em>be</em></strong> <del>d</del> <code>c</code> <code>a`b</code></p>",
		"snake_case_word 2 * 3 * 4 **no":                 "<p>snake_case_word 2 * 3 * 4 **no</p>",
		`\*a\* \[b\] c\d &lt;b&gt;`:                      `<p>*a* [b] c\d <b></p>`,
		"`**a** [b](https://c.example)`":                 "<p><code>**a** [b](https://c.example)</code></p>",
		"[**a**](https://b.example/(c) \"t\")":           "<p><a https://b.example/(c)><strong>a</strong></a></p>",
		"see https://go.dev/x_(y), <https://a.example> (http://b.example).": "<p>see <a https://go.dev/x_(y)>https://go.dev/x_(y)</a>, <a https://a.example>https://a.example</a> (<a http://b.example>http://b.example</a>).</p>",
		"[mail](mailto:a@b.example)":                                        "<p><a mailto:a@b.example>mail</a></p>",
	} {
		if got := strings.Join(shaped(t, vm, text, false), ""); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
}

// What a model or a page says opens nothing but addresses of the web and of mail, loads
// nothing, and can't hide where a link leads.
func TestHostileMarkdown(t *testing.T) {
	vm := markdown(t)
	for text, want := range map[string]string{
		"[a](javascript:alert(1))":                         "<p><span>a</span></p>",
		"[a](JaVaScRiPt:alert%281%29)":                     "<p><span>a</span></p>",
		"[a](java\\script:alert)":                          "<p><span>a</span></p>",
		"[a](&#106;avascript:x)":                           "<p><span>a</span></p>",
		"[a](<java\tscript:x>)":                            "<p><span>a</span></p>",
		"[a](data:text/html,<script>alert(1)</script>)":    "<p><span>a</span></p>",
		"[a](vbscript:x) [b](file:///etc/passwd)":          "<p><span>a</span> <span>b</span></p>",
		"[a](//evil.example) [b](/api/x) [c](#d)":          "<p><span>a</span> <span>b</span> <span>c</span></p>",
		"<javascript:alert(1)>":                            "<p><javascript:alert(1)></p>",
		"![p](https://evil.example/?q=secret)":             "<p><a https://evil.example/?q=secret>p</a></p>",
		"[https://bank.example](https://evil.example)":     "<p><a https://evil.example>https://bank.example (https://evil.example)</a></p>",
		"[**https://bank.example**](https://evil.example)": "<p><a https://evil.example><strong>https://bank.example</strong> (https://evil.example)</a></p>",
		"[htt*ps://bank.example*](https://evil.example)":   "<p><a https://evil.example>htt<em>ps://bank.example</em> (https://evil.example)</a></p>",
		"[→ www.bank.example](https://evil.example)":       "<p><a https://evil.example>→ www.bank.example (https://evil.example)</a></p>",
		"[bank.example](https://evil.example)":             "<p><a https://evil.example>bank.example (https://evil.example)</a></p>",
		"[go to *Bank.Example* now](http://evil.example)":  "<p><a http://evil.example>go to <em>Bank.Example</em> now (http://evil.example)</a></p>",
		"[банк.рф](https://evil.example)":                  "<p><a https://evil.example>банк.рф (https://evil.example)</a></p>",
		"[a.example](https://a.example@evil.example/)":     "<p><a https://a.example@evil.example/>a.example (https://a.example@evil.example/)</a></p>",
		`[a.example](https://evil.example\\@a.example)`:    `<p><a https://evil.example\@a.example>a.example (https://evil.example\@a.example)</a></p>`,
		"[a@bank.example](mailto:b@evil.example)":          "<p><a mailto:b@evil.example>a@bank.example (mailto:b@evil.example)</a></p>",
		"[a@bank.example](mailto:a@bank.example)":          "<p><a mailto:a@bank.example>a@bank.example</a></p>",
		"[Docs at a.example](https://www.A.example/x?y)":   "<p><a https://www.A.example/x?y>Docs at a.example</a></p>",
		"[v1.2, e.g.](https://a.example/x)":                "<p><a https://a.example/x>v1.2, e.g.</a></p>",
		"[[x](https://a.example)](https://b.example)":      "<p><a https://b.example>[x](https://a.example) (https://b.example)</a></p>",
		"<img src=x onerror=alert(1)>":                     "<p><img src=x onerror=alert(1)></p>",
		"```<script>\n</code><script>\n```":                "<div><pre><code></code><script></code></pre></div>",
		"| <b> |\n|---|\n| </td><script> |":                "<div><table><thead><tr><th><b></th></tr></thead><tbody><tr><td></td><script></td></tr></tbody></table></div>",
	} {
		for _, partial := range []bool{false, true} { // the document refuses what makes markup
			if got := strings.Join(shaped(t, vm, text, partial), ""); got != want {
				t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
			}
		}
	}
	// Nothing that is written for it takes the page's time.
	for _, piece := range []string{"`", "*a ", "**a ", "[", "[a](", "|", "> ", "- ", "_a ", "<", "http://", "#", "\\", "~~a ", "![", "| a |\n", "  - x\n", "*_", "`a ``b ", "> - "} {
		for _, partial := range []bool{false, true} {
			if got := shaped(t, vm, strings.Repeat(piece, 500), partial); len(got) == 0 && piece != "\\" && !partial {
				t.Errorf("%q: nothing is shown", piece)
			}
		}
	}
}

// A text that is being written looks at each moment like what it will be: blocks that
// have begun don't become others, and no mark of Markdown is seen.
func TestMarkdownWhileItIsWritten(t *testing.T) {
	vm := markdown(t)
	const text = "# Title\n\nSome **bold** and *em* and `code` and a [link](https://go.dev) and ![p](https://a.example/b.png).\n\n| a | b |\n|:--|--:|\n| **1** | 2 |\n| 3 | `4` |\n\n" +
		"1. one\n   - two\n   - **three**\n2. four\n\n```go\nx := 1\n\ny := 2\n```\n\n> a quote\n> of two lines\n\nDone, ~~not~~ https://a.example/b.\n\n- last"
	var before []string
	tag := func(s string) string { s, _, _ = strings.Cut(strings.TrimPrefix(s, "<"), ">"); return s }
	for i := range len(text) + 1 {
		now := shaped(t, vm, text[:i], true)
		for j, b := range before {
			if j >= len(now) || tag(now[j]) != tag(b) {
				t.Fatalf("at %q: %q becomes %q", text[max(0, i-20):i], before, now)
			}
		}
		before = now
		seen := strings.NewReplacer("<go>", "").Replace(strings.Join(now, ""))
		for at := strings.Index(seen, "<pre>"); at >= 0; at = strings.Index(seen, "<pre>") { // code is as it is
			seen = seen[:at] + seen[at:][strings.Index(seen[at:], "</pre>")+6:]
		}
		if strings.ContainsAny(seen, "*`|[]~#") {
			t.Errorf("at %q: %s", text[max(0, i-20):i], seen)
		}
	}
	if whole := shaped(t, vm, text, false); strings.Join(whole, "") != strings.Join(before, "") {
		t.Errorf("whole:\n%q\nwritten:\n%q", whole, before)
	}
}

// The chat of examples/server has the same file.
func TestMarkdownOfTheChat(t *testing.T) {
	ours, err := os.ReadFile("assets/markdown.js")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile("../../examples/server/assets/markdown.js")
	if err != nil {
		t.Fatal(err)
	}
	if string(ours) != string(theirs) {
		t.Error("examples/server/assets/markdown.js differs: copy agent/inspect/assets/markdown.js there")
	}
}
