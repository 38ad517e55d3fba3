package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// unseen finds a character that a terminal obeys or doesn't show.
func unseen(text string) string {
	for _, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) || unicode.Is(unicode.Variation_Selector, r) {
			return fmt.Sprintf("U+%04X", r)
		}
	}
	return ""
}

// hostile is what a text may hold to deceive the user of a terminal.
const hostile = "a\x1b]52;c;aGk=\x07b\x1b[2Jc\u009b1md\u202ee\u200bf\U000E0067g"

// What is asked about is shown as it is, each character and to the end, and nothing
// in it can pass for what the program says.
func TestArgumentsAreShown(t *testing.T) {
	long := strings.Repeat("x", 3*lineWidth) + " rm -rf ~"
	for _, tt := range []struct{ name, input, want string }{
		{"nothing", `{}`, "    without arguments"},
		{"one line", `{"path":"a b","n":3}`, "    path: a b\n    n: 3"},
		{"lines", `{"text":"one\ntwo\n"}`, "    text:\n    │ one\n    │ two"},
		{"a control sequence", `{"a":"x\u001b[2Jy"}`, "    a: x<U+001B>[2Jy"},
		{"an argument's name", `{"a\u001b[2J\n    path":"x"}`, "    a<U+001B>[2J<U+000A>    path: x"},
		{"overwritten", `{"command":"rm -rf ~\rls"}`, "    command: rm -rf ~<U+000D>ls"},
		{"in a value that is no string", `{"a":["\u202e",{"\u001b":"\u200b"}]}`, `    a: ["\u202e",{"\u001b":"\u200b"}]`},
		{"raw in a value that is no string", "{\"a\":[\"\u202e\u009b\"]}", `    a: ["\u202e\u009b"]`},
		{"a long line", `{"c":"` + long + `"}`, "    c:\n    │ " + long[:lineWidth] + "\n    ┊ " + long[:lineWidth] + "\n    ┊ " + long[:lineWidth] + "\n    ┊  rm -rf ~"},
		{"wide characters", `{"c":"` + strings.Repeat("漢", lineWidth) + `"}`, "    c:\n    │ " + strings.Repeat("漢", lineWidth/2) + "\n    ┊ " + strings.Repeat("漢", lineWidth/2)},
		{"a false question", `{"c":"` + strings.Repeat(" ", lineWidth-3) + `  yes, no, edit? yes"}`, "    c:\n    │ " + strings.Repeat(" ", lineWidth-1) + "y\n    ┊ es, no, edit? yes"},
	} {
		if got := strings.Join(argumentLines(tt.input), "\n"); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// A call is decided on when all of it was shown.
func TestLongCallsAreShownWhole(t *testing.T) {
	_, dir, args := folders(t)
	var text, want strings.Builder
	const lines = 2*pageLines + 5
	for i := range lines {
		fmt.Fprintf(&text, `line %d\n`, i)
		fmt.Fprintf(&want, "line %d\n", i)
	}
	edit := `{"path":"plan.md","text":"` + text.String() + `"}`
	// yes and always before the end only show more.
	out := chat(t, args, "write plan.md: buy milk", "edit", edit, "yes", "always", "yes")
	if got := content(filepath.Join(dir, "plan.md")); got != want.String() {
		t.Errorf("plan.md holds %q\n%s", got, out)
	}
	before, _, _ := strings.Cut(out, "wrote ")
	for i := range lines {
		if !strings.Contains(before, fmt.Sprintf("│ line %d\n", i)) {
			t.Errorf("line %d was not shown", i)
		}
	}
	wants(t, out, fmt.Sprintf("%d lines more", lines+2-pageLines), "not all of the call was shown")

	_, dir, args = folders(t)
	out = chat(t, args, "write plan.md: buy milk", "edit", edit, "yes")
	if got := content(filepath.Join(dir, "plan.md")); got != "" {
		t.Errorf("a call that was shown in part has run: %q\n%s", got, out)
	}
}

// Nothing that a model, a tool or the user's own paste holds reaches the terminal as
// more than text.
func TestHostileTexts(t *testing.T) {
	_, dir, args := folders(t)
	write(t, filepath.Join(dir, "notes.txt"), "The demo is on "+hostile+" Friday.\n")
	out := chat(t, args, "write plan.md: "+hostile, "edit", `{"path":"plan.md","text":"`+strings.ReplaceAll(strings.ReplaceAll(hostile, "\x1b", `\u001b`), "\a", `\u0007`)+`"}`, "yes",
		"read plan.md", "read "+hostile, "When is the demo?", "/history", "/sessions", "/resume "+hostile, "/"+hostile)
	if found := unseen(out); found != "" {
		t.Errorf("%s reached the terminal:\n%q", found, out)
	}
	wants(t, out, "<U+001B>]52;c;aGk=", "<U+202E>e<U+200B>f<U+E0067>g")
	if got := content(filepath.Join(dir, "plan.md")); !strings.Contains(got, hostile) {
		t.Errorf("plan.md holds %q", got)
	}
}

// The assistant asks, with choices that have numbers or in free words.
func TestTheAssistantAsks(t *testing.T) {
	_, _, args := folders(t)
	out := chat(t, args, "ask me which seat? window, aisle", "2")
	wants(t, out, "│ which seat?", "1. window", "2. aisle", "You said: aisle")
	_, _, args = folders(t)
	wants(t, chat(t, args, "ask me your name?", "Ann"), "│ your name?", "You said: Ann")
}
