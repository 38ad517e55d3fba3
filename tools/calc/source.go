package calc

import (
	"errors"
	"fmt"
	"regexp"
	"unicode"
)

// A source is an expression made ready for expr's parser, which reads some
// spellings otherwise than whoever writes them means: it takes // for a comment
// and refuses integers of more than 64 bits. No position changes, so that a node
// of the tree is found in what was written.
type source struct {
	written []rune         // the expression as it came
	ready   []rune         // what the parser reads
	floors  map[int]bool   // positions of operators // in ready, where / stands
	long    map[int]string // integers that stand as 1 in ready, by position
}

// spellings of operators that are not ASCII.
var spellings = map[rune]rune{'×': '*', '·': '*', '÷': '/', '−': '-', '≤': 0, '≥': 0, '≠': 0}

var (
	leadingZero = regexp.MustCompile(`^0[0-9_]`)
	bareDate    = regexp.MustCompile(`^[12][0-9]{3}-[0-9]{2}-[0-9]{2}\b`)
)

var (
	errComment = errors.New("comments are not supported; give the expression alone")
	errPercent = errors.New("% is the remainder of a division, and a sign follows it; for per cent write / 100, and put a number with a sign in brackets")
)

// prepare reads an expression up to what the parser would misread.
func prepare(expression string) (*source, error) {
	written := []rune(expression)
	s := &source{written: written, ready: append([]rune(nil), written...), floors: map[int]bool{}, long: map[int]string{}}
	for i := 0; i < len(written); {
		switch r := written[i]; {
		case r == '"', r == '\'', r == '`':
			i = endOfText(written, i)
		case isLetter(r):
			for i < len(written) && (isLetter(written[i]) || unicode.IsDigit(written[i])) {
				i++
			}
		case r >= '0' && r <= '9', r == '.' && isDigit(at(written, i+1)):
			end, err := s.number(i)
			if err != nil {
				return nil, err
			}
			i = end
		case r == '/' && at(written, i+1) == '*':
			return nil, errComment
		case r == '/' && at(written, i+1) == '/':
			s.floors[i] = true
			s.ready[i+1] = ' '
			i += 2
		case r == '%' && signFollows(written, i+1):
			return nil, errPercent
		default:
			if ascii, ok := spellings[r]; ok && ascii != 0 {
				s.ready[i] = ascii
			} else if ok {
				return nil, fmt.Errorf("%c is not supported; write <=, >= or !=", r)
			}
			i++
		}
	}
	return s, nil
}

// number reads the number that starts at i and returns where it ends.
func (s *source) number(i int) (int, error) {
	w, start := s.written, i
	if rest := string(w[i:min(i+11, len(w))]); bareDate.MatchString(rest) {
		return 0, fmt.Errorf("%s is a subtraction; write a date as date(%q), or put spaces around the minus signs", rest[:10], rest[:10])
	} else if leadingZero.MatchString(rest) {
		return 0, fmt.Errorf("%s: a whole number doesn't start with 0; write it without, and without commas between its digits", brief(string(w[i:digits(w, i)])))
	}
	if w[i] == '0' && unicode.IsLetter(at(w, i+1)) && at(w, i+1) != 'e' && at(w, i+1) != 'E' {
		for i++; i < len(w) && (isLetter(w[i]) || isDigit(w[i])); i++ {
		}
		return i, nil // of base 2, 8 or 16
	}
	i = digits(w, i)
	whole := i
	if at(w, i) == '.' && at(w, i+1) != '.' {
		i = digits(w, i+1)
	}
	if r := at(w, i); r == 'e' || r == 'E' {
		exponent := i + 1
		if sign := at(w, exponent); sign == '+' || sign == '-' {
			exponent++
		}
		if isDigit(at(w, exponent)) {
			i = digits(w, exponent)
		}
	}
	if i == whole && i-start >= 19 {
		s.long[start] = string(w[start:i])
		s.ready[start] = '1'
		for at := start + 1; at < i; at++ {
			s.ready[at] = ' '
		}
	}
	return i, nil
}

// literal is the text of a number of the tree.
func (s *source) literal(from, to int) string {
	if text, ok := s.long[from]; ok {
		return text
	}
	return string(s.ready[from:to])
}

// endOfText is where the text in quotes that starts at i ends. The parser
// complains where it doesn't end.
func endOfText(w []rune, i int) int {
	quote := w[i]
	for i++; i < len(w); i++ {
		switch {
		case w[i] == '\\' && quote != '`':
			i++
		case w[i] == quote:
			return i + 1
		}
	}
	return len(w)
}

func signFollows(w []rune, i int) bool {
	for ; i < len(w) && unicode.IsSpace(w[i]); i++ {
	}
	r := at(w, i)
	return r == '+' || r == '-' || r == '−'
}

// digits is where the digits end that start at i.
func digits(w []rune, i int) int {
	for i < len(w) && (isDigit(w[i]) || w[i] == '_') {
		i++
	}
	return i
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isLetter(r rune) bool { return r == '_' || r == '$' || unicode.IsLetter(r) }

// at is the rune at i, or 0 behind the end.
func at(w []rune, i int) rune {
	if i < len(w) {
		return w[i]
	}
	return 0
}
