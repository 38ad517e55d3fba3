package textfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// An encoding is how a file writes characters.
type encoding int

const (
	utf8Encoding encoding = iota
	utf16LittleEndian
	utf16BigEndian
	windows1252 // which holds Latin-1 but for its control characters
)

func (e encoding) name() string {
	return [...]string{"", "UTF-16 (little endian)", "UTF-16 (big endian)", "Windows-1252"}[e]
}

// mark is the encoding's byte order mark.
func (e encoding) mark() []byte {
	return [...][]byte{{0xEF, 0xBB, 0xBF}, {0xFF, 0xFE}, {0xFE, 0xFF}, nil}[e]
}

func (e encoding) order() interface {
	binary.ByteOrder
	binary.AppendByteOrder
} {
	if e == utf16LittleEndian {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// plausible reports whether bytes without a byte order mark look like text in
// the encoding.
func (e encoding) plausible(data []byte) bool {
	switch e {
	case utf8Encoding:
		return utf8.Valid(data) && !bytes.ContainsRune(data, 0)
	case windows1252:
		return !slices.ContainsFunc(data, func(b byte) bool {
			switch b {
			case 0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D: // mean nothing
				return true
			}
			return b < ' ' && !slices.Contains([]byte("\t\n\v\f\r\b\x1b"), b)
		})
	}
	// Western text has a NUL in the upper half of nearly every unit, and none below.
	upper, lower := 1, 0
	if e == utf16BigEndian {
		upper, lower = 0, 1
	}
	nuls := 0
	for i := 0; i+1 < len(data); i += 2 {
		if data[i+lower] == 0 || data[i+upper] == 0 && data[i+lower] < ' ' && !slices.Contains([]byte("\t\n\f\r"), data[i+lower]) {
			return false
		}
		if data[i+upper] == 0 {
			nuls++
		}
	}
	return len(data)%2 == 0 && len(data) >= 4 && nuls*10 >= len(data)/2*7
}

// decode is false if encode would not give back the same bytes.
func (e encoding) decode(data []byte) (string, bool) {
	switch e {
	case utf8Encoding:
		return string(data), utf8.Valid(data) && !bytes.ContainsRune(data, 0)
	case windows1252:
		text, err := charmap.Windows1252.NewDecoder().Bytes(data)
		return string(text), err == nil
	}
	if len(data)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = e.order().Uint16(data[2*i:])
	}
	text := string(utf16.Decode(units))
	back, err := e.encode(text)
	return text, err == nil && bytes.Equal(back, data) && !strings.ContainsRune(text, 0)
}

func (e encoding) encode(text string) ([]byte, error) {
	switch e {
	case utf8Encoding:
		return []byte(text), nil
	case windows1252:
		data := make([]byte, 0, len(text))
		for _, r := range text {
			b, ok := charmap.Windows1252.EncodeRune(r)
			if !ok {
				return nil, fmt.Errorf("the file is in %s, which has no %q", e.name(), r)
			}
			data = append(data, b)
		}
		return data, nil
	}
	data := make([]byte, 0, 2*len(text))
	for _, u := range utf16.Encode([]rune(text)) {
		data = e.order().AppendUint16(data, u)
	}
	return data, nil
}

// has reports whether the encoding has every character of text.
func (e encoding) has(text string) bool {
	_, err := e.encode(text)
	return err == nil
}
