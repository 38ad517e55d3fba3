package mcp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// process is the transport to a program, over its standard input and output. The
// SDK's own ends the session at the first line that is no message.
type process struct {
	cmd      *exec.Cmd
	patience time.Duration // how long it may take to end; 0 means 5 s
	most     int           // bytes of a line
	*exchanges
}

// Connect starts the program.
func (p *process) Connect(context.Context) (sdk.Connection, error) {
	switch {
	case p.cmd == nil:
		return nil, errors.New("the function that makes the command returned nil; return a new exec.Cmd each time")
	case p.cmd.Process != nil: // a second connection
		return nil, errors.New("the function that makes the command returned one that was started before; return a new exec.Cmd each time")
	}
	out, outWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	inReader, in, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, out.Close(), outWriter.Close())
	}
	p.cmd.Stdin, p.cmd.Stdout = inReader, outWriter
	if p.cmd.WaitDelay == 0 {
		p.cmd.WaitDelay = 2 * time.Second // for what the program leaves behind with its standard error open
	}
	err = p.cmd.Start()
	inReader.Close()
	outWriter.Close()
	if err != nil {
		return nil, errors.Join(err, out.Close(), in.Close())
	}
	if p.patience <= 0 {
		p.patience = 5 * time.Second
	}
	c := &processConn{process: p, in: in, out: out, lines: bufio.NewReaderSize(out, 64<<10), writing: make(chan struct{}, 1), exited: make(chan struct{})}
	go func() {
		c.exit = p.cmd.Wait()
		close(c.exited)
		// What it wrote last can still be read. What it has started may hold the pipe
		// open, and that is not the server.
		_ = out.SetReadDeadline(time.Now().Add(time.Second))
	}()
	return c, nil
}

type processConn struct {
	*process
	in, out *os.File
	lines   *bufio.Reader
	queue   [][]byte // messages that were read together
	noise   int      // lines that were passed over

	writing chan struct{} // holds a token while somebody writes
	exited  chan struct{}
	exit    error // of the program, once exited is closed

	closing  sync.Once
	closeErr error
}

// A lostError says that the connection to the program is gone.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// SessionID implements [sdk.Connection].
func (c *processConn) SessionID() string { return "" }

// Read implements [sdk.Connection].
func (c *processConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	for {
		for len(c.queue) > 0 {
			raw := c.queue[0]
			c.queue = c.queue[1:]
			if m, err := jsonrpc.DecodeMessage(raw); err == nil {
				return m, nil
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, id, long, err := c.line()
		switch {
		case long:
			c.log.Warn("mcp: a line of the server is too long and was not read", "bytes_taken", c.most)
			c.queue = c.tooLong(id, c.most)
		case len(line) > 0:
			c.queue = c.messages(line)
		}
		if err != nil && len(c.queue) == 0 {
			return nil, &lostError{c.ending()}
		}
	}
}

// ending says how the program has ended.
func (c *processConn) ending() error {
	select {
	case <-c.exited:
	case <-time.After(time.Second):
		return fmt.Errorf("the server has closed its standard output: %w", io.EOF)
	}
	if c.exit == nil {
		return fmt.Errorf("the server's program has ended: %w", io.EOF)
	}
	return fmt.Errorf("the server's program has ended: %w; set Stderr of its exec.Cmd to see what it says", c.exit)
}

// line reads one line. Of one that is too long it reads over the whole, and
// returns the id of the message.
func (c *processConn) line() (line []byte, id string, long bool, err error) {
	var find idFinder
	for {
		part, err := c.lines.ReadSlice('\n')
		if !long && len(line)+len(part) > c.most {
			long = true
			find.write(line)
			line = nil
		}
		if long {
			find.write(part)
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, find.id(), long, err
		}
	}
}

// messages are those of a line: one, or those of a batch, or the one that stands
// behind something else. A line without a message is noise.
func (c *processConn) messages(line []byte) [][]byte {
	line = rawjson.Trim(bytes.TrimPrefix(line, []byte("\ufeff")))
	if len(line) == 0 {
		return nil
	}
	if m := c.received(line); m != nil {
		return [][]byte{m}
	}
	if line[0] == '[' && rawjson.Valid(line) {
		var all [][]byte
		for one := range rawjson.Elements(line) {
			if m := c.received(one); m != nil {
				all = append(all, m)
			}
		}
		if len(all) > 0 {
			return all
		}
	} else if !rawjson.Valid(line) {
		for _, start := range []string{`{"jsonrpc"`, `{"id"`, `{"result"`, `{"error"`, `{"method"`} {
			if i := bytes.Index(line, []byte(start)); i > 0 {
				if m := c.received(line[i:]); m != nil {
					c.log.Debug("mcp: something stands in front of a message of the server", "text", runes.Cut(string(line[:i]), 200))
					return [][]byte{m}
				}
			}
		}
	}
	if c.noise++; c.noise <= 20 {
		c.log.Debug("mcp: a line of the server is no message and was passed over", "line", runes.Cut(string(line), 200))
	}
	return nil
}

// Write implements [sdk.Connection].
func (c *processConn) Write(ctx context.Context, m jsonrpc.Message) error {
	raw, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.exited:
		return &lostError{c.ending()}
	default:
	}
	s := c.sends(ctx, raw)
	// A program that doesn't read would hold the call for ever.
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.in.SetWriteDeadline(time.Now())
		close(ended)
	})
	n, err := c.in.Write(append(raw, '\n'))
	if !stop() {
		<-ended // or it would end the next message
		_ = c.in.SetWriteDeadline(time.Time{})
	}
	if n > 0 {
		s.sent.Store(true)
	}
	switch {
	case err == nil:
		return nil
	case n == 0 && ctx.Err() != nil:
		return ctx.Err()
	}
	_ = c.in.Close() // half a message is no message: nothing can follow it
	return &lostError{fmt.Errorf("the server's program can't be written to: %w", err)}
}

// Close ends the program: its standard input ends first, then it is told to end,
// then it is killed.
func (c *processConn) Close() error {
	c.closing.Do(func() {
		_ = c.in.Close()
		defer c.out.Close()
		if c.ends() {
			c.closeErr = c.exit
			return
		}
		if c.cmd.Process.Signal(syscall.SIGTERM) == nil && c.ends() {
			return
		}
		_ = c.cmd.Process.Kill()
		<-c.exited
	})
	return c.closeErr
}

// ends waits for the end of the program.
func (c *processConn) ends() bool {
	select {
	case <-c.exited:
		return true
	case <-time.After(c.patience):
		return false
	}
}

// An idFinder finds the "id" of a JSON object that is too long to be kept.
type idFinder struct {
	depth           int
	quoted, escaped bool
	text            []byte // of the string or scalar that is read at the top
	key             string // the last string at the top
	value           bool   // a colon has followed it
	found           string
}

func (f *idFinder) id() string { return f.found }

func (f *idFinder) write(p []byte) {
	for _, b := range p {
		switch {
		case f.quoted:
			f.keep(b)
			switch {
			case f.escaped:
				f.escaped = false
			case b == '\\':
				f.escaped = true
			case b == '"':
				f.quoted = false
				if f.depth == 1 && !f.value {
					f.key = string(f.text)
				}
			}
		case b == '"':
			if f.quoted = true; !f.value {
				f.text = f.text[:0]
			}
			f.keep(b)
		case b == '{' || b == '[':
			f.depth++
		case b == ':' && f.depth == 1:
			f.value, f.text = true, f.text[:0]
		case b == ',' || b == '}' || b == ']':
			if f.depth == 1 {
				if f.value && f.key == `"id"` {
					f.found = string(f.text)
				}
				f.value, f.text = false, f.text[:0]
			}
			if b != ',' {
				f.depth--
			}
		case b > ' ':
			f.keep(b)
		}
	}
}

// keep keeps a byte of what stands at the top, of which no more than an id matters.
func (f *idFinder) keep(b byte) {
	if f.depth == 1 && len(f.text) < 200 {
		f.text = append(f.text, b)
	}
}
