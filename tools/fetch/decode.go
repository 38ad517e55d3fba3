package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

var (
	metaTag     = regexp.MustCompile(`(?i)<meta\s[^>]{0,1000}>`)
	metaCharset = regexp.MustCompile(`(?i)charset\s*=\s*["']?\s*([a-z0-9_:.+-]+)`)
	xmlEncoding = regexp.MustCompile(`(?i)^\s*<\?xml\s[^>]{0,200}encoding\s*=\s*["']([a-z0-9_:.+-]+)`)
	jisEscape   = regexp.MustCompile(`\x1b(?:\$[@B]|\(J)`)
	charsetOf   = regexp.MustCompile(`(?i);\s*charset\s*=\s*["']?\s*([a-z0-9_:.+-]+)`)
)

var errCharset = errors.New("the page is in a character encoding that can't be read safely")

// decode turns a body into UTF-8: by its byte order mark, by what the header
// says, by what the page says of itself, or else by what the bytes look like.
func decode(body []byte, contentType string) (string, error) {
	switch {
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return strings.ToValidUTF8(string(body[3:]), "\uFFFD"), nil
	case bytes.HasPrefix(body, []byte("\xff\xfe")), bytes.HasPrefix(body, []byte("\xfe\xff")):
		return decodeBy(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), body)
	}
	label := ""
	if m := charsetOf.FindStringSubmatch(contentType); m != nil {
		label = m[1]
	}
	declared, name := charset.Lookup(label)
	if declared == nil {
		if label = ownCharset(body); label != "" {
			if declared, name = charset.Lookup(label); strings.HasPrefix(name, "utf-16") {
				declared, name = encoding.Nop, "utf-8" // read as bytes up to here, it can't be (HTML standard)
			}
		}
	}
	valid := utf8.Valid(body)
	switch {
	case name == "replacement": // hz-gb-2312, iso-2022-kr and others that browsers refuse, since text can hide in them
		return "", fmt.Errorf("%w (%s)", errCharset, label)
	case name == "utf-8":
		return strings.ToValidUTF8(string(body), "\uFFFD"), nil
	case name == "iso-2022-jp", declared == nil && valid && jisEscape.Match(body):
		return decodeBy(japanese.ISO2022JP, body)
	case declared == nil && utf16By(body) != nil:
		return decodeBy(utf16By(body), body)
	case declared == nil && valid:
		return string(body), nil
	case declared == nil:
		if mostlyUTF8(body) {
			return strings.ToValidUTF8(string(body), "\uFFFD"), nil
		}
		guess, _, _ := charset.DetermineEncoding(body, contentType)
		return decodeBy(guess, body)
	case valid && !strings.HasPrefix(name, "utf-16") && !manyBytes[name]:
		return string(body), nil // no text in one of these is UTF-8 by chance
	case valid && manyBytes[name] && longSequences(body) > 8:
		return string(body), nil
	}
	return decodeBy(declared, body)
}

// manyBytes are encodings in which a short text may be valid UTF-8 by chance.
var manyBytes = map[string]bool{"gbk": true, "gb18030": true, "big5": true, "euc-jp": true, "shift_jis": true, "euc-kr": true}

// longSequences counts the characters of three or four bytes in valid UTF-8.
func longSequences(body []byte) int {
	n := 0
	for _, b := range body {
		if b >= 0xe0 {
			n++
		}
	}
	return n
}

func decodeBy(e encoding.Encoding, body []byte) (string, error) {
	text, err := e.NewDecoder().Bytes(body)
	if err != nil {
		return "", fmt.Errorf("the body's encoding can't be read: %w", err)
	}
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}

// ownCharset is what an HTML or XML page says of its encoding, wherever in its
// head it says so.
func ownCharset(body []byte) string {
	if m := xmlEncoding.FindSubmatch(body[:min(len(body), 1024)]); m != nil {
		return string(m[1])
	}
	head := body[:min(len(body), 256<<10)]
	if end := bytes.Index(bytes.ToLower(head), []byte("<body")); end >= 0 {
		head = head[:end]
	}
	for _, tag := range metaTag.FindAll(head, 200) {
		if m := metaCharset.FindSubmatch(tag); m != nil {
			return string(m[1])
		}
	}
	return ""
}

// mostlyUTF8 reports whether body is UTF-8 but for a few bytes.
func mostlyUTF8(body []byte) bool {
	good, bad := 0, 0
	for len(body) > 0 {
		r, n := utf8.DecodeRune(body)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		body = body[n:]
	}
	return good > 4*bad
}

// utf16By tells UTF-16 without a mark by the zeros between its letters.
func utf16By(body []byte) encoding.Encoding {
	head := body[:min(len(body)&^1, 1024)]
	even, odd := 0, 0
	units := make([]uint16, 0, len(head)/2)
	for i := 0; i+1 < len(head); i += 2 {
		if head[i] == 0 {
			even++
		}
		if head[i+1] == 0 {
			odd++
		}
		units = append(units, uint16(head[i])<<8|uint16(head[i+1]))
	}
	switch {
	case len(units) < 4 || slicesHave(units, 0):
	case even > len(units)/2 && odd == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case odd > len(units)/2 && even == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	}
	return nil
}

func slicesHave(units []uint16, u uint16) bool {
	for _, v := range utf16.Decode(units) {
		if v == rune(u) {
			return true
		}
	}
	return false
}
