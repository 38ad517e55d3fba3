package mcp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// events is a stream of server-sent events whose messages are repaired. Events
// whose data is no message are passed over: the SDK would end the session.
type events struct {
	body io.ReadCloser
	in   *bufio.Reader
	most int
	*exchanges

	out  bytes.Buffer
	data []byte // of the event that is read
	has  bool   // a data line was read
	long bool
	find idFinder
	err  error
}

func newEvents(body io.ReadCloser, x *exchanges, most int) *events {
	return &events{body: body, in: bufio.NewReaderSize(body, 32<<10), most: most, exchanges: x}
}

// Close implements [io.Closer].
func (e *events) Close() error { return e.body.Close() }

// Read implements [io.Reader].
func (e *events) Read(p []byte) (int, error) {
	for e.out.Len() == 0 && e.err == nil {
		e.err = e.line()
	}
	if e.out.Len() > 0 {
		return e.out.Read(p)
	}
	return 0, e.err
}

// line reads one line. Lines of data are kept until the event is whole; all else
// goes on as it is.
func (e *events) line() error {
	var line []byte
	isData, begun := false, false
	for {
		part, err := e.in.ReadSlice('\n')
		if !begun {
			begun = true
			if isData = bytes.HasPrefix(part, []byte("data")) && (len(part) < 5 || part[4] == ':' || part[4] == '\r' || part[4] == '\n'); isData {
				part = bytes.TrimPrefix(bytes.TrimPrefix(part[4:], []byte(":")), []byte(" "))
				if e.has {
					e.add([]byte("\n"))
				}
				e.has = true
			}
		}
		if isData {
			if err == nil {
				part = bytes.TrimRight(part, "\r\n")
			}
			e.add(part)
		} else if line = append(line, part...); len(line) > e.most {
			return errors.New("a line of the server's stream is too long")
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil: // an event that isn't whole is none
			return err
		case isData:
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			e.event()
		default:
			e.out.Write(line)
		}
		return nil
	}
}

func (e *events) add(data []byte) {
	if !e.long && len(e.data)+len(data) > e.most {
		e.long = true
		e.find.write(e.data)
		e.data = nil
	}
	if e.long {
		e.find.write(data)
	} else {
		e.data = append(e.data, data...)
	}
}

// event writes the event that has been read.
func (e *events) event() {
	var messages [][]byte
	switch {
	case e.long:
		e.log.Warn("mcp: an event of the server is too long and was not read", "bytes_taken", e.most)
		messages = e.tooLong(e.find.id(), e.most)
	case !e.has:
	case len(bytes.TrimSpace(e.data)) == 0:
		messages = [][]byte{nil} // it carries an id or a time to retry
	default:
		if m := e.received(e.data); m != nil {
			messages = [][]byte{m}
		} else {
			e.log.Debug("mcp: an event of the server is no message and was passed over")
		}
	}
	for _, m := range messages {
		e.out.WriteString("data: ")
		e.out.Write(bytes.ReplaceAll(m, []byte("\n"), []byte("\ndata: ")))
		e.out.WriteString("\n\n")
	}
	if len(messages) == 0 {
		e.out.WriteString("\n")
	}
	e.data, e.has, e.long, e.find = nil, false, false, idFinder{}
}
