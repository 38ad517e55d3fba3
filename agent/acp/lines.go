package acp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"

	sdk "github.com/coder/acp-go-sdk"
)

// maxLine is the most bytes of a line, a little less than what ends the SDK's connection.
const maxLine = 10<<20 - 1024

// A lineReader gives the connection the lines of an editor that are messages. The SDK
// drops the others, and ends at one that is too long; here they are answered.
type lineReader struct {
	s     *server
	in    *bufio.Reader
	out   *lineWriter
	ready <-chan struct{} // closed once the connection, which reads as it is made, is set up
	rest  []byte
	err   error
}

// Read implements io.Reader.
func (r *lineReader) Read(p []byte) (int, error) {
	<-r.ready
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.rest = r.next()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next is the next line that is a message; nil if it was none.
func (r *lineReader) next() []byte {
	var line []byte
	long := false
	for more := true; more; {
		part, err := r.in.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		if more = err == bufio.ErrBufferFull; !more {
			r.err = err
		}
	}
	line = bytes.TrimSpace(line)
	switch {
	case long:
		r.out.refuse(codeInvalidRequest, bad("a line has more than %d bytes, and was left out; send a smaller picture or file", maxLine))
	case len(line) == 0:
	case !json.Valid(line):
		r.out.refuse(codeParse, bad("a line is no JSON, and was left out"))
	default:
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		if err := json.Unmarshal(line, &m); err != nil || m.Method == "" && m.ID == nil {
			r.out.refuse(codeInvalidRequest, bad("a line is no message of JSON-RPC, and was left out"))
			return nil
		}
		switch {
		case m.Method == sdk.AgentMethodSessionPrompt && m.ID != nil:
			r.s.comes(sessionOf(m.Params))
		case m.Method == sdk.AgentMethodSessionCancel:
			r.s.cancelled(sessionOf(m.Params))
		}
		return append(line, '\n')
	}
	return nil
}

// A lineWriter writes whole lines, from several goroutines.
type lineWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

// refuse answers a line that has no id that could be read.
func (w *lineWriter) refuse(code int, p *Problem) {
	line, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": nil, "error": sdk.RequestError{Code: code, Message: "The line can't be read. " + p.Detail, Data: p},
	})
	if err == nil {
		_, _ = w.Write(append(line, '\n'))
	}
}

func sessionOf(params json.RawMessage) string {
	var p struct {
		SessionID string `json:"sessionId"`
	}
	_ = json.Unmarshal(params, &p) // prompts that can't be read are refused later
	return p.SessionID
}

// comes says that a prompt for a session was read. It is taken up by a goroutine of its
// own, so a cancel that was sent behind it may be read before it has begun.
func (s *server) comes(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming[id]++
}

// answered says that a prompt for a session was dealt with.
func (s *server) answered(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.coming[id]--; s.coming[id] <= 0 {
		delete(s.coming, id)
	}
	if s.early[id] = min(s.early[id], s.coming[id]); s.early[id] == 0 {
		delete(s.early, id)
	}
}

// cancelled says that a cancel for a session was read: it ends the turn that goes on,
// and all that were read before it and have not begun.
func (s *server) cancelled(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.coming[id]
	if v := s.sessions[id]; v != nil && v.stop != nil {
		v.stop(context.Canceled)
		n--
	}
	if n > 0 {
		s.early[id] = n
	}
}

// wasCancelled reports whether a cancel was read before a session's prompt has begun.
func (s *server) wasCancelled(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.early[id] == 0 {
		return false
	}
	s.early[id]--
	return true
}
