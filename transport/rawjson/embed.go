package rawjson

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// A Payload is data that JSON text has as base64, and the string that stands for it
// where the text doesn't have it.
type Payload struct {
	// Name is the string. It must begin with a letter, so that the text has it in
	// quotes in a string only, and have nothing that is escaped in JSON.
	Name string
	Data []byte
	// Places is how often [Embed] has found the name; it adds to it.
	Places int
}

// Embed returns text with the base64 of payloads in the place of their names. It returns
// text itself if it has none of them. Valid JSON stays valid: the result needs no check.
func Embed(text []byte, payloads []Payload) []byte {
	type place struct{ at, which int }
	var room [8]place
	places, size := room[:0], len(text)
	for which := range payloads {
		p := &payloads[which]
		if !plainName(p.Name) {
			continue
		}
		for at := 0; ; at += len(p.Name) {
			n := bytes.Index(text[at:], []byte(p.Name))
			if n < 0 {
				break
			}
			at += n
			if at == 0 || text[at-1] != '"' || at+len(p.Name) >= len(text) || text[at+len(p.Name)] != '"' {
				continue
			}
			places = append(places, place{at, which})
			p.Places++
			size += base64.StdEncoding.EncodedLen(len(p.Data)) - len(p.Name)
		}
	}
	if len(places) == 0 {
		return text
	}
	slices.SortFunc(places, func(a, b place) int { return a.at - b.at })
	out := make([]byte, 0, size)
	done := 0
	for _, p := range places {
		if p.at < done { // two payloads of one name
			continue
		}
		out = append(out, text[done:p.at]...)
		out = base64.StdEncoding.AppendEncode(out, payloads[p.which].Data)
		done = p.at + len(payloads[p.which].Name)
	}
	return append(out, text[done:]...)
}

func plainName(s string) bool {
	if s == "" || (s[0]|' ') < 'a' || (s[0]|' ') > 'z' {
		return false
	}
	return plainASCII(s, 0) == len(s)
}
