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

// Short and long pieces in turns fill what is written at once to its last place, wherever
// they begin.
func TestBulkConnWritesPiecesInTurns(t *testing.T) {
	for longs := range 3 {
		var body inPieces
		for range longs {
			body = append(body, bytes.Repeat([]byte("a"), direct))
		}
		for i := range 3 * maxPieces {
			body = append(body, []byte{byte(i)}, bytes.Repeat([]byte{byte(i)}, direct))
		}
		want := bytes.Join(body, nil)
		if got := sentOver(t, io.LimitReader(&body, int64(len(want))), int64(len(want))); !bytes.Equal(got, want) {
			t.Errorf("behind %d long pieces %d bytes arrived, not the %d that were sent", longs, len(got), len(want))
		}
	}
}

// inPieces is a body that gives its pieces one by one.
type inPieces [][]byte

func (p *inPieces) Next(most int) (piece []byte) {
	if len(*p) > 0 {
		piece = (*p)[0][:min(most, len((*p)[0]))]
		if (*p)[0] = (*p)[0][len(piece):]; len((*p)[0]) == 0 {
			*p = (*p)[1:]
		}
	}
	return piece
}

func (*inPieces) Read([]byte) (int, error) { panic("it is read by pieces") }

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
