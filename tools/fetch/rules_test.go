package fetch

import (
	"net/url"
	"strings"
	"testing"
)

const prose = "The heron stands in the shallows from first light on, and does not move for an hour at a time; whoever wants to see it fish has to stand as still, and to bring a coat. "

// TestRules shows each rule both ways: what it must keep and what it must drop.
// A keep is a piece of the Markdown as it must stand there.
func TestRules(t *testing.T) {
	article := "<main><h1>Herons</h1><p>" + strings.Repeat(prose, 4) + "</p>"
	tests := []struct {
		name, page string
		keep, drop []string
	}{
		// What is hidden.
		{"hidden attribute", `<p>ab</p><p hidden>XX</p><p hidden=until-found>KEPT</p>`, []string{"KEPT"}, []string{"XX"}},
		{"aria-hidden is for screen readers", `<p>Costs <span aria-hidden=true>€ 7.20</span><span class=sr-only>seven euros twenty</span> a head`, []string{"Costs € 7.20 a head"}, []string{"seven"}},
		{"stars for the eye", `<div><i class=star></i><i class=star></i><span class=visually-hidden>2 of 5 stars</span></div>`, []string{"[picture: 2 of 5 stars]"}, nil},
		{"a screen reader's word in a link", `<p>More <a href=/x>here<span class=sr-only>XX</span></a>`, []string{"[here]"}, []string{"XX"}},
		{"what fades in", `<div style="opacity:0;transition:1s"><p>KEPT</p></div>`, []string{"KEPT"}, nil},
		{"size 0 on a wrapper", `<div style="font-size:0px"><table><tr><td style="font-size:0px"><div style="font-size:16px">KEPT</div>XX</table>XX</div>`, []string{"KEPT"}, []string{"XX"}},
		{"size 0 with a relative one inside", `<p>ab<span style="font-size:0"><b style="font-size:2em">XX</b></span><span style="font-size:0.9em">KEPT</span><span style="font-size:10px">ALSO</span>`, []string{"KEPT", "ALSO"}, []string{"XX"}},
		{"size 0 set again by a sheet that isn't at hand", `<link rel=stylesheet href=a.css><div style="font-size:0"><div class=col>KEPT</div>XX</div>`, []string{"KEPT"}, []string{"XX"}},
		{"size 0 with no sheet", `<p>ab<div style="font-size:0"><div class=col>XX</div></div>`, nil, []string{"XX"}},
		{"font shorthand", `<p>ab<p style="font:0/0 a">XX<p style="font:italic 12px/1.5 serif">KEPT`, []string{"KEPT"}, []string{"XX"}},
		{"visibility", `<div style="visibility:hidden">XX<p style="visibility:visible">KEPT</p></div>`, []string{"KEPT"}, []string{"XX"}},
		{"off the page", `<p>ab<p style="position:absolute;left:-9999px">XX<p style="margin-left:-20px">KEPT`, []string{"KEPT"}, []string{"XX"}},
		{"clipped", `<p>ab<span style="position:absolute;clip:rect(0,0,0,0)">XX</span><span style="clip-path:circle(50%)">KEPT</span>`, []string{"KEPT"}, []string{"XX"}},
		{"by a class", `<style>.a1{color:red;display:none}.b1{display:block}</style><p>ab<p class=a1>XX<p class=b1>KEPT`, []string{"KEPT"}, []string{"XX"}},
		{"by an id and descent", `<style>#box > ul .deep{visibility:hidden}</style><p>ab<div id=box><ul><li><i class=deep>XX</i><i>KEPT</i></ul></div><i class=deep>ALSO</i>`, []string{"KEPT", "ALSO"}, []string{"XX"}},
		{"the more specific rule", `<style>.tab{display:none}.tab.on{display:block}</style><p>ab<div class="tab on">KEPT</div><div class=tab>XX</div>`, []string{"KEPT"}, []string{"XX"}},
		{"important", `<style>.t{display:none!important}.t.u{display:block}</style><p>ab<div class="t u">XX</div>`, nil, []string{"XX"}},
		{"rules for paper and for hovering", `<style>@media print{.p{display:none}}.h:hover{display:none}@media screen{.s{display:none}}</style><p class=p>KEPT<p class=h>ALSO<p class=s>XX`, []string{"KEPT", "ALSO"}, []string{"XX"}},
		{"a page that shows itself later", `<style>body{visibility:hidden}html{display:none}</style><p>KEPT`, []string{"KEPT"}, nil},
		{"a page whose script shows it", `<style>.wrap{visibility:hidden}.off{display:none}</style><div class=wrap><p>KEPT, the most of it</p></div><p class=off>XX`, []string{"KEPT"}, []string{"XX"}},
		{"style wins over a sheet", `<style>.m{display:none}</style><p class=m style="display:block">KEPT`, []string{"KEPT"}, nil},
		{"an open and a closed dialog", `<p>ab<dialog>XX</dialog><details><summary>Q</summary>KEPT</details>`, []string{"KEPT"}, []string{"XX"}},

		// What stands around.
		{"ids made from headings", article + `<section id=sharing-a-nest><h2>Sharing a nest</h2><p>KEPT1 <a href=/a>pairs do</a></section><div id=cookies><h3>Cookies</h3>KEPT2</div><dl><dt id=navigation>navigation<dd>KEPT3</dl><h4 id=related>Related</h4><p>KEPT4</main>` +
			`<div id=related><a href=/1>XX one</a> <a href=/2>XX two</a></div>`, []string{"KEPT1", "KEPT2", "KEPT3", "navigation", "KEPT4"}, []string{"XX"}},
		{"words of a sentence", article + `<p>Choose <b class=menu>File</b> › <span class=menuseq>Save</span>, as a <a class=popup href=/p>quick</a> <em class=banner>way</em></main>`, []string{"**File** › Save", "[quick]", "*way*"}, nil},
		{"names of what stands beside", `<div class="page with-sidebar has-ads"><div class="content__box--ads no-navigation"><p>` + strings.Repeat(prose, 3) + `KEPT</div></div><div class="sidebar"><a href=/1>XX</a></div>`, []string{"KEPT"}, []string{"XX"}},
		{"a wrapper named for its menu", `<div class="left-navigation_page-wrapper"><ul class=nav><li><a href=/1>XX</a></ul><main><p>` + strings.Repeat(prose, 3) + `KEPT</main></div>`, []string{"KEPT"}, []string{"XX"}},
		{"a menu to eat from", article + `<ul class=menu><li>Soup KEPT1<li>Trout, 14</ul><p class=social-security>KEPT2</main><ul class=menu><li><a href=/1>XX</a></ul>`, []string{"KEPT1", "KEPT2"}, []string{"XX"}},
		{"an article that is called share", `<div class="entry share"><p>` + strings.Repeat(prose, 5) + `KEPT</div><div class=share-buttons><a href=/f>XX</a></div>`, []string{"KEPT"}, []string{"XX"}},
		{"alerts", article + `<div role=alert>KEPT1: it bites</div><div class="alert banner" role=alert>KEPT2: old version</div></main><div class=cookie-banner role=alert>XX We use cookies <a href=/c>more</a> <button>OK</button></div>`, []string{"KEPT1", "KEPT2"}, []string{"XX"}},
		{"asides", article + `<aside aria-label=Caution>KEPT1</aside><aside class="related"><a href=/1>XX</a></aside></main><aside class="admonition note">KEPT2</aside><aside><a href=/2>XX</a> more XX</aside>`, []string{"KEPT1"}, []string{"XX"}},
		{"an admonition without a main part", `<p>` + prose + `</p><aside class="admonition warning"><p>KEPT</p></aside><aside><a href=/2>XX</a></aside>`, []string{"KEPT"}, []string{"XX"}},
		{"the whole article in an aside", `<div><aside><p>` + strings.Repeat(prose, 5) + `KEPT</aside></div>`, []string{"KEPT"}, nil},
		{"accordions", `<p>` + strings.Repeat(prose, 3) + `<div role=tablist><h4><a href=#a>Opening</a></h4><div role=tabpanel id=a>KEPT ` + prose + `</div></div><ul role=tablist><li><a href=#x>XX</a></ul>`, []string{"Opening", "KEPT"}, []string{"XX"}},
		{"a heading that is pressed", `<h3><button>KEPT</button></h3><p>ab<button>XX</button>`, []string{"### KEPT"}, []string{"XX"}},
		{"headers", `<header class=site><a href=/>XX</a></header><article><header>KEPT1</header><p>` + strings.Repeat(prose, 3) + `<footer>KEPT2</footer></article><footer>XX</footer>`, []string{"KEPT1", "KEPT2"}, []string{"XX"}},

		// Formulas.
		{"MathML and a picture", `<p>so <span><span style="display:none"><math alttext="{\displaystyle E=mc^{2}}"><mi>E</mi></math></span><img aria-hidden=true alt="XX" src=a.svg></span> holds`, []string{"so $E=mc^{2}$ holds"}, []string{"XX"}},
		{"KaTeX", `<p>is <span class=katex><span class=katex-mathml><math><semantics><mrow><mi>x</mi></mrow><annotation encoding="application/x-tex">\frac{x}{2}</annotation></semantics></math></span><span class=katex-html aria-hidden=true>XX</span></span>.`, []string{`is $\frac{x}{2}$.`}, []string{"XX"}},
		{"MathML alone", `<p>if <math><msup><mi>a</mi><mn>2</mn></msup><mo>&lt;</mo><mfrac><mi>b</mi><mi>c</mi></mfrac></math>`, []string{`$a^2 < \frac{b}{c}$`}, nil},
		{"a script of MathJax", `<p>so <span class=MathJax>XX</span><script type="math/tex">\alpha</script>.`, []string{`so $\alpha$.`}, []string{"XX"}},
		{"a formula as a picture", `<p>with <img class="latex" alt="\sqrt{n}" src=a.png> steps`, []string{`with $\sqrt{n}$ steps`}, nil},
		{"a hidden formula", `<p>ab<div style="display:none"><math alttext="XX"><mi>x</mi></math></div>`, nil, []string{"XX"}},

		// Above and below the line.
		{"raised", `<p>3×10<sup>8</sup> m/s, 10<sup>−3</sup>, x<sup>n+1</sup>, the 1<sup>st</sup>, so<sup><a href="#n1">[1]</a></sup>, Foo<sup>®</sup>`, []string{"3×10^8 m/s", "10^−3", "x^(n+1)", "the 1st", "so[", "Foo®"}, []string{"^st", "^["}},
		{"lowered", `<p>H<sub>2</sub>O, a<sub>i</sub>, a<sub>i+1</sub>, x<sub>1</sub>2`, []string{"H2O", "a_i,", "a_(i+1)", "x_12"}, []string{"_2O"}},
		{"struck", `<p><del>$80</del> <s>$70</s> $60 <ins>now</ins>`, []string{"~~$80~~ ~~$70~~ $60 now"}, nil},
		{"signs", `<p>if a &lt; b &amp;&amp; c &gt; d, and <code>x &lt; y</code>`, []string{"a < b && c > d", "`x < y`"}, []string{"&lt;"}},

		// Tables.
		{"a list in a cell", `<table><tr><th>Bird<th>Eats<tr><td>heron<td><ul><li>fish<li>frogs</ul><tr><td>swift<td>flies</table>`, []string{"| heron | • fish<br />• frogs |", "| swift | flies |"}, nil},
		{"a table in a cell", `<table><tr><th>A<th>B<tr><td>x<td><table><tr><td>1<td>2</table></table>`, []string{"| x | 1, 2 |"}, nil},
		{"paragraphs in a cell", `<table><tr><td>a<td><p>one</p><p>two</p><tr><td>b<td>c</table>`, []string{"one<br />two"}, []string{"onetwo"}},
		{"a bar and code in a cell", `<table><tr><td>or<td>a|b<tr><td>do<td><pre>x()
y()</pre></table>`, []string{`| a\|b |`, "`x()`<br />`y()`"}, []string{"```"}},
		{"a table for layout", `<table><tr><td><h2>Left</h2><p>one</p></td><td><p>two</p></td></tr></table>`, []string{"## Left", "one\n\ntwo"}, []string{"|"}},

		// Code.
		{"Sphinx", `<div class="highlight-python3 notranslate"><div class=highlight><pre><span>x</span> = 1
</pre></div></div>`, []string{"```python3\nx = 1\n```"}, nil},
		{"mkdocs and Jekyll", `<div class="language-rust highlighter-rouge"><div class=highlight><pre class=highlight><code>fn</code></pre></div></div>`, []string{"```rust\nfn\n```"}, nil},
		{"GitHub", `<div class="highlight highlight-source-shell"><pre>ls</pre></div>`, []string{"```shell\nls\n```"}, nil},
		{"MDN and pandoc", `<pre class="brush: css notranslate"><code>a{}</code></pre><div class=sourceCode><pre class="sourceCode haskell"><code>id</code></pre></div>`, []string{"```css\n", "```haskell\n"}, nil},
		{"no language", `<div class="highlight-default notranslate"><pre>a</pre></div><div lang=en class=lang-en><p>` + strings.Repeat(prose, 3) + `<pre>b</pre></div>`, []string{"```\na", "```\nb"}, []string{"default", "```en"}},
		{"Doxygen", `<div class=fragment><div class=line><span class=lineno>  1</span>int x;</div><div class=line><span class=lineno>  2</span>int y;</div></div>`, []string{"```\nint x;\nint y;\n```"}, nil},
		{"numbers of lines in a table", `<table class=highlighttable><tr><td class=linenos><pre>1
2</pre><td class=code><div class="highlight language-go"><pre>a
b</pre></div></table>`, []string{"```go\na\nb\n```"}, []string{"1", "|"}},
		{"one row a line", `<table class="highlight js"><tr><td class=blob-num data-line-number=1><td class=blob-code>let a<tr><td class=blob-num data-line-number=2><td class=blob-code>let b</table>`, []string{"let a\nlet b"}, []string{"|"}},

		// Links.
		{"places and marks", `<p><a name=x></a>to <a name=y>here</a> and <a href=/z>there</a><h2>Head<a class=headerlink href=#h>¶</a></h2>`, []string{"to here and [there](https://site.example/z)", "## Head\n"}, []string{"site.example/docs", "¶"}},
		{"drawings", `<svg role=img aria-label="A map"><path/></svg><p>ab<svg><text>North</text></svg><a href=/x><svg aria-label="XX"></svg>go</a>`, []string{"[picture: A map]", "[picture: North]", "[go]"}, []string{"XX"}},
	}
	base, err := url.Parse("https://site.example/docs/a")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := markdown(t.Context(), test.page, base)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range test.keep {
				if !strings.Contains(got.markdown+"\n", s) {
					t.Errorf("%q is not in\n%s", s, got.markdown)
				}
			}
			for _, s := range test.drop {
				if strings.Contains(got.markdown, s) {
					t.Errorf("%q is in\n%s", s, got.markdown)
				}
			}
		})
	}
}

// TestLeftOutIsCounted checks that a page tells how much of it isn't there.
func TestLeftOutIsCounted(t *testing.T) {
	base, err := url.Parse("https://site.example/")
	if err != nil {
		t.Fatal(err)
	}
	got, err := markdown(t.Context(), `<nav><a href=/>12345</a></nav><p>matter</p><p hidden>1234567</p><button>123</button>`, base)
	if err != nil || got.beside != 8 || got.hidden != 7 {
		t.Errorf("%d letters beside and %d hidden, want 8 and 7 (%v)", got.beside, got.hidden, err)
	}
	p := &Page{URL: "https://site.example/", Text: got.markdown, LeftOut: got.beside, Hidden: got.hidden}
	if note := p.leftOut(); !strings.Contains(note, "8 letters") || !strings.Contains(note, "7 letters") {
		t.Errorf("the note is %q", note)
	}
}
