package skills

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
)

// An allowed is an entry of allowed-tools: Read, Bash, Bash(git:*).
type allowed struct {
	tool    string
	pattern string // what stands in parentheses
	narrow  bool   // there are parentheses
}

// newAllowed reads an entry. One that can't be read is no entry.
func newAllowed(entry string) allowed {
	tool, rest, narrow := strings.Cut(entry, "(")
	pattern, closed := strings.CutSuffix(rest, ")")
	if narrow && !closed || strings.ContainsFunc(tool, unicode.IsSpace) {
		return allowed{}
	}
	return allowed{tool, pattern, narrow}
}

// splitAllowed splits at spaces and commas outside of parentheses.
func splitAllowed(text string) []string {
	open := 0
	return strings.FieldsFunc(text, func(r rune) bool {
		switch r {
		case '(':
			open++
		case ')':
			open--
		}
		return open <= 0 && (r == ',' || unicode.IsSpace(r))
	})
}

// Allows reports whether the skill's allowed-tools allows a call of a tool with the
// arguments input, a JSON object. It ignores the case of the tool's name.
//
// Read allows every call of the tool read. Bash(git:*) allows the calls of bash whose
// only argument is a command that is git, with or without arguments. Bash(git status)
// allows exactly that command. Neither allows a command with characters that a shell
// doesn't read as plain words, such as ; | & $ > or a line break. Patterns for other
// tools are not supported, and allow nothing.
//
// Like every rule over the text of a command, this guards against a model's mistakes,
// not against an attacker: git itself can run programs.
func (s *Skill) Allows(tool string, input json.RawMessage) bool {
	for _, a := range s.allowed {
		if strings.EqualFold(a.tool, tool) && (!a.narrow || strings.EqualFold(a.tool, "bash") && a.allowsCommand(input)) {
			return true
		}
	}
	return false
}

func (a allowed) allowsCommand(input json.RawMessage) bool {
	var in struct {
		Command string `json:"command"`
	}
	dec := json.NewDecoder(bytes.NewReader(input))
	dec.DisallowUnknownFields()
	if !json.Valid(input) || dec.Decode(&in) != nil || strings.ContainsFunc(in.Command, special) {
		return false
	}
	command := strings.TrimSpace(in.Command)
	if prefix, ok := strings.CutSuffix(a.pattern, ":*"); ok {
		return prefix != "" && (command == prefix || strings.HasPrefix(command, prefix+" "))
	}
	return command != "" && command == a.pattern
}

// special reports whether a shell may read a character otherwise than as part of
// a plain word.
func special(r rune) bool {
	if r == ' ' || unicode.IsLetter(r) || unicode.IsDigit(r) {
		return false
	}
	return !strings.ContainsRune("-_./:=,+@%'\"", r)
}
