// Socket is the least that any Go program can do: HTTP/1.1 written by hand on a
// TCP connection that is kept open, ready bytes in each request, and responses
// in which nothing is looked at but where they end.
package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
	"github.com/whorl-go/whorl/examples/benchmark/ready"
)

func main() { harness.Main("socket", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	base, err := url.Parse(c.Base)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" {
		return nil, fmt.Errorf("%s: only HTTP/1.1 without TLS is spoken here", c.Base)
	}
	requests, conns := ready.New(c), &pool{host: base.Host}
	return func(context.Context) error {
		conn, err := conns.take()
		if err != nil {
			return err
		}
		if err := requests.Converse(lookup, conn.exchange); err != nil {
			conn.Close()
			return err
		}
		conns.put(conn)
		return nil
	}, nil
}

// A pool keeps the connections that no conversation uses.
type pool struct {
	host string
	mu   sync.Mutex
	idle []*connection
}

func (p *pool) take() (*connection, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	conn, err := net.Dial("tcp", p.host)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: conn, host: p.host, in: make([]byte, 8<<10)}, nil
}

func (p *pool) put(c *connection) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
}

// A connection carries one request at a time.
type connection struct {
	net.Conn
	host  string
	head  []byte
	in    []byte
	parts [3][]byte
}

// exchange sends a request, in one call of the kernel, and reads the response.
func (c *connection) exchange(body, tail []byte) ([]byte, error) {
	c.head = fmt.Appendf(c.head[:0], "POST /v1/messages HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", c.host, len(body)+len(tail))
	c.parts = [3][]byte{c.head, body, tail}
	pieces := net.Buffers(c.parts[:])
	if _, err := pieces.WriteTo(c.Conn); err != nil {
		return nil, err
	}
	var r response
	for n := 0; ; {
		if n == len(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		k, err := c.Read(c.in[n:])
		n += k
		if done, bad := r.ends(c.in[:n]); done || bad != nil {
			return c.in[:n], bad
		}
		if err != nil {
			return nil, err
		}
	}
}
