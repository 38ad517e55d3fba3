//go:build unix

package files_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// open makes a folder with files in it.
func open(t testing.TB, content map[string]string) (*os.Root, string) {
	dir := t.TempDir()
	for name, text := range content {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func pick(t testing.TB, set []tools.Tool, name string) tools.Callable {
	for _, tool := range set {
		def, err := tool.Definition()
		if err != nil {
			t.Fatal(err)
		}
		if def.Name() == name {
			return tool.(tools.Callable)
		}
	}
	t.Fatalf("no tool %s", name)
	return nil
}

// do calls a tool and returns what the model reads, with "!" before an error.
func do(t testing.TB, tool tools.Callable, input string) string {
	r, err := tool.Call(t.Context(), json.RawMessage(input))
	if err != nil {
		return "!" + err.Error()
	}
	var b strings.Builder
	for _, block := range r.Content {
		if string(block.Type()) != string(transport.TypeText) {
			b.WriteString("[" + string(block.Type()) + "]")
			continue
		}
		b.WriteString(rawjson.GetString(block.Raw(), "text"))
	}
	return b.String()
}

var project = map[string]string{
	"main.go":              "package main\n\nfunc main() {\n\tprintln(\"hi\")\n}\n",
	"README.md":            "# Title\n\nHello, World.\nHello again.\n",
	"internal/a/a.go":      "package a\n\n// Hello is said here.\nconst Hello = 1\n",
	"internal/a/a_test.go": "package a\n",
	"empty":                "",
	".git/config":          "secret token\n",
	".env":                 "KEY=secret token\n",
	"bin":                  "\x00\x01Hello",
}

func TestTools(t *testing.T) {
	root, _ := open(t, project)
	set := files.Tools(root, files.Options{MaxMatches: 5})
	steps := []struct{ tool, input, want string }{
		{"read_file", `{"path":"README.md"}`, "     1\t# Title\n     2\t\n     3\tHello, World.\n     4\tHello again."},
		{"read_file", `{"path":"README.md","from":3,"to":3}`, "     3\tHello, World."},
		{"read_file", `{"path":"/README.md","from":4,"to":99}`, "     4\tHello again."},
		{"read_file", `{"path":"README.md","from":9}`, "!lines 9 to 9: the file has 4 lines"},
		{"read_file", `{"path":"README.md","from":1,"to":-2}`, "!lines 1 to -2: lines are counted from 1; the file has 4"},
		{"read_file", `{"path":"README.md","from":3,"to":2}`, "!lines 3 to 3: the file has 4 lines"},
		{"read_file", `{"path":"empty"}`, "(the file is empty)"},
		{"read_file", `{"path":"a.go"}`, "!a.go does not exist; did you mean internal/a/a.go?"},
		{"read_file", `{"path":"none.go"}`, "!none.go does not exist; list_files shows what there is"},
		{"read_file", `{"path":"bin"}`, "!bin is not a text file"},
		{"read_file", `{"path":"internal"}`, "!internal: not a regular file"},
		{"list_files", `{}`, "README.md\nbin\nempty\ninternal/a/a.go\ninternal/a/a_test.go\n[6 files in all; the first 5 are shown]"},
		{"list_files", `{"pattern":"*.go"}`, "internal/a/a.go\ninternal/a/a_test.go\nmain.go"},
		{"list_files", `{"pattern":"internal/**/*_test.go"}`, "internal/a/a_test.go"},
		{"list_files", `{"path":"internal","pattern":"a/*.go"}`, "internal/a/a.go\ninternal/a/a_test.go"},
		{"list_files", `{"pattern":"*.rs"}`, "no files match"},
		{"list_files", `{"pattern":"[x"}`, "!pattern \"[x\": syntax error in pattern"},
		{"list_files", `{"path":"none"}`, "!none does not exist; list_files shows what there is"},
		{"search_files", `{"expression":"Hello"}`, "README.md:3: Hello, World.\nREADME.md:4: Hello again.\ninternal/a/a.go:3: // Hello is said here.\ninternal/a/a.go:4: const Hello = 1"},
		{"search_files", `{"expression":"^hello,","ignore_case":true,"context":1}`, "README.md-2- \nREADME.md:3: Hello, World.\nREADME.md-4- Hello again."},
		{"search_files", `{"expression":"Hello","pattern":"*.md","context":2}`, "README.md-1- # Title\nREADME.md-2- \nREADME.md:3: Hello, World.\nREADME.md-4- Hello again."},
		{"search_files", `{"expression":"again","context":1}`, "README.md-3- Hello, World.\nREADME.md:4: Hello again."},
		{"search_files", `{"expression":"Hello","pattern":"*.md"}`, "README.md:3: Hello, World.\nREADME.md:4: Hello again."},
		{"search_files", `{"expression":"Hello","path":"internal/a/a.go"}`, "internal/a/a.go:3: // Hello is said here.\ninternal/a/a.go:4: const Hello = 1"},
		{"search_files", `{"expression":"secret token"}`, "no matches in 5 files"},
		{"search_files", `{"expression":"("}`, "!the expression can't be read: error parsing regexp: missing closing ): `(?m)(`"},
		{"edit_file", `{"path":"main.go","old":"\"hi\"","new":"\"ho\""}`, "edited main.go:\n     1\tpackage main\n     2\t\n     3\tfunc main() {\n     4\t\tprintln(\"ho\")\n     5\t}"},
		{"edit_file", `{"path":"main.go","old":"    println(\"ho\")","new":"x"}`, "!main.go has no such passage, but lines 4 to 4 differ from it in white space only; nothing was changed"},
		{"edit_file", `{"path":"README.md","old":"Hello  again.","new":"x"}`, "!README.md has no such passage, but lines 4 to 4 differ from it in white space only; nothing was changed"},
		{"edit_file", `{"path":"main.go","old":"none","new":"x"}`, "!main.go has no such passage; nothing was changed"},
		{"edit_file", `{"path":"README.md","old":"Hello","new":"Bye"}`, "!README.md has the passage at lines 3, 4; include more of the surrounding text, or set all. Nothing was changed"},
		{"edit_file", `{"path":"README.md","old":"Hello","new":"Bye","all":true}`, "replaced 2 occurrences in README.md"},
		{"edit_file", `{"path":"README.md","old":"Bye","new":"Bye"}`, "!old and new are the same; nothing was changed"},
		{"write_file", `{"path":"new/x.txt","text":"1\n2\n"}`, "wrote 2 lines to new/x.txt"},
		{"write_file", `{"path":".","text":""}`, "!the path names the folder itself"},
		{"write_file", `{"path":"internal","text":""}`, "!internal: not a regular file"},
		{"read_file", `{"path":"new/x.txt"}`, "     1\t1\n     2\t2"},
	}
	for _, step := range steps {
		if got := do(t, pick(t, set, step.tool), step.input); got != step.want {
			t.Errorf("%s %s\ngot  %q\nwant %q", step.tool, step.input, got, step.want)
		}
	}
}

func TestSets(t *testing.T) {
	root, _ := open(t, nil)
	if n := len(files.Tools(root, files.Options{ReadOnly: true})); n != 3 {
		t.Errorf("%d read-only tools, want 3", n)
	}
	for _, tool := range files.Tools(root, files.Options{NeedsApproval: true}) {
		def, err := tool.Definition()
		if err != nil {
			t.Fatal(err)
		}
		traits := tool.(tools.Callable).Traits()
		if writes := def.Name() == "edit_file" || def.Name() == "write_file"; traits.NeedsApproval != writes || traits.ReadOnly == writes || (traits.Group != "") != writes || traits.Private == writes || traits.Repeatable == writes {
			t.Errorf("%s has the traits %+v", def.Name(), traits)
		}
	}
}

func TestTextEditor(t *testing.T) {
	root, _ := open(t, project)
	tool := files.TextEditor(root, files.Options{Prefix: "/repo"})
	def, err := tool.Definition()
	if err != nil || string(def.Raw()) != `{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}` {
		t.Fatalf("definition %s, %v", def.Raw(), err)
	}
	steps := []struct{ input, want string }{
		{`{"command":"view","path":"/repo"}`, "Here're the files and directories up to 2 levels deep in /repo, excluding hidden items and node_modules:\n/repo/README.md\n/repo/bin\n/repo/empty\n/repo/internal/\n/repo/internal/a/\n/repo/main.go"},
		{`{"command":"view","path":"/repo/README.md","view_range":[3,-1]}`, "Here's the content of /repo/README.md with line numbers:\n     3\tHello, World.\n     4\tHello again."},
		{`{"command":"view","path":"/repo/README.md","view_range":[9,10]}`, "!Error: Invalid `view_range`: [9, 10]. The file has 4 lines"},
		{`{"command":"view","path":"/etc/passwd"}`, `!Error: "/etc/passwd": the path must start with /repo`},
		{`{"command":"view","path":"/repo/.env"}`, `!Error: "/repo/.env": hidden files can't be accessed`},
		{`{"command":"view","path":"/repo/none"}`, "!Error: /repo/none does not exist; viewing a directory shows what there is"},
		{`{"command":"create","path":"/repo/n.txt","file_text":"a\nb\n"}`, "File created successfully at: /repo/n.txt"},
		{`{"command":"create","path":"/repo/n.txt"}`, "!Error: create needs `file_text`"},
		{`{"command":"str_replace","path":"/repo/n.txt","old_str":"b","new_str":"c"}`, "The file /repo/n.txt has been edited.\n     1\ta\n     2\tc"},
		{`{"command":"str_replace","path":"/repo/n.txt","old_str":"b","new_str":"c"}`, "!No replacement was performed, old_str `b` did not appear verbatim in /repo/n.txt."},
		{`{"command":"str_replace","path":"/repo/README.md","old_str":"Hello","new_str":"x"}`, "!No replacement was performed. Multiple occurrences of old_str `Hello` in lines: 3, 4. Please ensure it is unique"},
		{`{"command":"str_replace","path":"/repo/n.txt","old_str":"","new_str":"c"}`, "!Error: str_replace needs `old_str`, and not an empty one"},
		{`{"command":"insert","path":"/repo/n.txt","insert_line":1,"insert_text":"x"}`, "The file /repo/n.txt has been edited.\n     1\ta\n     2\tx\n     3\tc"},
		{`{"command":"insert","path":"/repo/n.txt","insert_line":7,"insert_text":"x"}`, "!Error: Invalid `insert_line` parameter: 7. It should be within the range of lines of the file: [0, 3]"},
	}
	for _, step := range steps {
		if got := do(t, tool, step.input); got != step.want {
			t.Errorf("%s\ngot  %q\nwant %q", step.input, got, step.want)
		}
	}
	readOnly := files.TextEditor(root, files.Options{ReadOnly: true})
	if got := do(t, readOnly, `{"command":"create","path":"/x","file_text":""}`); got != "!Error: These files are read-only" {
		t.Errorf("read-only: %s", got)
	}
}

func TestHostileFiles(t *testing.T) {
	root, dir := open(t, project)
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret.txt")
	for _, err := range []error{
		os.WriteFile(secret, []byte("TOPSECRET"), 0o644),
		os.Symlink(secret, filepath.Join(dir, "link.txt")),
		os.Symlink(outside, filepath.Join(dir, "way")),
		os.Symlink("/", filepath.Join(dir, "slash")),
		os.Symlink("loop", filepath.Join(dir, "loop")),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644),
		os.Symlink("/dev/zero", filepath.Join(dir, "zero")),
		os.Symlink(".env", filepath.Join(dir, "settings")),
		os.Symlink("settings", filepath.Join(dir, "settings2")),
		os.Symlink("internal/../.git", filepath.Join(dir, "depot")),
		os.Symlink("../.env", filepath.Join(dir, "internal", "up")),
		os.Symlink("internal", filepath.Join(dir, "lib")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	set := files.Tools(root, files.Options{})
	editor := files.TextEditor(root, files.Options{})
	for _, p := range []string{
		"link.txt", "way/secret.txt", "way/../link.txt", "slash/etc/passwd", "slash" + secret, "loop", "pipe", "zero", "../" + filepath.Base(outside) + "/secret.txt",
		secret, "..", "a/../../x", "%2e%2e/x", `..\x`, ".git/config", ".env", "x/.git/y", "settings", "settings2", "depot/config", "internal/up", "lib/up", "\x00", "way",
	} {
		quoted, _ := json.Marshal(p)
		absolute, _ := json.Marshal("/" + p)
		for name, got := range map[string]string{
			"read":   do(t, pick(t, set, "read_file"), fmt.Sprintf(`{"path":%s}`, quoted)),
			"edit":   do(t, pick(t, set, "edit_file"), fmt.Sprintf(`{"path":%s,"old":"TOPSECRET","new":"x"}`, quoted)),
			"view":   do(t, editor, fmt.Sprintf(`{"command":"view","path":%s}`, absolute)),
			"insert": do(t, editor, fmt.Sprintf(`{"command":"insert","path":%s,"insert_line":0,"insert_text":"x"}`, absolute)),
		} {
			if !strings.HasPrefix(got, "!") || strings.Contains(got, dir) {
				t.Errorf("%s of %q: %s", name, p, got)
			}
		}
	}
	for _, input := range []string{`{"expression":"token","path":"depot"}`, `{"expression":"token","path":"depot/config"}`, `{"expression":"TOPSECRET|secret token"}`, `{"expression":"TOPSECRET","path":"way"}`, `{"expression":".","path":"pipe"}`, `{"expression":".","path":"zero"}`} {
		if got := do(t, pick(t, set, "search_files"), input); strings.Contains(got, "SECRET") || strings.Contains(got, "token") {
			t.Errorf("search %s found %s", input, got)
		}
	}
	for _, p := range []string{"link.txt", "way/new.txt", "slash/tmp/new.txt", ".git/config", "pipe"} {
		do(t, pick(t, set, "write_file"), fmt.Sprintf(`{"path":%q,"text":"evil"}`, p))
	}
	if data, _ := os.ReadFile(secret); string(data) != "TOPSECRET" {
		t.Errorf("the file outside is %q now", data)
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 1 {
		t.Errorf("outside there is now %v", entries)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, ".git/config")); string(data) != "secret token\n" {
		t.Errorf(".git/config is %q now", data)
	}
}

// TestRaceWithALink changes a folder into a link to the outside and back while
// files below it are written.
func TestRaceWithALink(t *testing.T) {
	root, dir := open(t, map[string]string{"real/f.txt": "inside"})
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "f.txt"), []byte("outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	set := files.Tools(root, files.Options{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		d := filepath.Join(dir, "d")
		for range 300 {
			_ = os.Symlink(outside, d)
			_ = os.Remove(d)
			_ = os.Symlink("real", d)
			_ = os.Remove(d)
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if got := do(t, pick(t, set, "read_file"), `{"path":"d/f.txt"}`); strings.Contains(got, "outside") {
			t.Fatalf("read the file outside: %s", got)
		}
		do(t, pick(t, set, "write_file"), `{"path":"d/f.txt","text":"inside"}`)
	}
	if data, _ := os.ReadFile(filepath.Join(outside, "f.txt")); string(data) != "outside" {
		t.Errorf("the file outside is %q now", data)
	}
}

func TestBounds(t *testing.T) {
	root, _ := open(t, map[string]string{
		"big.txt":  strings.Repeat("x", 5000),
		"long.txt": strings.Repeat("needle in a line\n", 200),
		"wide.txt": "needle" + strings.Repeat("y", 3000),
	})
	set := files.Tools(root, files.Options{MaxFileBytes: 4000, MaxResultBytes: 1000})
	if got := do(t, pick(t, set, "read_file"), `{"path":"big.txt"}`); !strings.Contains(got, "5000 bytes; at most 4000") {
		t.Errorf("big file: %s", got)
	}
	if got := do(t, pick(t, set, "read_file"), `{"path":"long.txt"}`); len(got) > 1200 || !strings.Contains(got, "[cut here:") {
		t.Errorf("long file, %d bytes", len(got))
	}
	if got := do(t, pick(t, set, "search_files"), `{"expression":"needle"}`); len(got) > 2000 || !strings.Contains(got, "[cut here:") {
		t.Errorf("search, %d bytes: %s", len(got), got)
	}
	if got := do(t, pick(t, set, "search_files"), `{"expression":"needle","path":"wide.txt"}`); len(got) > 600 || !strings.Contains(got, "(3006 bytes)") {
		t.Errorf("wide line: %s", got)
	}
	if got := do(t, pick(t, set, "write_file"), fmt.Sprintf(`{"path":"x","text":%q}`, strings.Repeat("z", 4001))); !strings.Contains(got, "at most 4000") {
		t.Errorf("big write: %s", got)
	}
	blank, _ := json.Marshal(strings.Repeat("\n", 300_000) + "x")
	root, _ = open(t, map[string]string{"blank.txt": strings.Repeat("\n", 600_000)})
	if got := do(t, pick(t, files.Tools(root, files.Options{}), "edit_file"), fmt.Sprintf(`{"path":"blank.txt","old":%s,"new":""}`, blank)); !strings.Contains(got, "no such passage") {
		t.Errorf("a long passage of blank lines: %.200s", got) // and not after minutes
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	if _, err := pick(t, set, "search_files").Call(ctx, json.RawMessage(`{"expression":"x"}`)); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("cancelled search: %v", err)
	}
}

func Example() {
	root, err := os.OpenRoot(".")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	for _, tool := range files.Tools(root, files.Options{ReadOnly: true}) {
		def, err := tool.Definition()
		fmt.Println(def.Name(), err)
	}
	// Output:
	// read_file <nil>
	// list_files <nil>
	// search_files <nil>
}
