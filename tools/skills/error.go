package skills

import "fmt"

// An Error says what is wrong with a skill, and how to fix it.
type Error struct {
	File    string // the path of the SKILL.md, or of the file or folder that is wrong
	Line    int    // counted from 1; 0 if no line is meant
	Problem string // what is wrong, and what to do
}

// Error gives the place and the problem.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return e.File + ": " + e.Problem
}
