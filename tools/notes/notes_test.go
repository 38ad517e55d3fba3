package notes_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/confinetest"
	"github.com/whorl-go/whorl/tools/notes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

func open(t testing.TB, o notes.Options) (*tools.FuncTool, string) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return notes.New(root, o).Tool(), dir
}

// do runs a command and returns what the model reads, with "!" before an error.
func do(t testing.TB, tool *tools.FuncTool, input string) string {
	r, err := tool.Call(t.Context(), json.RawMessage(input))
	if err != nil {
		return "!" + err.Error()
	}
	var b strings.Builder
	for _, block := range r.Content {
		if string(block.Type()) == string(transport.TypeText) {
			b.WriteString(rawjson.GetString(block.Raw(), "text"))
		} else {
			b.WriteString("[" + string(block.Type()) + "]")
		}
	}
	return b.String()
}

func TestDefinition(t *testing.T) {
	tool, _ := open(t, notes.Options{})
	def, err := tool.Definition()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(def.Raw()); got != `{"type":"memory_20250818","name":"memory"}` {
		t.Errorf("definition is %s", got)
	}
}

// TestContract goes through the answers of wire §10.5, in order, on one folder.
func TestContract(t *testing.T) {
	tool, dir := open(t, notes.Options{})
	steps := []struct{ input, want string }{
		{`{"command":"view","path":"/memories"}`,
			"Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and node_modules:\n4.0K\t/memories"},
		{`{"command":"view","path":"/memories/a.txt"}`, "!The path /memories/a.txt does not exist. Please provide a valid path."},
		{`{"command":"create","path":"/memories/a.txt","file_text":"one\ntwo\nthree\n"}`, "File created successfully at: /memories/a.txt"},
		{`{"command":"create","path":"/memories/a.txt","file_text":"x"}`, "!Error: File /memories/a.txt already exists"},
		{`{"command":"create","path":"/memories/p/q/deep.md","file_text":"two\ntwo\n"}`, "File created successfully at: /memories/p/q/deep.md"},
		{`{"command":"view","path":"/memories/a.txt"}`, "Here's the content of /memories/a.txt with line numbers:\n     1\tone\n     2\ttwo\n     3\tthree"},
		{`{"command":"view","path":"/memories/a.txt","view_range":[2,-1]}`, "Here's the content of /memories/a.txt with line numbers:\n     2\ttwo\n     3\tthree"},
		{`{"command":"view","path":"/memories/a.txt","view_range":[4,5]}`, "!Error: Invalid `view_range`: [4, 5]. The file has 3 lines"},
		{`{"command":"view","path":"/memories"}`,
			"Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and node_modules:\n13.0K\t/memories\n0.5K\t/memories/a.txt\n8.5K\t/memories/p\n4.5K\t/memories/p/q"},
		{`{"command":"str_replace","path":"/memories/a.txt","old_str":"two","new_str":"2"}`, "The memory file has been edited.\n     1\tone\n     2\t2\n     3\tthree"},
		{`{"command":"str_replace","path":"/memories/a.txt","old_str":"2\n"}`, "The memory file has been edited.\n     1\tone\n     2\tthree"},
		{`{"command":"str_replace","path":"/memories/a.txt","old_str":"zwei","new_str":""}`, "!No replacement was performed, old_str `zwei` did not appear verbatim in /memories/a.txt."},
		{`{"command":"str_replace","path":"/memories/p/q/deep.md","old_str":"two","new_str":"2"}`, "!No replacement was performed. Multiple occurrences of old_str `two` in lines: 1, 2. Please ensure it is unique"},
		{`{"command":"str_replace","path":"/memories/none","old_str":"a","new_str":"b"}`, "!Error: The path /memories/none does not exist. Please provide a valid path."},
		{`{"command":"str_replace","path":"/memories/p","old_str":"a","new_str":"b"}`, "!Error: The path /memories/p does not exist. Please provide a valid path."},
		{`{"command":"insert","path":"/memories/a.txt","insert_line":0,"insert_text":"zero"}`, "The file /memories/a.txt has been edited."},
		{`{"command":"insert","path":"/memories/a.txt","insert_line":3,"insert_text":"end\n"}`, "The file /memories/a.txt has been edited."},
		{`{"command":"insert","path":"/memories/a.txt","insert_line":5,"insert_text":"x"}`, "!Error: Invalid `insert_line` parameter: 5. It should be within the range of lines of the file: [0, 4]"},
		{`{"command":"insert","path":"/memories/none","insert_line":0,"insert_text":"x"}`, "!Error: The path /memories/none does not exist"},
		{`{"command":"view","path":"/memories/a.txt"}`, "Here's the content of /memories/a.txt with line numbers:\n     1\tzero\n     2\tone\n     3\tthree\n     4\tend"},
		{`{"command":"rename","old_path":"/memories/a.txt","new_path":"/memories/p/b.txt"}`, "Successfully renamed /memories/a.txt to /memories/p/b.txt"},
		{`{"command":"rename","old_path":"/memories/a.txt","new_path":"/memories/c.txt"}`, "!Error: The path /memories/a.txt does not exist"},
		{`{"command":"rename","old_path":"/memories/p/b.txt","new_path":"/memories/p/q"}`, "!Error: The destination /memories/p/q already exists"},
		{`{"command":"rename","old_path":"/memories/p","new_path":"/memories/p/q/r"}`, "!Error: /memories/p can't be moved into itself"},
		{`{"command":"rename","old_path":"/memories","new_path":"/memories/x"}`, "!Error: /memories itself can't be renamed or replaced"},
		{`{"command":"delete","path":"/memories"}`, "!Error: /memories itself can't be deleted; delete what is in it"},
		{`{"command":"delete","path":"/memories/"}`, "!Error: /memories itself can't be deleted; delete what is in it"},
		{`{"command":"delete","path":"/memories/none"}`, "!Error: The path /memories/none does not exist"},
		{`{"command":"delete","path":"/memories/p"}`, "Successfully deleted /memories/p"},
		{`{"command":"view","path":"/memories"}`,
			"Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and node_modules:\n4.0K\t/memories"},
	}
	for i, step := range steps {
		if got := do(t, tool, step.input); got != step.want {
			t.Fatalf("step %d: %s\ngot  %q\nwant %q", i, step.input, got, step.want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestListingSkipsHiddenAndDeep(t *testing.T) {
	tool, dir := open(t, notes.Options{})
	for _, name := range []string{"a/b/c/d.txt", ".hidden/x", "node_modules/y", "z.txt"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := do(t, tool, `{"command":"view","path":"/memories"}`)
	for _, no := range []string{"hidden/", ".hidden", "node_modules/", "/memories/a/b/c"} {
		if strings.Contains(strings.SplitN(got, "\n", 2)[1], no) {
			t.Errorf("%s is listed:\n%s", no, got)
		}
	}
	if !strings.Contains(got, "\t/memories/a/b\n") || !strings.Contains(got, "\t/memories/z.txt") {
		t.Errorf("something is missing:\n%s", got)
	}
}

func TestViewOfOtherThings(t *testing.T) {
	tool, dir := open(t, notes.Options{MaxViewBytes: 200})
	var dot bytes.Buffer
	if err := png.Encode(&dot, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pic.png"), dot.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin"), []byte{0, 1, 2}, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "long"), []byte(strings.Repeat("line\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := do(t, tool, `{"command":"view","path":"/memories/pic.png"}`); got != "[image]" {
		t.Errorf("image: %s", got)
	}
	if got := do(t, tool, `{"command":"view","path":"/memories/bin"}`); got != "!Error: /memories/bin is not a text file" {
		t.Errorf("binary: %s", got)
	}
	if got := do(t, tool, `{"command":"view","path":"/memories/long"}`); len(got) > 320 || !strings.Contains(got, "[cut here:") {
		t.Errorf("long file: %s", got)
	}
}

func TestHostilePaths(t *testing.T) {
	tool, dir := open(t, notes.Options{})
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret.txt")
	for _, err := range []error{
		os.WriteFile(secret, []byte("secret"), 0o644),
		os.Symlink(outside, filepath.Join(dir, "way")),
		os.Symlink(secret, filepath.Join(dir, "file")),
		os.Symlink("..", filepath.Join(dir, "up")),
		os.Symlink("loop", filepath.Join(dir, "loop")),
		os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("mine"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	paths := []string{
		"", "/", ".", "..", "/memories/..", "/memories/../x", "/memories/a/../../x", "/memories/./../x", "memories/x", "/memoriesx", "/etc/passwd",
		"/memories/%2e%2e/x", "/memories/%2E%2e%2fx", "/memories/..%2fx", "/memories/a%00b", `/memories\..\x`, `/memories/..\x`, "/memories/\u0000x", "/memories/a\nb",
		"/memories/way/secret.txt", "/memories/way/new.txt", "/memories/up/x", "/memories/up/up/x", "/memories/file", "/memories/loop", "/memories/way",
	}
	for _, p := range paths {
		quoted, _ := json.Marshal(p)
		for _, input := range []string{
			fmt.Sprintf(`{"command":"view","path":%s}`, quoted),
			fmt.Sprintf(`{"command":"create","path":%s,"file_text":"evil"}`, quoted),
			fmt.Sprintf(`{"command":"str_replace","path":%s,"old_str":"secret","new_str":"evil"}`, quoted),
			fmt.Sprintf(`{"command":"insert","path":%s,"insert_line":0,"insert_text":"evil"}`, quoted),
			fmt.Sprintf(`{"command":"rename","old_path":"/memories/mine.txt","new_path":%s}`, quoted),
		} {
			if got := do(t, tool, input); !strings.HasPrefix(got, "!") {
				t.Errorf("%s is accepted: %s", input, got)
			} else if strings.Contains(got, dir) || strings.Contains(got, outside) {
				t.Errorf("%s tells where the folder is: %s", input, got)
			}
		}
	}
	// Deleting a link deletes the link.
	for _, p := range []string{"/memories/way", "/memories/file", "/memories/up"} {
		if got := do(t, tool, fmt.Sprintf(`{"command":"delete","path":%q}`, p)); !strings.HasPrefix(got, "Successfully") {
			t.Errorf("delete of the link %s: %s", p, got)
		}
	}
	if data, _ := os.ReadFile(secret); string(data) != "secret" {
		t.Errorf("the file outside is %q now", data)
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 1 {
		t.Errorf("outside there is now %v", entries)
	}
}

func TestBounds(t *testing.T) {
	tool, _ := open(t, notes.Options{MaxFileBytes: 10, MaxTotalBytes: 25, MaxFiles: 4})
	steps := []struct{ input, want string }{
		{`{"command":"create","path":"/memories/a","file_text":"12345678901"}`, "!Error: The file would have 11 bytes"},
		{`{"command":"create","path":"/memories/a","file_text":"1234567890"}`, "File created"},
		{`{"command":"insert","path":"/memories/a","insert_line":0,"insert_text":"x"}`, "!Error: The file would have 12 bytes"},
		{`{"command":"str_replace","path":"/memories/a","old_str":"1","new_str":"11"}`, "!Error: The file would have 11 bytes"},
		{`{"command":"create","path":"/memories/b","file_text":"1234567890"}`, "File created"},
		{`{"command":"create","path":"/memories/c","file_text":"1234567890"}`, "!Error: The notes would have 30 bytes"},
		{`{"command":"create","path":"/memories/c","file_text":"1"}`, "File created"},
		{`{"command":"create","path":"/memories/d/e","file_text":"1"}`, "!Error: There are 3 files and folders already"},
		{`{"command":"create","path":"/memories/d","file_text":"1"}`, "File created"},
		{`{"command":"create","path":"/memories/e","file_text":"1"}`, "!Error: There are 4 files and folders already"},
		{`{"command":"create","path":"/memories/f"}`, "!Error: create needs `file_text`"},
		{`{"command":"insert","path":"/memories/a"}`, "!Error: insert needs"},
		{`{"command":"str_replace","path":"/memories/a"}`, "!Error: str_replace needs"},
		{`{"command":"rename","old_path":"/memories/a"}`, "!Error: rename needs"},
		{`{"command":"format","path":"/memories/a"}`, "!the arguments don't match"},
	}
	for _, step := range steps {
		if got := do(t, tool, step.input); !strings.HasPrefix(got, step.want) {
			t.Errorf("%s\ngot  %q\nwant %q", step.input, got, step.want)
		}
	}
	readOnly, _ := open(t, notes.Options{ReadOnly: true})
	if got := do(t, readOnly, `{"command":"create","path":"/memories/a","file_text":"1"}`); got != "!Error: These notes are read-only" {
		t.Errorf("read-only: %s", got)
	}
}

// Bounds are what they say: as much as one is allowed, and no more.
func TestBoundsAreExact(t *testing.T) {
	tool, dir := open(t, notes.Options{MaxFileBytes: 10, MaxTotalBytes: 20, MaxFiles: 4})
	steps := []struct{ input, want string }{
		{`{"command":"create","path":"/memories/p/q/a","file_text":"1234567890"}`, "File created"}, // 3 with its folders
		{`{"command":"create","path":"/memories/b","file_text":"12345678901"}`, "!Error: The file would have 11 bytes; at most 10 are allowed"},
		{`{"command":"create","path":"/memories/b","file_text":"1234567890"}`, "File created"}, // 20 bytes, 4 of 4
		{`{"command":"str_replace","path":"/memories/b","old_str":"1","new_str":"2"}`, "The memory file has been edited"},
		{`{"command":"rename","old_path":"/memories/b","new_path":"/memories/bb"}`, "Successfully renamed"},
		{`{"command":"rename","old_path":"/memories/bb","new_path":"/memories/r/b"}`, "!Error: There are 4 files and folders already; at most 4 are allowed"},
		{`{"command":"rename","old_path":"/memories/bb","new_path":"/memories"}`, "!Error: /memories itself can't be renamed or replaced"},
		{`{"command":"rename","old_path":"/memories/p/q","new_path":"/memories/p/qq"}`, "Successfully renamed"}, // beside itself, not into itself
		{`{"command":"create","path":"/memories","file_text":""}`, "!Error: File /memories already exists"},
		{`{"command":"view","path":"/memories","view_range":[1,2]}`, "!Error: `view_range` is for files"},
		{`{"command":"delete","path":"/memories/p/qq"}`, "Successfully deleted"},
		{`{"command":"create","path":"/memories/p/c","file_text":"12345678901"}`, "!Error: The file would have 11 bytes"},
		{`{"command":"create","path":"/memories/p/c","file_text":"123456789"}`, "File created"}, // 19 bytes
		{`{"command":"str_replace","path":"/memories/p/c","old_str":"1","new_str":"11"}`, "The memory file has been edited"},
		{`{"command":"create","path":"/memories/d","file_text":"1"}`, "!Error: The notes would have 21 bytes in all; at most 20 are allowed"},
		{`{"command":"create","path":"/memories/d","file_text":""}`, "File created"}, // 4 of 4
		{`{"command":"create","path":"/memories/e","file_text":""}`, "!Error: There are 4 files and folders already"},
	}
	for _, step := range steps {
		if got := do(t, tool, step.input); !strings.HasPrefix(got, step.want) {
			t.Fatalf("%s\ngot  %q\nwant %q", step.input, got, step.want)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "p", "c")); err != nil || string(data) != "1123456789" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func TestSizesInListings(t *testing.T) {
	tool, dir := open(t, notes.Options{})
	for name, size := range map[string]int{"a/full": 512, "a/more": 513, "a/node_modules/x": 1, "b/c/d/deep": 1 << 20, "empty": 0} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, make([]byte, size), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	const want = "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and node_modules:\n" +
		"1.0M\t/memories\n10.0K\t/memories/a\n0.5K\t/memories/a/full\n1.0K\t/memories/a/more\n1.0M\t/memories/b\n1.0M\t/memories/b/c\n0.0K\t/memories/empty"
	if got := do(t, tool, `{"command":"view","path":"/memories/"}`); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := do(t, tool, `{"command":"view","path":"/memories/b/c"}`); got != strings.Replace(strings.SplitN(want, "\n", 2)[0], "/memories", "/memories/b/c", 1)+"\n1.0M\t/memories/b/c\n1.0M\t/memories/b/c/d\n1.0M\t/memories/b/c/d/deep" {
		t.Errorf("folder: %q", got)
	}
}

// What is noted may come from a stranger, and is the user's own.
func TestTraits(t *testing.T) {
	tool, _ := open(t, notes.Options{})
	if got, want := tool.Traits(), (tools.Traits{Group: "memory", Untrusted: true, Private: true}); got != want {
		t.Errorf("traits %+v, want %+v", got, want)
	}
	readOnly, _ := open(t, notes.Options{ReadOnly: true})
	for _, input := range []string{
		`{"command":"str_replace","path":"/memories/a","old_str":"a","new_str":"b"}`, `{"command":"insert","path":"/memories/a","insert_line":0,"insert_text":"x"}`,
		`{"command":"delete","path":"/memories/a"}`, `{"command":"rename","old_path":"/memories/a","new_path":"/memories/b"}`,
	} {
		if got := do(t, readOnly, input); got != "!Error: These notes are read-only" {
			t.Errorf("%s: %s", input, got)
		}
	}
	if got := do(t, readOnly, `{"command":"view","path":"/memories/a"}`); got != "!The path /memories/a does not exist. Please provide a valid path." {
		t.Errorf("view: %s", got)
	}
}

// Folders on the way of a new name count like any other.
func TestRenameIsBounded(t *testing.T) {
	tool, dir := open(t, notes.Options{MaxFiles: 4})
	steps := []struct{ input, want string }{
		{`{"command":"create","path":"/memories/a","file_text":"1"}`, "File created"},
		{`{"command":"create","path":"/memories/b","file_text":"1"}`, "File created"},
		{`{"command":"rename","old_path":"/memories/a","new_path":"/memories/x/y/z/a"}`, "!Error: There are 2 files and folders already; at most 4"},
		{`{"command":"rename","old_path":"/memories/a","new_path":"/memories/x/a"}`, "Successfully renamed"},
		{`{"command":"rename","old_path":"/memories/x","new_path":"/memories/p/q/x"}`, "!Error: There are 3 files and folders already"},
		{`{"command":"create","path":"/memories/x/c","file_text":"1"}`, "File created"}, // its folder is there
		{`{"command":"rename","old_path":"/memories/x/c","new_path":"/memories/y/c"}`, "!Error: There are 4 files and folders already"},
		{`{"command":"rename","old_path":"/memories/x/c","new_path":"/memories/c"}`, "Successfully renamed"},
		{`{"command":"create","path":"/memories/x/a","file_text":"1"}`, "!Error: File /memories/x/a already exists"},
		{`{"command":"insert","path":"/memories/x/a","insert_line":0,"insert_text":"0"}`, "The file"},
	}
	for _, step := range steps {
		if got := do(t, tool, step.input); !strings.HasPrefix(got, step.want) {
			t.Errorf("%s\ngot  %q\nwant %q", step.input, got, step.want)
		}
		count := -1
		_ = filepath.WalkDir(dir, func(string, fs.DirEntry, error) error { count++; return nil })
		if count > 4 {
			t.Fatalf("%s: there are %d files and folders", step.input, count)
		}
	}
}

func TestNotesKeepTheirLineEnds(t *testing.T) {
	tool, dir := open(t, notes.Options{})
	file := filepath.Join(dir, "n.txt")
	if err := os.WriteFile(file, []byte("one\r\ntwo\r\nthree\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, input := range []string{
		`{"command":"str_replace","path":"/memories/n.txt","old_str":"one\ntwo","new_str":"1\n2"}`,
		`{"command":"insert","path":"/memories/n.txt","insert_line":1,"insert_text":"x"}`,
	} {
		if got := do(t, tool, input); strings.HasPrefix(got, "!") {
			t.Errorf("%s: %s", input, got)
		}
	}
	if data, _ := os.ReadFile(file); string(data) != "1\r\nx\r\n2\r\nthree\r\n" {
		t.Errorf("the file is %q", data)
	}
}

func TestConcurrentEdits(t *testing.T) {
	tool, dir := open(t, notes.Options{})
	do(t, tool, `{"command":"create","path":"/memories/log","file_text":""}`)
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				got := do(t, tool, fmt.Sprintf(`{"command":"insert","path":"/memories/log","insert_line":0,"insert_text":"%d-%d"}`, w, i))
				if !strings.HasPrefix(got, "The file") {
					t.Error(got)
				}
			}
		})
	}
	wg.Wait()
	data, err := os.ReadFile(filepath.Join(dir, "log"))
	if got := strings.Count(string(data), "\n"); err != nil || got != writers*each {
		t.Errorf("%d lines, want %d (%v): edits were lost", got, writers*each, err)
	}
}

// FuzzContainment throws paths at every command and then looks at the world outside.
func FuzzContainment(f *testing.F) {
	for _, seed := range []string{"/memories/a", "/memories/../a", "/memories/l/x", "/memories/l/../x", "//memories//..", "/memories/%2e%2e/x"} {
		f.Add(seed, "/memories/b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		root, unchanged := confinetest.Folder(t)
		tool := notes.New(root, notes.Options{}).Tool()
		for _, command := range []map[string]any{
			{"command": "create", "path": a, "file_text": "evil"}, {"command": "create", "path": b, "file_text": "evil"},
			{"command": "str_replace", "path": a, "old_str": "quokka", "new_str": "evil"}, {"command": "insert", "path": b, "insert_line": 0, "insert_text": "evil"},
			{"command": "rename", "old_path": a, "new_path": b}, {"command": "delete", "path": a}, {"command": "view", "path": b},
		} {
			input, _ := json.Marshal(command)
			if got := do(t, tool, string(input)); command["command"] == "view" && strings.Contains(got, "quokka") && !strings.Contains(a+b, "quokka") {
				t.Errorf("%s shows what is outside: %s", input, got)
			}
		}
		unchanged()
	})
}
