package script

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/whorl-go/whorl/tools"
)

// explain says where a program failed and why, for the model to fix.
func (p *program) explain(err error) string {
	var at syntax.Position
	why := err.Error()
	var parse syntax.Error
	var names resolve.ErrorList
	var eval *starlark.EvalError
	switch {
	case errors.As(err, &parse):
		at, why = parse.Pos, parse.Msg
	case errors.As(err, &names) && len(names) > 0:
		at, why = names[0].Pos, names[0].Msg+p.nearest(names[0].Msg)
	case errors.As(err, &eval):
		for _, f := range eval.CallStack {
			if f.Pos.Filename() == fileName {
				at = f.Pos
			}
		}
		why = strings.TrimPrefix(eval.Msg, "Starlark computation cancelled: ")
		var parted *tools.DivergedError
		if errors.As(err, &parted) {
			why = "the program took another way than before it was interrupted, which is refused: " + parted.Error()
		}
	}
	if !at.IsValid() {
		return why
	}
	lines := strings.Split(p.source, "\n")
	line := ""
	if n := int(at.Line); n >= 1 && n <= len(lines) {
		line = strings.TrimSpace(lines[n-1])
	}
	if eval == nil {
		if hint := p.hints(line); !strings.Contains(why, hint) {
			why += hint
		}
	}
	text := fmt.Sprintf("line %d, column %d: %s", at.Line, at.Col, why)
	if line != "" {
		if runes := []rune(line); len(runes) > 200 {
			line = string(runes[:199]) + "…"
		}
		text += "\n  " + line
	}
	return text
}

// nearest names a tool that an undefined name may have meant.
func (p *program) nearest(msg string) string {
	name, ok := strings.CutPrefix(msg, "undefined: ")
	if !ok || strings.Contains(name, "did you mean") {
		return ""
	}
	for _, h := range pythonHints {
		if h.word == name {
			return "; " + h.hint
		}
	}
	var list []string
	for _, f := range p.tool.inner {
		list = append(list, f.name)
	}
	if len(list) > 50 {
		return "; help() prints the names of the tools"
	}
	return "; the tools are: " + strings.Join(list, ", ")
}

// words are the names and keywords of a line.
func words(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// pythonHints say what to write in place of what Python has and the language hasn't.
var pythonHints = []struct {
	word string
	sign bool // it may stand within a word
	hint string
}{
	{"import", false, "nothing can be imported; json and math are there"},
	{"try", false, "there is no try; attempt(tool, …) returns the error of a call"},
	{"except", false, "there is no except; attempt(tool, …) returns the error of a call"},
	{"raise", false, `there is no raise; fail("why") ends the program`},
	{"class", false, "there are no classes; use dicts and functions"},
	{"with", false, "there is no with"},
	{"is", false, "there is no is; compare with =="},
	{"del", false, "there is no del; use pop"},
	{"yield", false, "there is no yield; return a list"},
	{"async", false, "there is no async; gather([call(tool, …), …]) makes calls beside each other"},
	{"await", false, "there is no await; gather([call(tool, …), …]) makes calls beside each other"},
	{"global", false, "there is no global; return the value, or keep it in a dict"},
	{"sum", false, "there is no sum; add in a loop"},
	{"map", false, "there is no map; use a comprehension"},
	{"filter", false, "there is no filter; use a comprehension"},
	{"isinstance", false, `there is no isinstance; type(x) == "string" tells a type`},
	{"round", false, "there is no round; use math.round"},
	{"**", true, "there is no **; use math.pow or a loop"},
	{`f"`, true, `there are no f-strings; use "%s" % x, or "{}".format(x)`},
	{"f'", true, `there are no f-strings; use "%s" % x, or "{}".format(x)`},
}
