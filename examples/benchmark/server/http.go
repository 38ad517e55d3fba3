package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A server speaks just enough HTTP/1.1 to be no burden to the machine that the
// clients are measured on: it reads a request whole, and writes the answer in
// one call, chunked, event by event, as the service does.
type server struct {
	script *script
	gaps   *gaps
	bills  *bills // nil unless bills are wanted
	delay  time.Duration
}

var bodies = sync.Pool{New: func() any { return new([]byte) }}

func (s *server) serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			s.converse(conn)
		}()
	}
}

// converse answers the requests of one connection, until it ends or sends
// something that this server doesn't speak.
func (s *server) converse(conn net.Conn) {
	in := bufio.NewReaderSize(conn, 2<<10)
	for {
		first, err := in.Peek(1)
		if err != nil || len(first) == 0 {
			return
		}
		arrived := time.Now()
		path, length, err := readHead(in)
		if err != nil {
			return
		}
		if !s.exchange(conn, in, path, length, arrived) {
			return
		}
	}
}

func (s *server) exchange(conn net.Conn, in *bufio.Reader, path string, length int, arrived time.Time) bool {
	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	body := sized(buf, length)
	if _, err := io.ReadFull(in, body); err != nil {
		return false
	}
	if path == "/stats" {
		stats := s.stats()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(stats), stats)
		return true
	}
	p := s.arrive(body, arrived)
	out := bodies.Get().(*[]byte)
	defer bodies.Put(out)
	raw := bodies.Get().(*[]byte)
	defer bodies.Put(raw)
	var streamed bool
	*raw, streamed = s.script.answer((*raw)[:0], body, p)
	*out = frame((*out)[:0], *raw, streamed)
	if s.delay > 0 {
		time.Sleep(s.delay)
	}
	if _, err := conn.Write(*out); err != nil {
		return false
	}
	s.gaps.left(p)
	return true
}

// arrive notes a request.
func (s *server) arrive(body []byte, at time.Time) place {
	p := s.script.locate(body)
	s.gaps.came(p, at, len(body))
	if s.bills != nil && p.conversation > 0 { // the first is the warming up
		s.bills.add(p.conversation, body)
	}
	return p
}

func sized(buf *[]byte, n int) []byte {
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	*buf = (*buf)[:n]
	return *buf
}

func readHead(in *bufio.Reader) (path string, length int, err error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return "", 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return path, length, nil
		}
		if path == "" {
			parts := bytes.SplitN(line, []byte(" "), 3)
			if len(parts) != 3 {
				return "", 0, fmt.Errorf("not a request: %q", line)
			}
			path = string(parts[1])
			continue
		}
		key, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(key, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", 0, err
			}
		}
	}
}

const (
	headStream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nRequest-Id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n"
	headWhole  = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_bench\r\nContent-Length: %d\r\n\r\n"
)

// frame writes the head and the body, a chunk per event.
func frame(dst, body []byte, streamed bool) []byte {
	if !streamed {
		return append(fmt.Appendf(dst, headWhole, len(body)), body...)
	}
	dst = append(dst, headStream...)
	for len(body) > 0 {
		n := bytes.Index(body, []byte("\n\n")) + 2
		dst = append(strconv.AppendInt(dst, int64(n), 16), "\r\n"...)
		dst = append(append(dst, body[:n]...), "\r\n"...)
		body = body[n:]
	}
	return append(dst, "0\r\n\r\n"...)
}

// ServeHTTP answers by way of net/http, for HTTP/2.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if r.URL.Path == "/stats" {
		w.Write(s.stats())
		return
	}
	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	if _, err := io.ReadFull(r.Body, sized(buf, int(max(0, r.ContentLength)))); err != nil {
		return
	}
	p := s.arrive(*buf, arrived)
	raw := bodies.Get().(*[]byte)
	defer bodies.Put(raw)
	var streamed bool
	*raw, streamed = s.script.answer((*raw)[:0], *buf, p)
	w.Header().Set("Request-Id", "req_bench")
	w.Header().Set("Content-Type", "application/json")
	if streamed {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	}
	if s.delay > 0 {
		time.Sleep(s.delay)
	}
	w.Write(*raw)
	s.gaps.left(p)
}
