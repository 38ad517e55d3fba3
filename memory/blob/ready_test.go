package blob

import (
	"errors"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Before its blobs are put a session is made, or found to be where the append expects it;
// what the append would refuse is refused, with the same error.
func TestReady(t *testing.T) {
	ctx, store := t.Context(), new(memory.RAM)
	hi := memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}
	err := errors.Join(
		store.Append(ctx, "empty", memory.Position{Start: &memory.Start{Incarnation: "1"}}),
		store.Append(ctx, "one", memory.Position{Start: &memory.Start{Incarnation: "1"}}, hi),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id   string
		at   memory.Position
		want error
	}{
		{"new1", memory.Position{}, nil},
		{"new2", memory.Position{Start: &memory.Start{}}, nil},
		{"new3", memory.Position{Start: &memory.Start{Incarnation: "7"}}, nil},
		{"none1", memory.Position{Records: 1}, memory.ErrNoSession},
		{"none2", memory.Position{Incarnation: "1"}, memory.ErrNoSession},
		{"none3", memory.Position{Records: 1, Start: &memory.Start{}}, memory.ErrConflict},
		{"empty", memory.Position{}, nil},
		{"empty", memory.Position{Incarnation: "1"}, nil},
		{"empty", memory.Position{Start: &memory.Start{Incarnation: "1"}}, nil}, // a try before this one made it
		{"empty", memory.Position{Start: &memory.Start{Incarnation: "2"}}, memory.ErrConflict},
		{"empty", memory.Position{Start: &memory.Start{}}, memory.ErrConflict},
		{"empty", memory.Position{Records: 1}, memory.ErrConflict},
		{"one", memory.Position{Records: 1}, nil},
		{"one", memory.Position{Incarnation: "1", Records: 1}, nil},
		{"one", memory.Position{Incarnation: "2", Records: 1}, memory.ErrReplaced},
		{"one", memory.Position{}, memory.ErrConflict},
		{"one", memory.Position{Records: 2}, memory.ErrConflict},
		{"one", memory.Position{Start: &memory.Start{Incarnation: "1"}}, memory.ErrConflict},
	} {
		at, err := ready(ctx, store, tt.id, tt.at)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s at %+v: %v, want %v", tt.id, tt.at, err, tt.want)
		}
		info, infoErr := store.Info(ctx, tt.id)
		if tt.want == nil && (at.Start != nil || at.Incarnation != "" && at.Incarnation != info.Incarnation || at.Records != info.Records || infoErr != nil) {
			t.Errorf("%s at %+v: goes on at %+v of %+v, %v", tt.id, tt.at, at, info, infoErr)
		}
		if tt.want != nil && tt.id[0] == 'n' && !errors.Is(infoErr, memory.ErrNoSession) {
			t.Errorf("%s at %+v: it was made: %v", tt.id, tt.at, infoErr)
		}
		if s := tt.at.Start; tt.want == nil && s != nil && s.Incarnation != "" && info.Incarnation != s.Incarnation {
			t.Errorf("%s at %+v: made as %s", tt.id, tt.at, info.Incarnation)
		}
	}
}
