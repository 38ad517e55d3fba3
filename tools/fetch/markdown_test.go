package fetch

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var pages = []string{"documentation", "article", "tables", "forum"}

func convertPage(t testing.TB, name string) (page, title, text string) {
	raw, err := os.ReadFile(filepath.Join("testdata", name+".html"))
	if err != nil {
		t.Fatal(err)
	}
	base, _ := url.Parse("https://site.example/docs/guides/retries")
	got, err := markdown(t.Context(), string(raw), base)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), got.title, got.markdown
}

// TestMarkdownKeepsTheMatter checks the marks in the pages: what is marked KEEP
// must be there, what is marked NOISE or HIDDEN must not.
func TestMarkdownKeepsTheMatter(t *testing.T) {
	mark := regexp.MustCompile(`(KEEP|NOISE|HIDDEN)-+[\w ]+`)
	for _, name := range pages {
		page, title, text := convertPage(t, name)
		if title == "" || strings.Contains(title, "NOISE") {
			t.Errorf("%s: title is %q", name, title)
		}
		body := page[strings.Index(page, "<body"):]
		for _, m := range mark.FindAllString(body, -1) {
			first := strings.Fields(m)[0]
			if keep := strings.HasPrefix(m, "KEEP"); strings.Contains(text, first) != keep {
				t.Errorf("%s: %q kept = %v, want %v", name, m, !keep, keep)
			}
		}
		golden := filepath.Join("testdata", name+".md")
		if *update {
			if err := os.WriteFile(golden, []byte(text+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text+"\n" != string(want) {
			t.Errorf("%s: the Markdown is not that of %s:\n%s", name, golden, text)
		}
	}
}

func TestMarkdownOfHostilePages(t *testing.T) {
	base, _ := url.Parse("https://site.example/")
	tests := []struct{ name, page, not string }{
		{"deep nesting", strings.Repeat("<div>", 100000) + "text", ""},
		{"deep lists", strings.Repeat("<ul><li>", 500) + "text", ""},
		{"open formatting", strings.Repeat("<b><i>", 100000) + "text", ""},
		{"huge spans", `<table><tr><td colspan="1000000000" rowspan="1000000000">a</td><td>b</td></tr><tr><td>c</td></tr></table>`, ""},
		{"negative spans", `<table><tr><td colspan="-1" rowspan="x">a</td></tr></table>`, ""},
		{"tables in tables", strings.Repeat("<table><tr><td>", 150) + "x", ""},
		{"javascript link", `<p>go <a href="javascript:alert(1)">here</a> <a href="JaVaScRiPt&colon;alert(1)">there</a></p>`, "javascript"},
		{"data link", `<a href="data:text/html,x">here</a>`, "data:"},
		{"script", `<p>a</p><script>EVIL()</script><noscript>EVIL</noscript><template>EVIL</template>`, "EVIL"},
		{"comment", `<p>a</p><!-- EVIL -->`, "EVIL"},
		{"hidden by attribute", `<p>a</p><p hidden>EVIL</p>`, "EVIL"},
		{"hidden by style", `<p>a</p><p style="DISPLAY : none">EVIL</p><p style="position:absolute;left:-9999px">EVIL</p><p style="visibility:hidden">EVIL</p>`, "EVIL"},
		{"tag characters", "<p>a\U000E0045\U000E0056b\u202Ec\u200Bd\u2066</p>", "\U000E0045"},
		{"null bytes", "<p>a\x00b</p>", "\x00"},
		{"base elsewhere", `<base href="javascript:x/"><a href="y">z</a>`, "javascript"},
		{"many links", strings.Repeat(`<a href="x">y</a>`, 20000), ""},
		{"many noise", strings.Repeat(`<div class="ads">`, 400) + strings.Repeat(`<p class="ads">x</p>`, 20000), ""},
		{"unclosed", `<p>a<table><tr><td>b<ul><li>c`, ""},
		{"nothing", ``, ""},
		{"attribute bomb", `<p ` + strings.Repeat(`a="b" `, 50000) + `>x</p>`, ""},
		{"entities", strings.Repeat("&amp;&lt;&nbsp;", 50000), ""},
		{"backticks", "<pre>" + strings.Repeat("```\n", 10000) + "</pre><code>" + strings.Repeat("`", 10000) + "</code>", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := markdown(t.Context(), test.page, base)
			text := got.markdown
			if err != nil && !strings.Contains(err.Error(), "can't be read") {
				t.Errorf("error is %v", err)
			}
			if test.not != "" && strings.Contains(text, test.not) {
				t.Errorf("%q is in %.200q", test.not, text)
			}
			if len(text) > 10*len(test.page)+1000 {
				t.Errorf("%d bytes became %d", len(test.page), len(text))
			}
		})
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, name := range pages {
		page, _, _ := convertPage(f, name)
		f.Add(page)
	}
	f.Add(`<table><tr><td colspan=3><a href="//[::1">x</a>`)
	base, _ := url.Parse("https://site.example/")
	f.Fuzz(func(t *testing.T, page string) {
		if len(page) > 20000 {
			return
		}
		got, err := markdown(t.Context(), page, base)
		text := got.markdown
		if err == nil && strings.ContainsAny(text, "\x00\u200b\u202e") {
			t.Errorf("invisible characters in %q", text)
		}
	})
}

func TestRobots(t *testing.T) {
	const file = `
User-agent: other
Disallow: /

User-agent: whorl # us
User-agent: whorl-fetch
Disallow: /private
Allow: /private/open
Disallow: /*.cgi$
Disallow: /a*b/c
crawl-delay: 10

User-agent: *
Disallow: /all
`
	tests := []struct {
		agent, path string
		want        bool
	}{
		{"whorl-fetch/1.0", "/", true},
		{"whorl-fetch", "/private/x", false},
		{"whorl-fetch", "/private/open/x", true},
		{"whorl-fetch", "/x.cgi", false},
		{"whorl-fetch", "/x.cgi?y", true},
		{"whorl-fetch", "/axxb/cd", false},
		{"whorl-fetch", "/all", true},
		{"stranger", "/all/x", false},
		{"stranger", "/private", true},
		{"other", "/x", false},
	}
	for _, test := range tests {
		if got := allowed(parseRobots(strings.NewReader(file), test.agent), test.path); got != test.want {
			t.Errorf("%s may fetch %s: %v, want %v", test.agent, test.path, got, test.want)
		}
	}
}
