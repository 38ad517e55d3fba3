package blob

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
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

// A string ends at a quote that isn't escaped, however many backslashes stand before it.
func TestPayloadsBehindEscapes(t *testing.T) {
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 300))
	for slashes := range 6 {
		text := `{"a":"` + strings.Repeat(`\`, slashes) + `"`
		if slashes%2 == 1 {
			text += ` and more"`
		}
		text += `,"data":"` + data + `"}`
		hollow, blobs := cutPayloads([]byte(text), 100)
		if len(blobs) != 1 || string(hollow) != strings.Replace(text, data, blobs[0].Name, 1) {
			t.Errorf("%d backslashes: %d payloads, %.80s", slashes, len(blobs), hollow)
		}
	}
}

// What Options.Lost gives counts only if it needs no payload any more, and a session that
// was replaced meanwhile has lost nothing.
func TestLostRecords(t *testing.T) {
	ctx, inside := t.Context(), new(memory.RAM)
	start := memory.Position{Start: &memory.Start{Incarnation: "1"}}
	r := memory.Record{Kind: memory.KindNote, Note: "n", Data: []byte(`"gone"`), Aside: []string{"gone"}}
	if err := inside.Append(ctx, "s", start, r); err != nil {
		t.Fatal(err)
	}
	whole := memory.Record{Kind: memory.KindNote, Note: "left"}
	var given memory.Record
	s, err := New(inside, &Options{Lost: func(memory.Record, *LostError) (memory.Record, error) { return given, nil }})
	if err != nil {
		t.Fatal(err)
	}
	load := func(incarnation string) (memory.Record, error) {
		return s.lost(ctx, "s", incarnation, 0, r, &LostError{Name: "gone", Err: fs.ErrNotExist})
	}
	for _, tt := range []struct {
		given       memory.Record
		incarnation string
		want        error // nil: the record is whole
	}{
		{whole, "1", nil},
		{whole, "", nil},
		{r, "1", fs.ErrNotExist},
		{r, "", fs.ErrNotExist},
		{whole, "0", memory.ErrReplaced},
	} {
		given = tt.given
		got, err := load(tt.incarnation)
		if !errors.Is(err, tt.want) || tt.want == nil && got.Note != "left" || tt.want != nil && got.Note != "" {
			t.Errorf("%s of %q: %+v, %v", tt.given.Note, tt.incarnation, got, err)
		}
	}
}
