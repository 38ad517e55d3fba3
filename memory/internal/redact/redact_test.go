package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/memory"
)

// inPlace redacts by writing into the bytes that it is given.
type inPlace struct{}

func (inPlace) Redact(r *memory.Record) error {
	if i := bytes.Index(r.Data, []byte("secret")); i >= 0 {
		copy(r.Data[i:], "xxxxxx")
	}
	return nil
}

// A hook that writes into what it is given hides nothing of what it changes, and leaves
// the caller's record as it is.
func TestCheckHookThatWritesInPlace(t *testing.T) {
	r := memory.Record{Kind: memory.KindNote, Note: "n", Data: json.RawMessage(`{"key":"secret"}`)}
	if err := Check(inPlace{}, r); !errors.Is(err, ErrUnredacted) {
		t.Errorf("%v", err)
	}
	if string(r.Data) != `{"key":"secret"}` {
		t.Errorf("the record became %s", r.Data)
	}
	r.Data = json.RawMessage(`{"key":"xxxxxx"}`)
	if err := Check(inPlace{}, r); err != nil {
		t.Errorf("redacted: %v", err)
	}
}
