//go:build unix

package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools/files"
)

func TestPatterns(t *testing.T) {
	root, _ := open(t, map[string]string{"a.go": "", "b.txt": "", "c{1}.md": "", "sub/d.go": "", "sub/deep/e.tsx": "", "sub/deep/f.ts": "", "größe.md": "", ".github/x.yml": ""})
	for _, test := range []struct{ prefix, path, pattern, want string }{
		{"", "", "*.{go,txt}", "a.go b.txt sub/d.go"},
		{"", "", "**/*.{ts,tsx}", "sub/deep/e.tsx sub/deep/f.ts"},
		{"", "", "{a,sub/d}.go", "a.go sub/d.go"},
		{"", "", "*.{t{s,sx},txt}", "b.txt sub/deep/e.tsx sub/deep/f.ts"},
		{"", "", "*.{md}", "no files match"},
		{"", "", "c{1}.md", "c{1}.md"},
		{"", "", "./*.txt", "b.txt"},
		{"", "", "./*.go", "a.go"},
		{"", "", "/*.go", "a.go"},
		{"", "", "./sub/**", "sub/d.go sub/deep/e.tsx sub/deep/f.ts"},
		{"", "", "sub/", "sub/d.go sub/deep/e.tsx sub/deep/f.ts"},
		{"", "", "sub/[a-d].go", "sub/d.go"},
		{"", "", "[!a]*.go", "sub/d.go"},
		{"", "", "[a-b].*", "a.go b.txt"},
		{"", "", "?.go", "a.go sub/d.go"},
		{"", "", `c\{1\}.md`, "c{1}.md"},
		{"", "", "gr*e.md", "größe.md"},
		{"", "", "gr??e.md", "größe.md"},
		{"", "", ".", "a.go b.txt c{1}.md größe.md sub/d.go sub/deep/e.tsx sub/deep/f.ts"},
		{"", "sub", "sub/*.go", "sub/d.go"},
		{"", "sub", "*.go", "sub/d.go"},
		{"", "sub", "deep/*.ts", "sub/deep/f.ts"},
		{"", "./sub/", "./deep/*.ts", "sub/deep/f.ts"},
		{"", "a.go", "*.go", "a.go"},
		{"/repo", "", "/repo/sub/*.go", "/repo/sub/d.go"},
		{"/repo", "/repo/sub", "/repo/sub/**/*.ts", "/repo/sub/deep/f.ts"},
		{"/repo", "/repo/sub", "*.go", "/repo/sub/d.go"},
		{"/repo", "", "/repo/*.go", "/repo/a.go"},
		{"/repo", "sub", "/repo/*.go", "no files match"}, // the pattern says the root, not the folder
		{"/repo", "/repository", "", `!"/repository": the path must start with /repo`},
		{"/repo", "/repo/sub/", "*.go", "/repo/sub/d.go"},
		{"", "", `c[{}]1[\}].md`, "c{1}.md"},
		{"", "", "sub[!a]d.go", "no files match"}, // a class is not a slash
		{"", "", "sub[^a]d.go", "no files match"},
		{"", "", "{x{md,c}{1}.md", "no files match"},
		{"", "", "./.github", "no files match"},
		{"", "", "sub", "no files match; sub is a folder: give it as the path"},
		{"", "", ".github/*", "no files match; names that begin with a dot are not shown"},
		{"", "", "[", `!pattern "[": syntax error in pattern`},
		{"", "", "a/[b", `!pattern "a/[b": syntax error in pattern`},
		{"", "", `x\`, `!pattern "x\\": syntax error in pattern`},
	} {
		tool := pick(t, files.Tools(root, files.Options{Prefix: test.prefix}), "list_files")
		got := strings.ReplaceAll(do(t, tool, fmt.Sprintf(`{"path":%q,"pattern":%q}`, test.path, test.pattern)), "\n", " ")
		if got != test.want {
			t.Errorf("path %q, pattern %q: %q, want %q", test.path, test.pattern, got, test.want)
		}
	}
}

// Edits leave line ends, encoding and mark of a file as they are, and what is
// shown and searched is the same whatever they are.
func TestOtherTextFiles(t *testing.T) {
	const crlf = "one\r\ntwo\r\nthree\r\n"
	read, edit, write, search := "read_file", "edit_file", "write_file", "search_files"
	for _, test := range []struct{ name, data, tool, input, want, after string }{
		{"replace over two lines", crlf, edit, `{"path":"f","old":"one\ntwo","new":"1\n2"}`, "edited f:\n     1\t1\n     2\t2\n     3\tthree", "1\r\n2\r\nthree\r\n"},
		{"replace all", crlf, edit, `{"path":"f","old":"o","new":"0","all":true}`, "replaced 2 occurrences in f", "0ne\r\ntw0\r\nthree\r\n"},
		{"with CRLF told", crlf, edit, `{"path":"f","old":"one\r\ntwo","new":"1\r\n2"}`, "edited f:\n     1\t1\n     2\t2\n     3\tthree", "1\r\n2\r\nthree\r\n"},
		{"rewrite", crlf, write, `{"path":"f","text":"a\nb\n"}`, "wrote 2 lines to f, with CRLF line ends as before", "a\r\nb\r\n"},
		{"read", crlf, read, `{"path":"f"}`, "     1\tone\n     2\ttwo\n     3\tthree", crlf},
		{"from 0", crlf, read, `{"path":"f","from":0}`, "     1\tone\n     2\ttwo\n     3\tthree", crlf},
		{"to -1", crlf, read, `{"path":"f","from":3,"to":-1}`, "     3\tthree", crlf},
		{"from -2", crlf, read, `{"path":"f","from":-2}`, "!lines -2 to 0: lines are counted from 1; the file has 3", crlf},
		{"search at the end of lines", crlf, search, `{"expression":"two$"}`, "f:2: two", crlf},
		{"search at the beginning of text", crlf, search, `{"expression":"\\Athree"}`, "f:3: three", crlf},
		{"Latin-1", "caf\xe9\n", read, `{"path":"f"}`, "     1\tcafé\n[read as Windows-1252]", "caf\xe9\n"},
		{"Latin-1 edited", "caf\xe9\n", edit, `{"path":"f","old":"café","new":"thé"}`, "edited f:\n     1\tthé", "th\xe9\n"},
		{"Latin-1 lacks it", "caf\xe9\n", edit, `{"path":"f","old":"café","new":"→"}`, "!f: the file is in Windows-1252, which has no '→'; nothing was changed", "caf\xe9\n"},
		{"Latin-1 rewritten", "caf\xe9\n", write, `{"path":"f","text":"thé"}`, "wrote 1 lines to f, in Windows-1252 as before", "th\xe9"},
		{"Latin-1 rewritten beyond it", "caf\xe9\n", write, `{"path":"f","text":"→"}`, "wrote 1 lines to f, in UTF-8: Windows-1252, which it was in, lacks a character", "→"},
		{"Latin-1 searched", "caf\xe9\n", search, `{"expression":"é$"}`, "f:1: café", "caf\xe9\n"},
		{"UTF-16 searched", "\xff\xfeh\x00i\x00\r\x00\n\x00", search, `{"expression":"^hi$"}`, "f:1: hi", "\xff\xfeh\x00i\x00\r\x00\n\x00"},
		{"UTF-16 edited", "\xff\xfeh\x00i\x00\r\x00\n\x00", edit, `{"path":"f","old":"i","new":"o"}`, "edited f:\n     1\tho", "\xff\xfeh\x00o\x00\r\x00\n\x00"},
		{"mark", "\xef\xbb\xbfpackage a\n", search, `{"expression":"^package"}`, "f:1: package a", "\xef\xbb\xbfpackage a\n"},
		{"encoding that isn't known", "\x81e needle\r\n", search, `{"expression":"needle$"}`, "f:1: �e needle", "\x81e needle\r\n"},
		{"passage that differs", crlf, edit, `{"path":"f","old":"one \n two","new":"x"}`, "!f has no such passage, but lines 1 to 2 differ from it in white space only; nothing was changed", crlf},
	} {
		root, dir := open(t, map[string]string{"f": test.data})
		if got := do(t, pick(t, files.Tools(root, files.Options{}), test.tool), test.input); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, "f")); string(data) != test.after {
			t.Errorf("%s: the file is %q, want %q", test.name, data, test.after)
		}
	}
	for _, test := range []struct{ name, data, input, want, after string }{
		{"str_replace", crlf, `{"command":"str_replace","path":"/f","old_str":"one\ntwo","new_str":"1"}`, "The file /f has been edited.\n     1\t1\n     2\tthree", "1\r\nthree\r\n"},
		{"insert", crlf, `{"command":"insert","path":"/f","insert_line":1,"insert_text":"ins\n2a"}`, "The file /f has been edited.\n     1\tone\n     2\tins\n     3\t2a\n     4\ttwo\n     5\tthree", "one\r\nins\r\n2a\r\ntwo\r\nthree\r\n"},
		{"create", crlf, `{"command":"create","path":"/f","file_text":"a\nb\n"}`, "File created successfully at: /f, with CRLF line ends as before", "a\r\nb\r\n"},
		{"view", "caf\xe9\n", `{"command":"view","path":"/f"}`, "Here's the content of /f with line numbers:\n     1\tcafé\n[read as Windows-1252]", "caf\xe9\n"},
	} {
		root, dir := open(t, map[string]string{"f": test.data})
		if got := do(t, files.TextEditor(root, files.Options{}), test.input); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, "f")); string(data) != test.after {
			t.Errorf("%s: the file is %q, want %q", test.name, data, test.after)
		}
	}
}

func TestSearchTellsWhatItLeftOut(t *testing.T) {
	root, _ := open(t, map[string]string{"big.txt": strings.Repeat("needle\n", 100), "small.txt": "hay\n"})
	tool := pick(t, files.Tools(root, files.Options{MaxFileBytes: 100, MaxMatches: 1}), "search_files")
	for input, want := range map[string]string{
		`{"expression":"needle"}`:                         "no matches in 1 files\n[1 files of more than 100 bytes were not searched]",
		`{"expression":"hay"}`:                            "small.txt:1: hay\n[1 files of more than 100 bytes were not searched]",
		`{"expression":"(a?){1000}(a?){1000}(a?){1000}"}`: "!the expression can't be read: it is too costly to match",
	} {
		if got := do(t, tool, input); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", input, got, want)
		}
	}
}
