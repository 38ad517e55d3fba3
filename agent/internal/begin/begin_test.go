package begin

import (
	"errors"
	"testing"

	"github.com/whorl-go/whorl/memory"
)

// A session that is begun is there, with its metadata, and can be given messages. A second
// one of the id is refused, and changes nothing.
func TestSession(t *testing.T) {
	store := new(memory.RAM)
	if err := Session(t.Context(), store, "s", map[string]string{"user": "ann"}); err != nil {
		t.Fatal(err)
	}
	if err := Session(t.Context(), store, "s", map[string]string{"user": "bob"}); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("a second one: %v", err)
	}
	info, err := store.Info(t.Context(), "s")
	if err != nil || info.Records != 1 || info.Meta["user"] != "ann" || len(info.Meta) != 1 {
		t.Errorf("%+v, %v", info, err)
	}
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil || log.Len() != 1 || len(log.Messages()) != 0 {
		t.Errorf("%d records, %d messages, %v", log.Len(), len(log.Messages()), err)
	}
}
