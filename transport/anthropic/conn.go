package anthropic

import (
	"context"
	"io"
	"net"
	"sync"
)

// How a body is handed to the system, in bytes: pieces from direct on are taken
// from where they lie, shorter ones are gathered in a buffer of gather bytes, and
// what is written at once has at most atOnce.
const (
	direct = 1 << 10
	gather = 32 << 10
	atOnce = 256 << 10
)

// maxPieces is how many pieces are written at once. The runtime keeps 16 bytes
// for each with the connection.
const maxPieces = 64

// A bulk is what writing a body needs.
type bulk struct {
	buf    [gather]byte
	pieces [maxPieces][]byte
	left   net.Buffers // of pieces
}

var bulks = sync.Pool{New: func() any { return new(bulk) }}

// A bulkConn is a connection that takes a long body from where it lies: a body of
// package transport tells its pieces, and the system gathers them (writev). Left
// to itself, net/http copies each byte twice, through buffers of 32 KB and less.
//
// It serves plain HTTP. TLS wraps it, and then writes records of its own.
type bulkConn struct{ net.Conn }

// A pieced reader tells its next bytes without copying them; nil at its end.
type pieced interface{ Next(most int) []byte }

// ReadFrom writes what r holds. net/http limits the reader of a body to its
// length; without that knowledge of it, all goes through the buffer.
func (c bulkConn) ReadFrom(r io.Reader) (int64, error) {
	b := bulks.Get().(*bulk)
	defer bulks.Put(b)
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(pieced); ok {
			n, err := c.writePieces(b, body, limited.N)
			limited.N -= n
			return n, err
		}
	}
	return c.copyFrom(b, r)
}

// writePieces writes at most so many bytes of a body.
func (c bulkConn) writePieces(b *bulk, body pieced, most int64) (total int64, err error) {
	defer clear(b.pieces[:])
	for total < most {
		n := b.fill(body, min(most-total, atOnce))
		if n == 0 {
			return total, nil
		}
		written, err := b.left.WriteTo(c.Conn)
		total += written
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// fill takes the next pieces of a body, at most so many bytes, and returns how
// many they are.
func (b *bulk) fill(body pieced, most int64) (total int64) {
	n, used, from := 0, 0, 0 // pieces; bytes of the buffer; where in it the last piece began
	for n < maxPieces-1 && total < most && used < gather {
		p := body.Next(int(most - total))
		if p == nil {
			break
		}
		total += int64(len(p))
		if len(p) < direct && len(p) <= gather-used {
			used += copy(b.buf[used:], p)
			continue
		}
		if used > from {
			b.pieces[n], from = b.buf[from:used], used
			n++
		}
		b.pieces[n] = p
		n++
	}
	if used > from {
		b.pieces[n] = b.buf[from:used]
		n++
	}
	b.left = b.pieces[:n]
	return total
}

// copyFrom writes all that r holds through the buffer.
func (c bulkConn) copyFrom(b *bulk, r io.Reader) (total int64, err error) {
	for {
		n, readErr := r.Read(b.buf[:])
		if n > 0 {
			written, err := c.Write(b.buf[:n])
			total += int64(written)
			if err != nil {
				return total, err
			}
		}
		if readErr == io.EOF {
			return total, nil
		}
		if readErr != nil {
			return total, readErr
		}
	}
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

// bulkDialer makes the connections of d bulkConns, and tells the attempt that it
// has a new one.
func bulkDialer(d dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if a, ok := ctx.Value(attemptKey{}).(*attemptContext); ok {
			a.dialing()
		}
		conn, err := d(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return bulkConn{conn}, nil
	}
}
