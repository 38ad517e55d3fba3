package skills

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func file1(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// Bounds are what they say: as much as one is allowed, and no more.
func TestBoundsAreExact(t *testing.T) {
	a := doc("name: a", "description: x")
	two := fstest.MapFS{"a/SKILL.md": file1(a), "a/f": file1("12345"), "b/SKILL.md": file1(doc("name: b", "description: x"))}
	all := int64(len(a)*2 + 5)
	for what, c := range map[string]struct {
		o    Options
		want string
	}{
		"as many skills":       {Options{MaxSkills: 2}, ""},
		"more skills":          {Options{MaxSkills: 1}, "there are more than 1;"},
		"as many files":        {Options{MaxFiles: 5}, ""}, // of both skills, with their folders
		"more files":           {Options{MaxFiles: 4}, "b: there are more than 4 files and folders"},
		"as many bytes":        {Options{MaxBytes: all}, ""},
		"more bytes":           {Options{MaxBytes: all - 1}, fmt.Sprintf("b/SKILL.md: with it the skills have more than %d bytes", all-1)},
		"as long instructions": {Options{MaxInstructions: len(a)}, ""},
		"longer instructions":  {Options{MaxInstructions: len(a) - 1}, fmt.Sprintf("a/SKILL.md: it has %d bytes; at most %d", len(a), len(a)-1)},
		"none of them":         {Options{Only: []string{}}, "there is no skill"},
		"one of them":          {Options{Only: []string{"b"}, MaxSkills: 1}, ""},
	} {
		set, err := Load(c.o, two)
		if c.want == "" && (err != nil || set == nil) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	front := func(n int) string {
		return doc("name: a", "description: x", "# "+x(n-len("\nname: a\ndescription: x\n# \n")))
	}
	for what, c := range map[string]struct{ dir, text, want string }{
		"name of the most characters":          {x(64), doc("name: "+x(64), "description: x"), ""},
		"name of one more":                     {x(65), doc("name: "+x(65), "description: x"), "has 65 characters; at most 64"},
		"name of characters, not bytes":        {strings.Repeat("é", 64), doc("name: "+strings.Repeat("é", 64), "description: x"), ""},
		"description of one more":              {"a", doc("name: a", "description: "+x(1025)), "has 1025 characters; at most 1024"},
		"compatibility of the most characters": {"a", doc("name: a", "description: x", "compatibility: "+strings.Repeat("é", 500)), ""},
		"compatibility of one more":            {"a", doc("name: a", "description: x", "compatibility: "+x(501)), "has 501 characters; at most 500"},
		"front matter of the most bytes":       {"a", front(maxFrontMatter), ""},
		"front matter of one more":             {"a", front(maxFrontMatter + 1), "the front matter has 65537 bytes; at most 65536"},
		"lines of old Macs":                    {"a", strings.ReplaceAll(doc("name: a", "description: x"), "\n", "\r"), ""},
	} {
		err := Validate(fstest.MapFS{c.dir + "/SKILL.md": file1(c.text)}, c.dir)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
}

func TestContainerBounds(t *testing.T) {
	list := slices.Repeat([]Hosted{{ID: strings.Repeat("x", 64), Version: strings.Repeat("1", 64)}}, 20)
	if raw, err := Container(list...); err != nil || bytes.Count(raw, []byte(`"anthropic"`)) != 20 {
		t.Errorf("the most skills: %s, %v", raw, err)
	}
	if list[0].Type != "" {
		t.Errorf("the caller's list was changed: %+v", list[0])
	}
	for _, h := range []Hosted{{ID: strings.Repeat("x", 65)}, {ID: "x", Version: strings.Repeat("1", 65)}} {
		if raw, err := Container(h); err == nil {
			t.Errorf("%s was taken", raw)
		}
	}
}

// A set gives nothing of its own away, and finds a name in any spelling.
func TestSetIsItsOwn(t *testing.T) {
	set, err := Load(Options{}, fstest.MapFS{"café/SKILL.md": file1(doc("name: café", "description: A & <b>", "license: MIT", "metadata:", "  a: \"1\"", "  b:", "    - x"))})
	if err != nil {
		t.Fatal(err)
	}
	set.Names()[0] = "changed"
	if names := set.Names(); !slices.Equal(names, []string{"café"}) {
		t.Errorf("names %q", names)
	}
	s := set.Skill(" cafe\u0301 ")
	if s == nil || s.License != "MIT" || len(s.Metadata) != 1 || s.Metadata["a"] != "1" || s.Instructions != "Body" {
		t.Fatalf("skill %+v", s)
	}
	const want = "<available_skills>\n<skill>\n<name>\ncafé\n</name>\n<description>\nA &amp; &lt;b&gt;\n</description>\n</skill>\n</available_skills>\n" +
		"Before a task that one of the descriptions is about, load that skill with the tool skill, and follow it."
	catalog := set.Catalog()
	if catalog.Text() != want || !IsCatalog(catalog) {
		t.Errorf("catalog %q", catalog.Text())
	}
	answer, more := catalog, catalog
	answer.Role = transport.RoleAssistant
	more.Content = append(slices.Clone(catalog.Content), transport.Text("and a question"))
	for what, m := range map[string]transport.Message{"the model's words": answer, "two blocks": more, "another start": transport.UserText("<available_skills>x")} {
		if IsCatalog(m) {
			t.Errorf("%s count as a catalog", what)
		}
	}
}

// A version tells what is a program from what is none, whoever may run it.
func TestVersions(t *testing.T) {
	versionOf := func(f *fstest.MapFile, name string) string {
		set, err := Load(Options{}, fstest.MapFS{"a/SKILL.md": file1(doc("name: a", "description: x")), "a/" + name: f})
		if err != nil {
			t.Fatal(err)
		}
		return set.Skill("a").Version
	}
	plain := versionOf(&fstest.MapFile{Data: []byte("x"), Mode: 0o644}, "f")
	for what, other := range map[string]string{
		"program":        versionOf(&fstest.MapFile{Data: []byte("x"), Mode: 0o755}, "f"),
		"group program":  versionOf(&fstest.MapFile{Data: []byte("x"), Mode: 0o654}, "f"),
		"other contents": versionOf(&fstest.MapFile{Data: []byte("y"), Mode: 0o644}, "f"),
		"other name":     versionOf(&fstest.MapFile{Data: []byte("x"), Mode: 0o644}, "g"),
	} {
		if other == plain {
			t.Errorf("a %s has the same version", what)
		}
	}
	if same := versionOf(&fstest.MapFile{Data: []byte("x"), Mode: 0o600}, "f"); same != plain {
		t.Errorf("who may read the file makes another version")
	}
}

func TestCopyKeepsPrograms(t *testing.T) {
	set, err := Load(Options{}, fstest.MapFS{"a/SKILL.md": file1(doc("name: a", "description: x")), "a/run": {Data: []byte("x"), Mode: 0o500}, "a/b/data": {Data: []byte("y"), Mode: 0o600}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := set.CopyTo(dir); err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string]bool{"a/run": true, "a/b/data": false} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&0o100 != 0 != program {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestAllowsOnlyWhatIsWritten(t *testing.T) {
	s, problems := parse([]byte(doc("name: x", "description: x", "allowed-tools: Bash(:*) Bash() Read(x:*) Bash(ls -l (a, b) ) Write( Git:*)")), "x")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		tool, input string
		want        bool
	}{
		{"bash", `{"command":"rm"}`, false},
		{"bash", `{"command":" rm"}`, false},
		{"bash", `{"command":""}`, false},
		{"bash", `{}`, false},
		{"read", `{"command":"x y"}`, false}, // patterns are for commands of bash
		{"read", `{}`, false},
		{"bash", `{"command":"ls\tx"}`, false},
		{"write", `{}`, false},
	} {
		if got := s.Allows(c.tool, []byte(c.input)); got != c.want {
			t.Errorf("%s %s: got %t", c.tool, c.input, got)
		}
	}
	list, problems := parse([]byte(doc("name: x", "description: x", "allowed-tools:", "- Bash(git log)", "- Bash(a b:*)", "- \"My Tool\"")), "x")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for input, want := range map[string]bool{
		`{"command":"git log"}`: true, `{"command":" git log "}`: true, `{"command":"git"}`: false, `{"command":"a b"}`: true, `{"command":"a b c"}`: true, `{"command":"a bc"}`: false, `{"command":"a"}`: false,
		"{\"command\":\"git log\\n\"}": false, `{"command":"git log\u00a0x"}`: false,
	} {
		if got := list.Allows("Bash", []byte(input)); got != want {
			t.Errorf("%s: got %t", input, got)
		}
	}
	if list.Allows("My Tool", []byte(`{}`)) {
		t.Error("an entry with a space in it was taken")
	}
}

// remembering is a host that has notes.
type remembering struct {
	tools.Host
	notes []json.RawMessage
	err   error
}

func (r *remembering) Note(_ context.Context, name string, data json.RawMessage) error {
	if name != NoteName {
		return errors.New(name)
	}
	r.notes = append(r.notes, data)
	return r.err
}

func (r *remembering) Notes(context.Context, string) ([]json.RawMessage, error) {
	return slices.Clone(r.notes), nil
}

// Which version was loaded is noted once a call, also if it runs again.
func TestLoadingIsNoted(t *testing.T) {
	load := func(body string) *Set {
		set, err := Load(Options{Dir: "/skills"}, fstest.MapFS{"a/SKILL.md": file1(doc("name: a", "description: x") + body), "a/f": file1("text")})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	set, other := load(""), load("other")
	host := new(remembering)
	ctx := tools.WithCall(t.Context(), tools.CallInfo{Host: host})
	call := func(s *Set, input string) error {
		_, err := s.Tool().Call(ctx, json.RawMessage(input))
		return err
	}
	note := func(s *Set) string { return `{"name":"a","version":"` + s.Skill("a").Version + `"}` }
	for i, step := range []struct {
		set   *Set
		input string
		want  []string
	}{
		{set, `{"name":"a","file":"f"}`, nil}, // reads a file, and loads nothing
		{set, `{"name":"a"}`, []string{note(set)}},
		{set, `{"name":"a"}`, []string{note(set)}},
		{other, `{"name":"a"}`, []string{note(set), note(other)}},
		{other, `{"name":"a"}`, []string{note(set), note(other)}},
		{set, `{"name":"a"}`, []string{note(set), note(other), note(set)}},
	} {
		err := call(step.set, step.input)
		var got []string
		for _, n := range host.notes {
			got = append(got, string(n))
		}
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("step %d: notes %q, %v; want %q", i, got, err, step.want)
		}
	}
	host.err = errors.New("no room")
	if err := call(other, `{"name":"a"}`); !errors.Is(err, host.err) {
		t.Errorf("a note that fails: %v", err)
	}
}

func TestReadingFiles(t *testing.T) {
	var dot bytes.Buffer
	if err := png.Encode(&dot, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	var wide bytes.Buffer
	if err := png.Encode(&wide, image.NewGray(image.Rect(0, 0, 8001, 1))); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{
		"a/SKILL.md": file1(doc("name: a", "description: x")), "a/ten": file1("1\n2\n3\n4\n5\n"), "a/sub/x": file1("x"),
		"a/dot.png": {Data: dot.Bytes()}, "a/wide.png": {Data: wide.Bytes()}, "b/SKILL.md": file1(doc("name: b", "description: x")),
	}
	set, err := Load(Options{MaxResult: 4, MaxInstructions: 1000, Dir: "/skills"}, fsys)
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		`{"name":"a","file":"ten"}`:          "1\n2\n[cut here; go on with line 3]",
		`{"name":"a","file":"ten","line":3}`: "3\n4\n[cut here; go on with line 5]",
		`{"name":"a","file":"ten","line":5}`: "5\n",
		`{"name":"a","file":"ten","line":6}`: `!"ten" has 5 lines, and no line 6`,
		`{"name":"a","file":"sub/../sub/x"}`: "x",
		`{"name":"a","file":"./sub/x"}`:      "x",
		`{"name":"a","file":"dot.png"}`:      "",
		`{"name":"a","file":"SKILL.md"}`:     "---\n[cut here; go on with line 2]",
		`{"name":"b","file":"x"}`:            `!the skill b has no file "x": it has no files beside its instructions, and nothing outside of its folder can be read`,
		`{"name":"a","file":"x"}`:            `!the skill a has no file "x", and nothing outside of its folder can be read; it has: dot.png, sub/x, ten, wide.png`,
		`{"name":"c"}`:                       `!there is no skill "c"; there are: a, b`,
		`{"name":"b"}`:                       set.Skill("b").opening() + "Body\n</skill>\nCommands find the skill's folder at /skills/b",
	} {
		got, err := use(t, set, input)
		if err != nil {
			got = "!" + err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", input, got, want)
		}
	}
	if _, err := use(t, set, `{"name":"a","file":"wide.png"}`); err == nil || !strings.Contains(err.Error(), `"wide.png" can't be shown`) {
		t.Errorf("a picture that the service refuses: %v", err)
	}
	if got, want := set.Tool().Traits(), (tools.Traits{ReadOnly: true, Repeatable: true, MaxResultBytes: 1004 + 64<<10}); got != want {
		t.Errorf("traits %+v, want %+v", got, want)
	}
}

func TestManyFilesAreListedInPart(t *testing.T) {
	for n, want := range map[int]string{maxListed: "\"f199\" 0 bytes", maxListed + 2: "\"f199\" 0 bytes\n… and 2 more"} {
		fsys := fstest.MapFS{"a/SKILL.md": file1(doc("name: a", "description: x"))}
		for i := range n {
			fsys[fmt.Sprintf("a/f%03d", i)] = file1("")
		}
		set, err := Load(Options{}, fsys)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := use(t, set, `{"name":"a"}`); err != nil || !strings.HasSuffix(text, "\n"+want) || strings.Count(text, " bytes") != maxListed {
			t.Errorf("%d files: %q, %v", n, text[max(0, len(text)-100):], err)
		}
	}
}
