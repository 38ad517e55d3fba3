package blob

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"testing"
)

// Decoding gives what encoding/base64 gives, and takes only what an encoder writes.
func TestDecode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		data := make([]byte, r.IntN(5000))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		text := []byte(base64.StdEncoding.EncodeToString(data))
		switch n := len(text); {
		case n == 0:
		case r.IntN(2) == 0: // any byte in any place
			text[r.IntN(n)] = byte(r.Uint32())
		case r.IntN(4) == 0: // what decoders pass over
			copy(text[r.IntN(n):], "\r\n\r\n")
		case r.IntN(4) == 0:
			text = text[:r.IntN(n)]
		case r.IntN(4) == 0: // bits that are lost
			copy(text[n-4:], "Zh==")
		}
		checkDecode(t, text)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("Zg=="), 0)
	f.Add([]byte("Zg==\n\n\n\n"), 300)
	f.Fuzz(func(t *testing.T, text []byte, more int) {
		checkDecode(t, append(bytes.Repeat([]byte("Zm9v"), max(0, more%1000)), text...))
	})
}

func checkDecode(t *testing.T, text []byte) {
	want, err := base64.StdEncoding.Strict().AppendDecode([]byte("b"), text)
	fits := err == nil && base64.StdEncoding.EncodeToString(want[1:]) == string(text)
	got, ok := decode([]byte("b"), text)
	if ok != fits || ok && !bytes.Equal(got, want) {
		t.Fatalf("%q: %v, which encoding/base64 finds %v", text, ok, fits)
	}
	if !ok && string(got) != "b" {
		t.Fatalf("%q: what was refused has added %d bytes", text, len(got)-1)
	}
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(base64.StdEncoding.EncodeToString(make([]byte, 64<<10)))
	to := make([]byte, 0, 64<<10+3)
	for name, f := range map[string]func() bool{
		"own":      func() bool { _, ok := decode(to, text); return ok },
		"standard": func() bool { _, err := encoding.AppendDecode(to, text); return err == nil },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !f() {
					b.Fatal("not decoded")
				}
			}
		})
	}
}
