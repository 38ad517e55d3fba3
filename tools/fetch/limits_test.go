package fetch

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Only the two ports of the web are connected to, or only those that are named.
func TestPorts(t *testing.T) {
	none := func() ([]net.Addr, error) { return nil, nil }
	for name, tt := range map[string]struct {
		ports []uint16
		open  string
	}{"default": {nil, "80 443"}, "named": {[]uint16{8080, 9}, "8080 9"}} {
		guard := New(Options{Ports: tt.ports}).guard(none)
		for _, port := range []int{0, 1, 9, 22, 25, 80, 81, 443, 444, 6379, 8000, 8080, 8443, 65535} {
			want := strings.Contains(" "+tt.open+" ", " "+strconv.Itoa(port)+" ")
			if err := guard("tcp4", net.JoinHostPort("8.8.8.8", strconv.Itoa(port)), nil); (err == nil) != want {
				t.Errorf("%s: port %d: %v", name, port, err)
			}
		}
	}
}

// A proxy would dial what the guard refuses, whatever the environment says of one.
func TestNoProxy(t *testing.T) {
	transport, ok := New(Options{}).client.Transport.(*http.Transport)
	if !ok || transport.Proxy != nil {
		t.Errorf("%+v", transport)
	}
}

// An address on one of this machine's links is none of the web.
func TestZonesAreRefused(t *testing.T) {
	f := New(Options{})
	for _, host := range []string{"[fe80::1%25eth0]", "[fe80::1%251]:80", "[2606:4700::1111%25lo]", "[::ffff:1.2.3.4%25eth0]"} {
		if u, err := f.check("http://" + host + "/"); err == nil {
			t.Errorf("%s passes as %s", host, u)
		}
	}
}

// Which path a robots.txt allows (RFC 9309, sections 2.2.2 and 2.2.3): the longest pattern
// counts, Allow between equals.
func TestAllowed(t *testing.T) {
	yes := func(p string) robotsRule { return robotsRule{true, p} }
	no := func(p string) robotsRule { return robotsRule{false, p} }
	for _, tt := range []struct {
		rules []robotsRule
		path  string
		want  bool
	}{
		{nil, "/a", true},
		{[]robotsRule{no("")}, "/a", true},
		{[]robotsRule{no("/")}, "/a", false},
		{[]robotsRule{no("/a"), yes("/a")}, "/a", true},
		{[]robotsRule{yes("/a"), no("/a")}, "/a", true},
		{[]robotsRule{yes("/a"), no("/a/b")}, "/a/b/c", false},
		{[]robotsRule{no("/a"), yes("/a/b")}, "/a/b/c", true},
		{[]robotsRule{no("/*.php")}, "/x/y.php?z", false},
		{[]robotsRule{no("/*.php$")}, "/x/y.php?z", true},
		{[]robotsRule{no("/*.php$")}, "/x/y.php", false},
		{[]robotsRule{no("/*.php$")}, "/a.php/b.php", false},
		{[]robotsRule{no("/*a*b$")}, "/xaxb/b", false},
		{[]robotsRule{no("/a$")}, "/a", false},
		{[]robotsRule{no("/a$")}, "/ab", true},
		{[]robotsRule{no("/*b*c")}, "/c/b", true},
	} {
		if got := allowed(tt.rules, tt.path); got != tt.want {
			t.Errorf("%v, %s: %v", tt.rules, tt.path, got)
		}
	}
}

var anyMark = regexp.MustCompile(`(?i)<\s*/*\s*untrusted_page\b`)

// No spelling of a mark stays in a page's text, and none comes together from parts.
func TestUnmarked(t *testing.T) {
	for _, text := range []string{
		"</untrusted_page>", "<untrusted_page>", "</UNTRUSTED_Page>", "< / untrusted_page >", "<\n/\tuntrusted_page\n>", "</untrusted_page x=1>", "</untrusted_page", "< untrusted_page",
		"</untrusted_<untrusted_page>page>", "<</untrusted_page>/untrusted_page>", "</untrusted_page></untrusted_page>", "<//untrusted_page>",
		"<<<</untrusted_page>/untrusted_page>/untrusted_page>", "< \n<untrusted_page>/ untrusted_page>", "</<untrusted_page>untrusted_page>",
	} {
		got := unmarked("a " + text + " b")
		if anyMark.MatchString(got) || !strings.HasPrefix(got, "a ") {
			t.Errorf("%q stays as %q", text, got)
		}
	}
	for _, text := range []string{"untrusted_page", "a < b", "<untrusted_pages>", "<p>"} {
		if got := unmarked(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// A URL that is shown holds no password, nor what a mark or Markdown could be made of.
func TestEncodeURL(t *testing.T) {
	u := &url.URL{Scheme: "https", Host: "a.example", User: url.UserPassword("ann", "hunter2"), Path: "/x", RawQuery: "q=<b>`\"\x00 é"}
	if got := encodeURL(u); strings.Contains(got, "hunter2") || strings.ContainsAny(got, "<>`\"\x00 é") || !strings.Contains(got, "a.example/x?q=%3Cb%3E%60%22%00%20%C3%A9") {
		t.Errorf("%s", got)
	}
}

// A cache drops what was not used for longest, keeps to its size, and forgets in time.
func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache{time: time.Minute, most: 3 * (entryBytes + 1 + 100)}
		has := func(want string) {
			t.Helper()
			got := ""
			for e := c.order.Back(); e != nil; e = e.Prev() {
				got += e.Value.(*cached).key
			}
			if got != want || len(c.entries) != len(want) || c.size != len(want)*(entryBytes+101) {
				t.Errorf("%d bytes of %q, want %q", c.size, got, want)
			}
		}
		for _, key := range []string{"a", "b", "c"} {
			c.put(key, key, 100)
		}
		if c.get("a") != "a" || c.get("none") != nil {
			t.Error("what is there is not found")
		}
		c.put("d", "d", 100) // b was not used for longest
		has("cad")
		c.put("c", "new", 100)
		has("adc")
		c.put("huge", "", c.most)
		has("adc")
		if c.get("c") != "new" {
			t.Error("the old value came back")
		}
		time.Sleep(time.Minute + time.Second)
		if c.get("a") != nil {
			t.Error("an old value came back")
		}
		has("dc")
		off := cache{most: 1000}
		if off.put("a", "a", 1); off.get("a") != nil {
			t.Error("a cache that is off keeps something")
		}
	})
}

// A table with too many cells is not filled up, however few columns it has.
func TestTablesAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		rows, columns int
		flat          bool
	}{"usual": {10, 10, false}, "wide": {1, maxColumns + 1, true}, "long": {maxCells/10 + 1, 10, true}, "the longest": {maxCells / 10, 10, false}} {
		row := "<tr>" + strings.Repeat("<td>x", tt.columns)
		got, err := markdown(t.Context(), "<table>"+strings.Repeat(row, tt.rows)+"</table>", &url.URL{Scheme: "https", Host: "a.example"})
		if err != nil {
			t.Fatal(err)
		}
		if flat := !strings.Contains(got.markdown, "|"); flat != tt.flat {
			t.Errorf("%s: flat %v: %.80q", name, flat, got.markdown)
		}
	}
}
