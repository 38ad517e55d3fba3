package measure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"codeberg.org/readeck/go-readability/v2"
	htmltomarkdown "github.com/JohannesKaufmann/html-to-markdown/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"

	"github.com/whorl-go/whorl/tools/fetch"
)

// A reader makes text of a page.
type reader struct {
	name string
	read func(page []byte) (string, error)
}

// readers are fetch and those that it is compared with.
func readers(t *testing.T) []reader {
	var page []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write(page)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	fetcher := fetch.New(fetch.Options{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{uint16(port)}, CacheTime: -1, MaxBytes: 20 << 20,
	})
	return []reader{
		{"fetch", func(b []byte) (string, error) {
			page = b
			p, err := fetcher.Fetch(t.Context(), server.URL)
			if err != nil {
				return "", err
			}
			return p.Text, nil
		}},
		{"html-to-markdown", func(b []byte) (string, error) { return htmltomarkdown.ConvertString(utf8Of(b)) }},
		{"go-readability", func(b []byte) (string, error) {
			article, err := readability.FromReader(strings.NewReader(utf8Of(b)), u)
			if err != nil {
				return "", err
			}
			var text strings.Builder
			err = article.RenderText(&text)
			return text.String(), err
		}},
	}
}

func utf8Of(page []byte) string {
	r, err := charset.NewReader(bytes.NewReader(page), "text/html")
	if err != nil {
		return string(page)
	}
	var b bytes.Buffer
	b.ReadFrom(r)
	return b.String()
}

var (
	linkTarget = regexp.MustCompile(`\]\((?:[^()\s]|\([^()\s]*\))*(?: "[^"]*")?\)`)
	picture    = regexp.MustCompile(`\[picture: [^\]]*\]`)
	command    = regexp.MustCompile(`\\[a-zA-Z]{2,}`)
	escape     = regexp.MustCompile(`\\([^\w\s])`)
)

// letters are a text's letters and digits, without the targets of links fetch's
// own words for pictures and the commands of TeX.
func letters(text string) []rune {
	text = picture.ReplaceAllString(text, "")
	text = command.ReplaceAllString(text, "")
	text = escape.ReplaceAllString(linkTarget.ReplaceAllString(text, "]"), "$1")
	var list []rune
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			list = append(list, unicode.ToLower(r))
		}
	}
	return list
}

const run = 10 // letters in a row that count as the same

// covered counts the letters of a that stand in a run that b has too, or, where
// less than a run stands between two of them, in the same place of b.
func covered(a, b []rune) int {
	places := map[string][]int{}
	for i := 0; i+run <= len(b); i++ {
		places[string(b[i:i+run])] = append(places[string(b[i:i+run])], i)
	}
	n, from, at := 0, 0, 0
	gap := func(to int) {
		if from < to && to-from < run && strings.Contains(string(b[at:min(len(b), at+20*run)]), string(a[from:to])) {
			n += to - from
		}
	}
	for i := 0; i+run <= len(a); i++ {
		found := places[string(a[i:i+run])]
		if found == nil {
			continue
		}
		gap(i)
		n += i + run - max(i, from)
		from = i + run
		next := found[0]
		for _, f := range found {
			if f >= at {
				next = f
				break
			}
		}
		at = next + run
	}
	gap(len(a))
	return n
}

// textOf is the text of HTML as it stands there.
func textOf(t *testing.T, page []byte) string {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

// TestReadabilityPages counts the letters of Mozilla's expected articles that are
// kept, and the letters beside them.
func TestReadabilityPages(t *testing.T) {
	dir := os.Getenv("READABILITY_PAGES")
	if dir == "" {
		t.Skip("READABILITY_PAGES names no folder")
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*", "source.html"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages in %s: %v", dir, err)
	}
	for _, r := range readers(t) {
		whole, half, kept, wanted, beside := 0, 0, 0, 0, 0
		var lossy []string
		for _, path := range pages {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			expected, err := os.ReadFile(filepath.Join(filepath.Dir(path), "expected.html"))
			if err != nil {
				t.Fatal(err)
			}
			text, err := r.read(source)
			if err != nil {
				t.Logf("%s: %s: %v", r.name, path, err)
			}
			want, got := letters(textOf(t, expected)), letters(text)
			n := covered(want, got)
			kept, wanted, beside = kept+n, wanted+len(want), beside+len(got)-covered(got, want)
			share := float64(n) / float64(max(len(want), 1))
			if share >= 0.99 {
				whole++
			} else {
				lossy = append(lossy, fmt.Sprintf("%5.1f%% %s", 100*share, filepath.Base(filepath.Dir(path))))
			}
			if share < 0.5 {
				half++
			}
		}
		t.Logf("%-16s %d of %d pages at 99%%, %d lose half, %.1f%% of the letters; %d letters beside the articles", r.name, whole, len(pages), half, 100*float64(kept)/float64(wanted), beside)
		if r.name == "fetch" {
			sort.Strings(lossy)
			t.Logf("\n%s", strings.Join(lossy, "\n"))
			if whole < 126 || half > 0 {
				t.Errorf("%d pages at 99%%, want 126; %d lose half, want none", whole, half)
			}
		}
	}
}

// TestJudgedPages counts strings that people marked as wanted or as noise.
func TestJudgedPages(t *testing.T) {
	dir := os.Getenv("TRAFILATURA_TESTS")
	if dir == "" {
		t.Skip("TRAFILATURA_TESTS names no folder")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "evaldata.json"))
	if err != nil {
		t.Fatal(err)
	}
	var judged map[string]struct {
		File   string
		Wanted []string `json:"with"`
		Noise  []string `json:"without"`
	}
	if err := json.Unmarshal(raw, &judged); err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for address := range judged {
		addresses = append(addresses, address)
	}
	sort.Strings(addresses)
	for _, r := range readers(t) {
		wanted, kept, noise, left, pages := 0, 0, 0, 0, 0
		for _, address := range addresses {
			page := judged[address]
			source, err := os.ReadFile(filepath.Join(dir, "cache", page.File))
			if err != nil {
				if source, err = os.ReadFile(filepath.Join(dir, "eval", page.File)); err != nil {
					continue
				}
			}
			pages++
			text, err := r.read(source)
			if err != nil {
				t.Logf("%s: %s: %v", r.name, page.File, err)
			}
			got := string(letters(text))
			for _, s := range page.Wanted {
				wanted++
				if strings.Contains(got, string(letters(s))) {
					kept++
				} else if r.name == "fetch" && os.Getenv("SHOW") != "" {
					t.Logf("lost %s %q", page.File, s)
				}
			}
			for _, s := range page.Noise {
				noise++
				if strings.Contains(got, string(letters(s))) {
					left++
				}
			}
		}
		t.Logf("%-16s %d pages: %d of %d wanted strings (%.1f%%), %d of %d noise strings (%.1f%%)", r.name, pages,
			kept, wanted, 100*float64(kept)/float64(wanted), left, noise, 100*float64(left)/float64(noise))
		if r.name == "fetch" && (kept*1000 < wanted*963 || left*1000 > noise*470) {
			t.Errorf("fetch keeps too little of what is wanted, or too much of what isn't")
		}
	}
}
