package rewind

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/transport"
)

// A place is behind so many records by its number, or, below the log, by its time.
func TestPlaceAfter(t *testing.T) {
	last := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		record  int
		at      time.Time
		records int
		want    bool
	}{
		{4, last, 5, false}, {5, last.Add(-time.Hour), 5, true}, {0, last, 0, true},
		{-1, last, 5, false}, {-1, last.Add(1), 5, true}, {-1, last.Add(-1), 0, false},
	} {
		if got := (place{record: tt.record, at: tt.at}).after(tt.records, last); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// Two logs share the records from the beginning that are the same, at most so many.
func TestCommon(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	logOf := func(texts ...string) *memory.Log {
		log := memory.NewLog()
		for i, s := range texts {
			if err := log.Append(context.Background(), memory.Record{Kind: memory.KindInput, Message: transport.UserText(s), Time: at.Add(time.Duration(i) * time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
		return log
	}
	abc := logOf("a", "b", "c")
	for _, tt := range []struct {
		a, b *memory.Log
		n    int
		want int
	}{
		{abc, logOf("a", "b", "c"), 9, 3}, {abc, logOf("a", "b", "c"), 2, 2}, {abc, logOf("a", "b"), 9, 2}, {logOf("a", "b"), abc, 9, 2}, {abc, logOf("a", "x", "c"), 9, 1},
		{abc, logOf("x", "b", "c"), 9, 0}, {abc, logOf(), 9, 0}, {abc, abc, 2, 2}, {abc, abc, 9, 3}, {abc, logOf("a", "b", "c"), 0, 0},
	} {
		if got, err := common(tt.a, tt.b, tt.n); err != nil || got != tt.want {
			t.Errorf("%d and %d records, at most %d: %d, %v, want %d", tt.a.Len(), tt.b.Len(), tt.n, got, err, tt.want)
		}
	}
	for n, want := range map[int]time.Time{0: {}, -1: {}, 1: at, 3: at.Add(2 * time.Minute), 4: {}} {
		if got := timeOf(abc, n); !got.Equal(want) {
			t.Errorf("the time of %d records: %v", n, got)
		}
	}
}

// Two versions are the same by their bytes or their link, whatever their mode; a folder is
// no file.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o640), os.Chmod(filepath.Join(dir, "a"), 0o640), os.Symlink("a", filepath.Join(dir, "l")), os.Mkdir(filepath.Join(dir, "d"), 0o700)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ref := memory.Blob{Data: []byte("x")}.Sum()
	for name, want := range map[string]files.Version{"a": {Ref: ref, Mode: 0o640}, "l": {Link: "a"}, "none": {}} {
		if got, err := look(root, name); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := look(root, "d"); !errors.Is(err, errIrregular) {
		t.Errorf("a folder: %v", err)
	}
	if !same(files.Version{Ref: ref, Mode: 0o600}, files.Version{Ref: ref}) || same(files.Version{Ref: ref}, files.Version{}) || same(files.Version{Link: "a"}, files.Version{Link: "b"}) || same(files.Version{Link: "a"}, files.Version{}) {
		t.Error("which versions are the same")
	}
}
