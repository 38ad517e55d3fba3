package skills

import "fmt"

// An Error reports a problem of a skill, and how to fix it.
type Error struct {
	File    string // path of the SKILL.md, or of the file or folder with the problem
	Line    int    // counted from 1; 0 if the problem is not in a line
	Problem string // what is wrong, and how to fix it
}

// Error returns the position and the problem.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return e.File + ": " + e.Problem
}
