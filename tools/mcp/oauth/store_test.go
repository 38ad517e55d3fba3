package oauth

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What is kept in memory is the store's own: who has saved it may use the bytes again.
func TestMemoryKeepsItsOwn(t *testing.T) {
	store, data := Memory(), []byte("token")
	if err := store.Save(t.Context(), Key{}, data); err != nil {
		t.Fatal(err)
	}
	copy(data, "xxxxx")
	if got, err := store.Load(t.Context(), Key{}); string(got) != "token" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// A file is replaced whole: who reads it meanwhile, or finds it after this process has
// died, has the old token or the new one. What can't be saved or read is an error, and
// leaves nothing behind that others might read.
func TestFilesOfAStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	store, key := dir(path), Key{"ann", "https://a.example"}
	if err := store.Save(t.Context(), key, []byte("first")); err != nil {
		t.Fatal(err)
	}
	before, err := os.Open(store.file(key))
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := store.Save(t.Context(), key, []byte("second, and longer")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(before); string(got) != "first" || err != nil {
		t.Errorf("who has opened the file reads %q, %v", got, err)
	}
	if got, err := store.Load(t.Context(), key); string(got) != "second, and longer" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	other := Key{"bob", "https://a.example"}
	if err := os.MkdirAll(filepath.Join(store.file(other), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := store.Save(t.Context(), other, []byte("third")); err == nil {
		t.Error("saved, though the file can't be replaced")
	}
	if got, err := store.Load(t.Context(), other); err == nil {
		t.Errorf("loaded %q of what can't be read", got)
	}
	if err := store.Save(t.Context(), other, nil); err == nil {
		t.Error("deleted, though it is still there")
	}
	if entries, err := os.ReadDir(path); len(entries) != 2 || err != nil {
		t.Errorf("in the directory are %v, %v", entries, err)
	}
}
