package skills

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// doc is a SKILL.md of front matter.
func doc(lines ...string) string { return "---\n" + strings.Join(lines, "\n") + "\n---\nBody\n" }

// What skills-ref takes and refuses: the cases of its own tests, and others that
// were tried on it (skills-ref 0.1.0 of agentskills/agentskills).
func TestValidator(t *testing.T) {
	const name, description = "name: my-skill", "description: A test skill"
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		what, dir, text string
		line            int
		want            string // in the error; empty for none
	}{
		{"valid", "my-skill", doc(name, description), 0, ""},
		{"all fields", "my-skill", doc(name, description, "license: MIT", "metadata:", "  author: Test"), 0, ""},
		{"allowed-tools", "my-skill", doc(name, description, "allowed-tools: Bash(jq:*) Bash(git:*)"), 0, ""},
		{"a list of allowed-tools", "my-skill", doc(name, description, "allowed-tools:", "- A", "- B"), 0, ""},
		{"compatibility", "my-skill", doc(name, description, "compatibility: Requires Python 3.11+"), 0, ""},
		{"compatibility of nothing", "my-skill", doc(name, description, "compatibility:"), 0, ""},
		{"Chinese", "技能", doc("name: 技能", description), 0, ""},
		{"Russian with hyphen", "мой-навык", doc("name: мой-навык", description), 0, ""},
		{"Russian", "навык", doc("name: навык", description), 0, ""},
		{"decomposed name", "café", doc("name: cafe\u0301", description), 0, ""},
		{"decomposed folder", "cafe\u0301", doc("name: café", description), 0, ""},
		{"null is a name", "null", doc("name: null", "description: ~"), 0, ""},
		{"description of the most characters", "my-skill", doc(name, "description: "+strings.Repeat("é", 1024)), 0, ""},
		{"folded description", "my-skill", doc(name, "description: >", "  a", "  b"), 0, ""},
		{"ends of lines of DOS", "my-skill", strings.ReplaceAll(doc(name, description), "\n", "\r\n"), 0, ""},
		{"fields on the first line", "my-skill", "---name: my-skill\ndescription: x\n---\n", 0, ""},
		{"front matter ends at any ---", "my-skill", doc(name, "description: a --- b"), 0, ""},
		{"metadata that are text", "my-skill", doc(name, description, "metadata: x"), 0, ""},
		{"a comment", "my-skill", doc(name, description, "# why"), 0, ""},
		{"a tab in quotes", "my-skill", doc(name, "description: \"a\tb\""), 0, ""},

		{"upper case", "MySkill", doc("name: MySkill", description), 2, "lower case"},
		{"Russian upper case", "НАВЫК", doc("name: НАВЫК", description), 2, "lower case"},
		{"too long", x(70), doc("name: "+x(70), description), 2, "at most 64"},
		{"leading hyphen", "-my-skill", doc("name: -my-skill", description), 2, "begins or ends with a hyphen"},
		{"trailing hyphen", "my-", doc("name: my-", description), 2, "begins or ends with a hyphen"},
		{"consecutive hyphens", "my--skill", doc("name: my--skill", description), 2, "two hyphens"},
		{"underscore", "my_skill", doc("name: my_skill", description), 2, "letters, digits and hyphens"},
		{"another folder", "wrong-name", doc("name: correct-name", description), 2, "same name"},
		{"unknown field", "my-skill", doc(name, description, "unknown_field: x"), 4, `no field "unknown_field"`},
		{"long description", "my-skill", doc(name, "description: "+x(1100)), 3, "at most 1024"},
		{"long compatibility", "my-skill", doc(name, description, "compatibility: "+x(550)), 4, "at most 500"},
		{"no name", "my-skill", doc(description), 1, "no field name"},
		{"no description", "my-skill", doc(name), 1, "no field description"},
		{"empty description", "my-skill", doc(name, "description:"), 3, "not empty"},
		{"name that is a list", "my-skill", doc("name:", "- my-skill", description), 3, "must be text"},
		{"two names", "my-skill", doc(name, description, name), 4, `"name" is there twice`},
		{"no front matter", "my-skill", "# No frontmatter here", 1, "no front matter"},
		{"byte order mark", "my-skill", "\ufeff" + doc(name, description), 1, "byte order mark"},
		{"no end", "my-skill", "---\nname: my-skill\ndescription: x\n", 1, "no end"},
		{"a list", "my-skill", doc("- just", "- a", "- list"), 1, "must be fields"},
		{"nothing", "my-skill", "---\n---\n", 1, "must be fields"},
		{"wrong YAML", "my-skill", doc("name: [invalid", "description: broken"), 0, "YAML is wrong"},
		{"flow list", "my-skill", doc(name, "description: [a, b]"), 3, "brackets"},
		{"flow mapping", "my-skill", doc(name, description, "metadata: {a: b}"), 4, "brackets"},
		{"anchor", "my-skill", doc("name: &a my-skill", description), 2, "anchors"},
		{"tag", "my-skill", doc("name: !!str my-skill", description), 2, "tags"},
		{"metadata twice", "my-skill", doc(name, description, "metadata:", "  a: 1", "  a: 2"), 6, "twice"},
		{"two documents", "my-skill", doc(name, description, "...", "foo: x"), 0, "YAML is wrong"},
		{"a tab", "my-skill", doc(name, "description: a\tb"), 3, "a tab"},
		{"control character", "my-skill", doc(name, "description: a\u007fb"), 3, "control character"},
		{"not UTF-8", "my-skill", doc(name, "description: \xff"), 0, "UTF-8"},
	} {
		t.Run(c.what, func(t *testing.T) {
			err := Validate(fstest.MapFS{c.dir + "/SKILL.md": {Data: []byte(c.text)}}, c.dir)
			if c.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || c.line > 0 && e.Line != c.line || e.File != c.dir+"/SKILL.md" {
				t.Fatalf("got %v, want line %d and %q", err, c.line, c.want)
			}
		})
	}
}

func TestValidateFolder(t *testing.T) {
	fsys := fstest.MapFS{
		"lower/skill.md":  {Data: []byte(doc("name: lower", "description: x"))},
		"both/skill.md":   {Data: []byte("no front matter")},
		"both/SKILL.md":   {Data: []byte(doc("name: both", "description: x"))},
		"empty/README.md": {Data: []byte("x")},
		"file.txt":        {Data: []byte("x")},
	}
	for dir, want := range map[string]string{
		"lower": "", "both": "", "empty": "no file SKILL.md", "file.txt": "not a folder", "nonexistent": "can't be read",
	} {
		err := Validate(fsys, dir)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", dir, err, want)
		}
	}
}

// Front matter that is made to cost much is refused before it does.
func TestBombs(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("a0: &a0 x\n")
	for i := range 30 {
		before, now := string(rune('a'+i)), string(rune('b'+i))
		aliases.WriteString(now + "0: &" + now + "0 [*" + before + "0, *" + before + "0]\n")
	}
	for name, text := range map[string]string{
		"aliases":  "---\n" + aliases.String() + "---\n",
		"brackets": "---\nname: " + strings.Repeat("[", 50_000) + "\n---\n",
		"levels":   "---\nmetadata:\n" + levels(200) + "\n---\n",
		"lists":    "---\nmetadata:\n  " + strings.Repeat("- ", 20_000) + "x\n---\n",
		"size":     "---\nname: x\ndescription: " + strings.Repeat("x", 100_000) + "\n---\n",
		"keys":     "---\n" + strings.Repeat("? ", 20_000) + "\n---\n",
	} {
		if _, problems := parse([]byte(text), "x"); len(problems) == 0 {
			t.Errorf("%s was taken", name)
		}
	}
}

func levels(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

func TestAllows(t *testing.T) {
	parseOne := func(field string) *Skill {
		s, problems := parse([]byte(doc("name: x", "description: x", field)), "x")
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return s
	}
	text := parseOne("allowed-tools: Bash(git:*), Bash(npm run test:*) Bash(make all) Read WebFetch(domain:x.org) Broken(x")
	list := parseOne("allowed-tools:\n- Bash(git:*)\n- Read")
	for _, c := range []struct {
		s           *Skill
		tool, input string
		want        bool
	}{
		{text, "read", `{"path":"/etc/passwd"}`, true},
		{text, "bash", `{"command":"git status -s"}`, true},
		{text, "bash", `{"command":"git"}`, true},
		{text, "bash", `{"command":"npm run test --all"}`, true},
		{text, "bash", `{"command":"make all"}`, true},
		{text, "bash", `{"command":"make all install"}`, false},
		{text, "bash", `{"command":"gitx"}`, false},
		{text, "bash", `{"command":"rm -rf x"}`, false},
		{text, "bash", `{"command":"git status; rm -rf x"}`, false},
		{text, "bash", `{"command":"git status && rm x"}`, false},
		{text, "bash", `{"command":"git log $(rm x)"}`, false},
		{text, "bash", "{\"command\":\"git log `rm x`\"}", false},
		{text, "bash", `{"command":"git log\nrm x"}`, false},
		{text, "bash", `{"command":"git log > x"}`, false},
		{text, "bash", `{"command":"git log | sh"}`, false},
		{text, "bash", `{"command":"git status","restart":true}`, false},
		{text, "bash", `{"command":"git status"} {"command":"rm"}`, false},
		{text, "bash", `{}`, false},
		{text, "webfetch", `{"url":"https://x.org"}`, false},
		{text, "broken", `{}`, false},
		{text, "write", `{}`, false},
		{list, "bash", `{"command":"git status"}`, true},
		{list, "READ", `{}`, true},
		{parseOne("license: x"), "read", `{}`, false},
	} {
		if got := c.s.Allows(c.tool, []byte(c.input)); got != c.want {
			t.Errorf("%s %s: got %t", c.tool, c.input, got)
		}
	}
}
