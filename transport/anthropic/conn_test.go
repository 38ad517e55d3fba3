package anthropic

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// A body arrives whole, whatever its pieces, by pieces or through the buffer.
func TestBulkConnWritesBodies(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		req := &transport.Request{Model: "m", MaxTokens: 1}
		for range 1 + rnd.IntN(120) {
			sizes := []int{rnd.IntN(100), rnd.IntN(2 * direct), rnd.IntN(2 * gather), rnd.IntN(atOnce)}
			text := bytes.Repeat([]byte{byte('a' + rnd.IntN(26))}, sizes[rnd.IntN(rnd.IntN(4)+1)])
			req.Messages = append(req.Messages, transport.UserText(string(text)))
		}
		body, err := req.StreamBody()
		if err != nil {
			t.Fatal(err)
		}
		want := body.Bytes()
		for _, readers := range []func() io.Reader{
			func() io.Reader { return io.LimitReader(body.NewReader(), body.Len()) },
			func() io.Reader { return io.LimitReader(body.NewReader(), body.Len()/2) },
			func() io.Reader { return body.NewReader() },
		} {
			r := readers()
			limit := int64(len(want))
			if l, ok := r.(*io.LimitedReader); ok {
				limit = l.N
			}
			if got := sentOver(t, r, limit); !bytes.Equal(got, want[:limit]) {
				t.Fatalf("%d bytes arrived, not the %d that were sent", len(got), limit)
			}
		}
	}
}

// sentOver is what arrives of r over a connection.
func sentOver(t *testing.T, r io.Reader, n int64) []byte {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	arrived := make(chan []byte)
	go func() {
		defer close(arrived)
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			all, _ := io.ReadAll(conn)
			arrived <- all
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	written, err := bulkConn{conn}.ReadFrom(r)
	conn.Close()
	got := <-arrived
	if err != nil || written != n {
		t.Fatalf("%d bytes written, want %d: %v", written, n, err)
	}
	return got
}
