package fetch

import (
	"net/url"
	"runtime"
	"strings"
	"testing"
)

// A page that is made to grow, or to be worked on for long, costs not much more
// than one that is not.
func TestBombs(t *testing.T) {
	const size = 256 << 10
	fill := func(s string, n int) string { return strings.Repeat(s, n/len(s)) }
	bombs := map[string]string{
		"a wide table":        "<table><tr>" + fill("<td>x", size/50) + fill("<tr><td>x", size/10) + "</table>",
		"cells that span":     "<table>" + fill("<tr><td rowspan=50 colspan=50>x", size/10) + "</table>",
		"tables in tables":    fill("<table><tr><td>", 15*120) + fill("<table><tr><td>x</table>", size/10),
		"quotations":          fill("<blockquote>", 12*300) + fill("x<br>", size),
		"lists":               fill("<ul><li>", 8*200) + fill("x<br>", size),
		"pictures":            fill(`<img alt="picture" src="x">`, size),
		"links":               fill(`<a href="x">y</a>`, size),
		"menus in menus":      fill("<div class=nav>", 15*400) + fill("<i>x</i>", size),
		"formatting":          fill("<b><i><u>x<p>", size/10),
		"a long class":        "<p class='" + fill("x nav ", size) + "'>x",
		"headings":            fill("<h1>x</h1>", size),
		"lines without end":   fill("x ", size),
		"depth without bound": fill("<div>", size),
	}
	u, err := url.Parse("https://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range bombs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := markdown(t.Context(), page, u)
		text := got.markdown
		runtime.ReadMemStats(&after)
		if refused := name == "depth without bound"; refused != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 400 || len(text) > 20*size {
			t.Errorf("%s: %d MB allocated for %d bytes of text", name, mb, len(text))
		}
	}
}
