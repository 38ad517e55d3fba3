package simulator

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
)

// A pdf is what the checks need to know of a PDF. It is read by its marks alone:
// no cross-references are followed.
type pdf struct {
	pages  int // at least 1
	valid  bool
	locked bool // encrypted
}

var (
	pageObject   = regexp.MustCompile(`/Type\s*/Page[^s\w]`)
	objectStream = regexp.MustCompile(`/Type\s*/ObjStm`)
	streamStart  = regexp.MustCompile(`stream\r?\n`)
	encryption   = regexp.MustCompile(`/Encrypt\s*(\d+\s+\d+\s+R|<<)`)
)

// maxInflated bounds what is unpacked of the object streams of one PDF.
const maxInflated = 64 << 20

// readPDF looks at a PDF: it begins with its mark within the first kilobyte and
// ends with one within the last, which a file that was cut off lacks. The page
// objects may be packed into object streams (PDF 1.5 and later).
func readPDF(raw []byte) pdf {
	const near = 1024
	p := pdf{
		valid: bytes.Contains(raw[:min(near, len(raw))], []byte("%PDF-")) &&
			bytes.Contains(raw[max(0, len(raw)-near):], []byte("%%EOF")),
		locked: encryption.Match(raw),
		pages:  len(pageObject.FindAllIndex(raw, -1)),
	}
	left := int64(maxInflated)
	for _, at := range objectStream.FindAllIndex(raw, -1) {
		rest := raw[at[1]:]
		start := streamStart.FindIndex(rest)
		if start == nil || p.locked {
			break
		}
		unpacked, err := zlib.NewReader(bytes.NewReader(rest[start[1]:]))
		if err != nil {
			continue // packed in a way of its own
		}
		objects, _ := io.ReadAll(io.LimitReader(unpacked, left)) // as far as it goes
		left -= int64(len(objects))
		p.pages += len(pageObject.FindAllIndex(append(objects, ' '), -1))
	}
	p.pages = max(1, p.pages)
	return p
}
