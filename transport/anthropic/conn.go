package anthropic

import (
	"context"
	"io"
	"net"
	"sync"
)

// bulkWrite is how much of a body is handed to the system at once, in bytes.
const bulkWrite = 32 << 10

var bulkBuffers = sync.Pool{New: func() any { return new([bulkWrite]byte) }}

// A bulkConn is a connection that takes long bodies through a shared buffer.
// Left to itself, net/http allocates 32 KB for each body that is longer than its
// write buffer, which is as much as all else in a step; and a larger write buffer
// would be held by every idle connection.
//
// It serves plain HTTP. TLS wraps it, and then writes records of its own.
type bulkConn struct{ net.Conn }

// ReadFrom writes what r holds.
func (c bulkConn) ReadFrom(r io.Reader) (total int64, err error) {
	buf := bulkBuffers.Get().(*[bulkWrite]byte)
	defer bulkBuffers.Put(buf)
	for {
		n, readErr := r.Read(buf[:])
		if n > 0 {
			written, err := c.Write(buf[:n])
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

// bulkDialer makes the connections of d bulkConns.
func bulkDialer(d dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return bulkConn{conn}, nil
	}
}
