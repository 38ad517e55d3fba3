package skills

import (
	"strings"
	"testing"
)

// TestNames holds what is wrong with each name.
func TestNames(t *testing.T) {
	long := strings.Repeat("é", maxName)
	for _, tt := range []struct{ name, dir, want string }{
		{"pdf-forms2", "pdf-forms2", ""},
		{long, long, ""},
		{long + "x", long + "x", "characters; at most"},
		{"Pdf", "Pdf", "upper-case"},
		{"-pdf", "-pdf", "begins or ends"},
		{"pdf-", "pdf-", "begins or ends"},
		{"a--b", "a--b", "two hyphens"},
		{"a_b", "a_b", "other characters"},
		{"a b", "a b", "other characters"},
		{"a/b", "a/b", "other characters"},
		{"a", "b", `the name is "a", and the folder is "b"`},
		{"\u00e9", "e\u0301", ""}, // a folder may be written in another form
	} {
		got := checkName(tt.name, tt.dir)
		if tt.want == "" && len(got) != 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%q in %q: %q, want %q", tt.name, tt.dir, got, tt.want)
		}
	}
	if got := normal(" e\u0301\n"); got != "\u00e9" {
		t.Errorf("a name in another form is %q", got)
	}
}
