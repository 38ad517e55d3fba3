package protect

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// What a text is bound to tells apart what it is, each session, each incarnation and
// each place, also where one name ends as another begins.
func TestBound(t *testing.T) {
	seen := map[string]string{}
	for _, what := range []byte{sealedRecord, sealedInput, sealedHead, sealedBytes} {
		for _, id := range []string{"", "a", "ab", "abc", "a\x00"} {
			for _, incarnation := range []string{"", "b", "bc", "c", "\x00b"} {
				for _, n := range []int64{0, 1, 255, 256, 1 << 40, -1} {
					at := fmt.Sprintf("%c %q %q %d", what, id, incarnation, n)
					key := string(bound(what, id, incarnation, n))
					if other, ok := seen[key]; ok {
						t.Fatalf("%s is bound as %s is", at, other)
					}
					seen[key] = at
				}
			}
		}
	}
}

func testSealer(t *testing.T, h *head) *sealer {
	t.Helper()
	s, err := newSealer(bytes.Repeat([]byte{7}, 32), "s", "1", h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// boundToPlaceOnly is a box as v0.1 wrote it.
func boundToPlaceOnly(t *testing.T, s *sealer, with []byte) box {
	t.Helper()
	plain, err := (&memory.Record{Kind: memory.KindInput, Message: transport.UserText("pay 100")}).AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := box{Nonce: s.nonce()}
	b.Sealed = s.aead.Seal(nil, b.Nonce, plain, with)
	return b
}

// Once a session is bound, what is bound only to its place is read only where it stood
// before: a fork of old times has the same key, and its records could be put there.
func TestOldRecordsOfBoundSessions(t *testing.T) {
	for _, tt := range []struct {
		name string
		head *head
		n    int
		ok   bool
	}{
		{"an old session", nil, 5, true},
		{"a new one", &head{}, 5, false},
		{"rewrapped, before", &head{Lineage: []ancestor{{ID: "s", Upto: 6, Old: true}}}, 5, true},
		{"rewrapped, the first after", &head{Lineage: []ancestor{{ID: "s", Upto: 5, Old: true}}}, 5, false},
		{"of an ancestor that is bound", &head{Lineage: []ancestor{{ID: "a", Incarnation: "1", Upto: 6}}}, 5, false},
	} {
		s := testSealer(t, tt.head)
		if _, err := s.open(tt.n, boundToPlaceOnly(t, s, oldBound(int64(tt.n)))); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, tt := range []struct {
		name string
		head *head
		n    int64
		ok   bool
	}{
		{"an old inbox", nil, 5, true},
		{"a new one", &head{}, 5, false},
		{"rewrapped, the last before", &head{OldInbox: 5}, 5, true},
		{"rewrapped, the first after", &head{OldInbox: 4}, 5, false},
	} {
		s := testSealer(t, tt.head)
		if _, err := s.openInput(tt.n, boundToPlaceOnly(t, s, oldBound(oldInput))); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The keys of sessions that were used are not kept without end.
func TestSealersAreBounded(t *testing.T) {
	s := Encrypted(new(memory.RAM), Keys{})
	for i := range 2*maxSealers + 10 {
		s.remember(&sealer{id: fmt.Sprint(i)})
		if n := len(s.sealers); n > maxSealers {
			t.Fatalf("%d keys are kept", n)
		}
		if s.sealers[[2]string{fmt.Sprint(i), ""}] == nil {
			t.Fatalf("the newest of %d is not kept", i+1)
		}
	}
}

// A blob has the nonce of its content: another content has another one, and another
// name too, and the same content under another key has neither.
func TestNoncesOfBlobs(t *testing.T) {
	one := testSealer(t, &head{})
	two, err := newSealer(bytes.Repeat([]byte{8}, 32), "s", "1", &head{})
	if err != nil {
		t.Fatal(err)
	}
	nonces, names := map[string]bool{}, map[string]bool{}
	texts := []string{"", "a", "b", "a\x00", "aa"}
	for _, s := range []*sealer{one, two} {
		for _, text := range texts {
			for _, kind := range []string{"text/plain", "image/png"} {
				sealed, err := s.sealBlob(memory.Blob{MediaType: kind, Data: []byte(text)})
				if err != nil {
					t.Fatal(err)
				}
				again, err := s.sealBlob(memory.Blob{MediaType: kind, Data: []byte(text)})
				if err != nil || !bytes.Equal(again.Data, sealed.Data) || again.Name != sealed.Name {
					t.Errorf("%q of %s is sealed differently: %v", text, kind, err)
				}
				nonces[string(sealed.Data[:s.aead.NonceSize()])], names[sealed.Name] = true, true
				if b, err := s.openBlob(sealed); err != nil || string(b.Data) != text || b.MediaType != kind {
					t.Errorf("%q of %s comes back as %q of %s: %v", text, kind, b.Data, b.MediaType, err)
				}
				sealed.Name += "0"
				if _, err := s.openBlob(sealed); !errors.Is(err, ErrKey) {
					t.Errorf("under another name: %v", err)
				}
			}
		}
	}
	if want := 4 * len(texts); len(nonces) != want || len(names) < 2*len(texts) {
		t.Errorf("%d blobs have %d nonces and %d names", want, len(nonces), len(names))
	}
}
