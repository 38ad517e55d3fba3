package transport

import (
	"bytes"
	"fmt"
	"io"
)

// maxLine is the longest line of a stream that is read, in bytes. A request may
// have 32 MB, so what a response quotes of it fits twice.
const maxLine = 64 << 20

// An sseReader reads server-sent events as the HTML standard defines them
// (section 9.2.6): lines end in LF, CR or CRLF, a leading byte order mark and
// comments are skipped, several data lines make one event. It goes beyond the
// standard in one point: an event that the end of the stream cuts off from its
// empty line is returned all the same, as proxies drop that line.
//
// Reading an event allocates nothing once the buffer is large enough for it.
type sseReader struct {
	src io.Reader
	err error // of src; returned when the buffer is used up

	buf     []byte // what has been read: buf[pos:] is not used yet
	pos     int
	scanned int // buf[pos:scanned] has no end of line
	started bool
	cr      bool // there is a CR in what was read
	skipLF  bool // the line ended in CR: an LF that follows belongs to it

	// The event that is being collected.
	name             []byte
	dataFrom, dataTo int // the data stands in buf
	hasData          bool
}

const sseBuffer = 4 << 10

// reset prepares the reader for another stream and keeps its buffers.
func (r *sseReader) reset(src io.Reader) {
	if cap(r.buf) == 0 || cap(r.buf) > 64<<10 {
		r.buf = make([]byte, 0, sseBuffer)
	}
	*r = sseReader{src: src, buf: r.buf[:0], name: r.name[:0]}
}

// next returns the name and the data of the next event that has data. They are
// valid until next is called again. At the end of the stream the error is io.EOF.
func (r *sseReader) next() (name, data []byte, err error) {
	r.name, r.hasData = r.name[:0], false
	for {
		line, err := r.line()
		if err != nil {
			if err == io.EOF && r.hasData {
				return r.event()
			}
			return nil, nil, err
		}
		if len(line) > 0 {
			r.field(line)
			continue
		}
		if r.hasData && r.dataTo > r.dataFrom {
			return r.event()
		}
		r.name, r.hasData = r.name[:0], false
	}
}

func (r *sseReader) event() (name, data []byte, err error) {
	r.hasData = false
	return r.name, r.buf[r.dataFrom:r.dataTo:r.dataTo], nil
}

// field takes in one line that is not empty. Lines of data are gathered in the
// buffer itself: the first stays where it is, others are moved up behind it.
func (r *sseReader) field(line []byte) {
	key, value, found := bytes.Cut(line, []byte{':'})
	if found && len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(key) {
	case "event":
		r.name = append(r.name[:0], value...)
	case "data":
		if !r.hasData {
			r.hasData = true
			r.dataTo = r.lineEnd(line)
			r.dataFrom = r.dataTo - len(value)
			return
		}
		r.buf[r.dataTo] = '\n'
		r.dataTo += 1 + copy(r.buf[r.dataTo+1:], value)
	}
}

// lineEnd is the index in buf behind line, the one that was read last.
func (r *sseReader) lineEnd(line []byte) int { return cap(r.buf) - cap(line) + len(line) }

// line returns the next line without its end. An unfinished line at the end of
// the stream counts as one.
func (r *sseReader) line() ([]byte, error) {
	for {
		if r.skipLF && r.pos < len(r.buf) {
			r.skipLF = false
			if r.buf[r.pos] == '\n' {
				r.pos++
				r.scanned = max(r.scanned, r.pos)
			}
		}
		if i := r.indexEOL(r.buf[r.scanned:]); i >= 0 {
			end := r.scanned + i
			line := r.buf[r.pos:end]
			r.skipLF = r.buf[end] == '\r'
			r.pos = end + 1
			r.scanned = r.pos
			return line, nil
		}
		r.scanned = len(r.buf)
		if r.err == nil {
			r.err = r.fill()
			continue
		}
		if r.pos < len(r.buf) && r.err == io.EOF {
			line := r.buf[r.pos:]
			r.pos = len(r.buf)
			return line, nil
		}
		return nil, r.err
	}
}

// indexEOL is the index of the first CR or LF, or -1. Where there are CRs it looks at a
// piece at a time, so that a buffer full of lines that end in CR isn't searched for LF once
// per line.
func (r *sseReader) indexEOL(b []byte) int {
	if !r.cr {
		return bytes.IndexByte(b, '\n')
	}
	const piece = 4 << 10
	for from := 0; from < len(b); from += piece {
		part := b[from:min(from+piece, len(b))]
		eol := bytes.IndexByte(part, '\n')
		if eol >= 0 {
			part = part[:eol]
		}
		if cr := bytes.IndexByte(part, '\r'); cr >= 0 {
			eol = cr
		}
		if eol >= 0 {
			return from + eol
		}
	}
	return -1
}

// fill reads more. To make room it moves what is still needed, the data of the
// event and the line that has begun, to the front of the buffer, or doubles it.
func (r *sseReader) fill() error {
	if r.pos == len(r.buf) && !r.hasData {
		r.buf, r.pos, r.scanned = r.buf[:0], 0, 0
	}
	if len(r.buf) == cap(r.buf) {
		keep := r.pos
		if r.hasData {
			keep = r.dataFrom
		}
		if len(r.buf)-keep > maxLine {
			return fmt.Errorf("an event of more than %d MB", maxLine>>20)
		}
		dst := r.buf[:0]
		if len(r.buf)-keep > cap(r.buf)/2 {
			dst = make([]byte, 0, 2*cap(r.buf))
		}
		r.buf = append(dst, r.buf[keep:]...)
		r.pos -= keep
		r.scanned -= keep
		r.dataFrom -= keep
		r.dataTo -= keep
	}
	for range 100 {
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.cr = r.cr || bytes.IndexByte(r.buf[len(r.buf):len(r.buf)+n], '\r') >= 0
		r.buf = r.buf[:len(r.buf)+n]
		if !r.started && (len(r.buf) >= 3 || err != nil) {
			r.started = true
			if bytes.HasPrefix(r.buf, []byte("\xef\xbb\xbf")) {
				r.pos, r.scanned = 3, 3
			}
		}
		if err != nil {
			return err
		}
		if n > 0 && r.started {
			return nil
		}
	}
	return io.ErrNoProgress
}
