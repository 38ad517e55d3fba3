package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string, folders ...string) *Corpus {
	t.Helper()
	c, err := Open(dir, folders...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var files = map[string]string{
	"net/retry.go": `package net

// shouldRetry reports whether a failed request is sent again.
// Only idempotent requests are.
func shouldRetry(err error) bool {
	return isIdempotent(err)
}

// growbuffer makes room.
func growbuffer() {}
`,
	"net/retry_test.go":        "package net\n\n// retry retry retry request request\nfunc TestRetry() {}\n",
	"errors/is.go":             "package errors\n\n// Is compares errors.\nfunc Is(a, b error) bool { return a == b }\n",
	"other/is.go":              "package other\n\n// Is compares errors errors errors.\nfunc Is(a, b error) bool { return a == b }\n",
	"doc/guide.md":             "# Guide\n\nA request that fails is sent again.\n",
	"doc/notes.txt":            "Nothing here.\r\nLine two.\r\n",
	"vendor/x/x.go":            "package x // retry request\n",
	"net/testdata/y.go":        "package y // retry request\n",
	".git/config":              "retry request",
	"data.bin":                 "retry request",
	"net/looks_like_text.conf": "retry\x00request",
}

func TestSearch(t *testing.T) {
	c := open(t, folder(t, files))
	for _, test := range []struct{ query, under, want string }{
		{"retry request", "", "net/retry.go:3-8"},
		{"retrying of requests", "", "net/retry.go:3-8"},
		{"retry request", "doc", "doc/guide.md:1-3"},
		{"grow buffer", "", "net/retry.go:9-10"},
		{"errors.Is", "", "errors/is.go:3-4"},
		{"shouldRetry", "", "net/retry.go:3-8"},
		{"isIdempotent", "", "net/retry.go:3-8"},
	} {
		found, err := c.Search(t.Context(), test.query, test.under, 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Hits) == 0 || fmt.Sprintf("%s:%d-%d", found.Hits[0].Path, found.Hits[0].From, found.Hits[0].To) != test.want {
			t.Errorf("%q: best hit of %+v is not %s", test.query, found.Hits, test.want)
			continue
		}
		for _, h := range found.Hits {
			lines, _, err := c.Lines(h.Path, h.From, h.To)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range h.Lines {
				if l.Number < h.From || l.Number > h.To || lines[l.Number-h.From] != l.Text {
					t.Errorf("%q: %s:%d is not %q", test.query, h.Path, l.Number, l.Text)
				}
			}
			if strings.HasPrefix(h.Path, "vendor/") || strings.Contains(h.Path, "testdata") || strings.Contains(h.Path, "conf") || strings.HasPrefix(h.Path, ".") || h.Path == "data.bin" {
				t.Errorf("%s should not be indexed", h.Path)
			}
		}
	}
	found, err := c.Search(t.Context(), "retry flummox", "", 5)
	if err != nil || len(found.Words) != 2 || found.Words[0].Passages == 0 || found.Words[1] != (Count{"flummox", 0}) {
		t.Errorf("counts %+v, %v", found.Words, err)
	}
	if _, err := c.Search(t.Context(), "the of ?", "", 5); err == nil {
		t.Error("a query without words must be an error")
	}
}

func TestLines(t *testing.T) {
	c := open(t, folder(t, files))
	lines, total, err := c.Lines("doc/notes.txt", 2, 99)
	if err != nil || total != 2 || strings.Join(lines, "|") != "Line two." {
		t.Errorf("%q, %d, %v", lines, total, err)
	}
	for _, bad := range []struct {
		name     string
		from, to int
	}{
		{"doc/none.txt", 1, 2}, {"../corpus.go", 1, 2}, {"/etc/passwd", 1, 2}, {"doc", 1, 2},
		{"doc/notes.txt", 3, 9}, {"doc/notes.txt", 2, 1}, {"net/looks_like_text.conf", 1, 1},
	} {
		if lines, _, err := c.Lines(bad.name, bad.from, bad.to); err == nil {
			t.Errorf("lines %d-%d of %s: %q", bad.from, bad.to, bad.name, lines)
		}
	}
}

func TestNothingOutsideTheFolder(t *testing.T) {
	outside := folder(t, map[string]string{"secret.txt": "the secret\n"})
	dir := folder(t, map[string]string{"a.txt": "text\n"})
	if err := os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(dir, "link.txt")); err != nil {
		t.Skip("no symbolic links here")
	}
	c := open(t, dir)
	if lines, _, err := c.Lines("link.txt", 1, 1); err == nil {
		t.Errorf("read %q through a link", lines)
	}
	if found, err := c.Search(t.Context(), "secret", "", 5); err != nil || len(found.Hits) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestList(t *testing.T) {
	c := open(t, folder(t, files))
	for pattern, want := range map[string]string{
		"net/":        "net/looks_like_text.conf net/retry.go net/retry_test.go",
		"*.md":        "doc/guide.md",
		"net/*_test*": "net/retry_test.go",
		"guide":       "doc/guide.md",
		"none":        "",
	} {
		paths, total, err := c.List(pattern, 10)
		if err != nil || strings.Join(paths, " ") != want || total != len(paths) {
			t.Errorf("%q: %q of %d, %v; want %s", pattern, paths, total, err, want)
		}
	}
	if paths, total, err := c.List("", 2); err != nil || len(paths) != 2 || total != 7 {
		t.Errorf("%q of %d, %v", paths, total, err)
	}
	if _, _, err := c.List("[", 2); err == nil {
		t.Error("a bad pattern must be an error")
	}
}

func TestOpen(t *testing.T) {
	dir := folder(t, files)
	if _, err := Open(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("%v", err)
	}
	if _, err := Open(filepath.Join(dir, "data.bin")); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("%v", err)
	}
	c := open(t, dir, "doc", "gone")
	if paths, _, err := c.List("", 10); err != nil || strings.Join(paths, " ") != "doc/guide.md doc/notes.txt" {
		t.Errorf("%q, %v", paths, err)
	}
	empty := open(t, t.TempDir())
	if _, err := empty.Search(t.Context(), "x", "", 1); err == nil || !strings.Contains(err.Error(), "no text files") {
		t.Errorf("%v", err)
	}
}

func TestCutLongTexts(t *testing.T) {
	var b strings.Builder
	b.WriteString("func long() {\n")
	for i := range 300 {
		fmt.Fprintf(&b, "\tline(%d)\n", i)
		if i%20 == 19 {
			b.WriteString("\n")
		}
	}
	b.WriteString("}\n")
	text := []byte(b.String())
	next, size := uint32(1), 0
	cut(text, true, func(p passage, part []byte) {
		if p.start != next || p.lines == 0 || p.lines > maxLines || p.decl != 1 && p.start != 1 {
			t.Errorf("passage %+v, want it to start at %d", p, next)
		}
		next, size = p.start+uint32(p.lines), size+len(part)
	})
	if size != len(text) {
		t.Errorf("%d of %d bytes are in passages", size, len(text))
	}
}

func TestCloseWhileIndexing(t *testing.T) {
	c, err := Open(folder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Search(gone, "retry", "", 5); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if found, err := c.Search(t.Context(), "retry", "", 5); err != nil || len(found.Hits) == 0 {
		t.Errorf("a search after one that was cancelled: %+v, %v", found, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Search(t.Context(), "retry", "", 5); err == nil {
		t.Error("a search in a closed corpus must be an error")
	}
	unused, err := Open(folder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if err := unused.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkIndex(b *testing.B) {
	dir := filepath.Join("..", "..", "..")
	for b.Loop() {
		c, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.ready(b.Context()); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// A file is read whole or not at all: the model is never shown a part as all of it.
func TestLargeFile(t *testing.T) {
	line := strings.Repeat("x", 1023) + "\n"
	most := strings.Repeat(line, maxFileBytes/len(line))
	c := open(t, folder(t, map[string]string{"most.txt": most, "more.txt": most + "y"}))
	if _, total, err := c.Lines("most.txt", 1, 1); err != nil || total != maxFileBytes/len(line) {
		t.Errorf("%d lines, %v", total, err)
	}
	if lines, _, err := c.Lines("more.txt", 1, 1); err == nil || !strings.Contains(err.Error(), "more than 2097152 bytes") {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	if paths, _, err := c.List("", 9); err != nil || len(paths) != 1 || paths[0] != "most.txt" {
		t.Errorf("%q, %v", paths, err)
	}
}

// A word is found inside of a text whose script has no blanks, and so is one beside
// quotation marks or a dash.
func TestWordsWithoutBlanks(t *testing.T) {
	c := open(t, folder(t, map[string]string{
		"zh.md":  "# 退款\n\n客户可以在购买后三十天内申请退款，运费由商店承担。\n",
		"zh2.md": "# 发货\n\n仓库在工作日发货，运输需要三天。\n",
		"ja.md":  "# 営業時間\n\n店は月曜日から金曜日まで営業しています。猫は入れません。\n",
		"ja2.md": "# 返品\n\n返品は購入から三十日以内に受け付けます。送料はお客様の負担です。\n",
		"ko.md":  "# 환불\n\n구매 후 삼십 일 안에 환불을 요청할 수 있습니다.\n",
		"th.md":  "ลูกค้าขอคืนเงินได้ภายในสามสิบวัน\n",
		"en.md":  "The “warranty”—two years—covers parts.\n",
	}))
	for query, want := range map[string]string{
		"申请退款":       "zh.md",
		"运费":         "zh.md",
		"运输要几天？":     "zh2.md",
		"何曜日に営業しますか": "ja.md",
		"猫":          "ja.md",
		"返品の送料":      "ja2.md",
		"환불":         "ko.md",
		"คืนเงิน":    "th.md",
		"warranty":   "en.md",
		"years":      "en.md",
	} {
		found, err := c.Search(t.Context(), query, "", 3)
		if err != nil || len(found.Hits) == 0 || found.Hits[0].Path != want || len(found.Hits[0].Lines) == 0 {
			t.Errorf("%s: %+v, %v; want %s", query, found, err, want)
		}
	}
}
