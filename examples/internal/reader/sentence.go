package reader

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sentence is a sentence of a paragraph. Its words are those of the file; only
// comment marks and line ends are taken out.
type sentence struct {
	text     string
	from, to int
}

// sentences cuts a paragraph of prose or comment.
func (p *paragraph) sentences() []sentence {
	var out []sentence
	var cur strings.Builder
	start := p.from
	for i, raw := range p.lines {
		line := strings.TrimSpace(raw)
		if p.kind == isComment {
			line = stripComment(raw)
		}
		for line != "" {
			if cur.Len() == 0 {
				start = p.from + i
			} else if !strings.HasSuffix(cur.String(), " ") {
				cur.WriteByte(' ')
			}
			end := sentenceEnd(line)
			if end < 0 {
				cur.WriteString(line)
				break
			}
			cur.WriteString(line[:end])
			out = append(out, sentence{text: strings.TrimSpace(cur.String()), from: start, to: p.from + i})
			cur.Reset()
			line = strings.TrimSpace(line[end:])
		}
	}
	if text := strings.TrimSpace(cur.String()); text != "" {
		out = append(out, sentence{text: text, from: start, to: p.to})
	}
	return out
}

// sentenceEnd returns the index behind the first full stop in line that ends a
// sentence, or -1.
func sentenceEnd(line string) int {
	for i := 0; i < len(line); i++ {
		if c := line[i]; c != '.' && c != '?' && c != '!' {
			continue
		}
		end := i + 1
		for end < len(line) && strings.IndexByte(`)"'`, line[end]) >= 0 {
			end++
		}
		if end == len(line) {
			if !abbreviated(line[:i]) {
				return end
			}
			continue
		}
		if line[end] != ' ' || abbreviated(line[:i]) {
			continue
		}
		next, _ := utf8.DecodeRuneInString(strings.TrimLeft(line[end:], ` ("'[`+"`*"))
		if unicode.IsUpper(next) || unicode.IsDigit(next) {
			return end
		}
	}
	return -1
}

// abbreviated is true if the full stop behind text belongs to an abbreviation.
func abbreviated(text string) bool {
	word := text[strings.LastIndexAny(text, " (")+1:]
	switch strings.ToLower(word) {
	case "e.g", "i.e", "vs", "cf", "etc", "approx", "no", "resp", "al", "incl", "fig", "mr", "dr", "st":
		return true
	}
	if len(word) == 1 && word >= "A" && word <= "Z" {
		return true
	}
	return text == word && strings.Trim(word, "0123456789") == "" // a numbered item
}
