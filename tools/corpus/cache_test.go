package corpus

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// snapshot is a folder whose files are old, and the folder of a cache for it.
func snapshot(t *testing.T) (dir, cache string) {
	t.Helper()
	dir = folder(t, map[string]string{
		"a.go":   "package a\n\n// Snail sleeps in winter.\nfunc Snail() {}\n",
		"b/b.md": "# Shells\n\nA shell grows.\n",
	})
	for _, name := range []string{"a.go", "b/b.md"} {
		age(t, filepath.Join(dir, name), time.Hour)
	}
	return dir, filepath.Join(t.TempDir(), "new", "cache")
}

func age(t *testing.T, name string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by).Truncate(time.Second)
	if err := os.Chtimes(name, then, then); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// look opens the corpus again and tells how many passages have the word.
func look(t *testing.T, dir, cache, word string) int {
	t.Helper()
	c := open(t, dir)
	c.CacheIn(cache)
	found, err := c.Search(t.Context(), word, "", 5)
	if err != nil {
		t.Fatal(err)
	}
	return found.Words[0].Passages
}

// sealed gives data the sum that fits.
func sealed(data []byte) []byte {
	binary.LittleEndian.PutUint32(data[len(magic):], crc32.Checksum(data[len(magic)+4:], castagnoli))
	return data
}

func cached(t *testing.T, cache string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(cache, "*"))
	hidden, err2 := filepath.Glob(filepath.Join(cache, ".*"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return append(names, hidden...)
}

// A second program reads the index and no file, until a file has another size or time.
func TestCacheIsUsed(t *testing.T) {
	dir, cache := snapshot(t)
	name := filepath.Join(dir, "a.go")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := look(t, dir, cache, "snail"); n != 1 || len(cached(t, cache)) != 1 {
		t.Fatalf("%d passages, cache: %v", n, cached(t, cache))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	same := strings.ReplaceAll(string(text), "sleeps", "drinks")
	write(t, name, same)
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if n := look(t, dir, cache, "drinks"); n != 0 {
		t.Error("with a cache, the files were read again")
	}
	age(t, name, time.Minute)
	if n := look(t, dir, cache, "drinks"); n != 1 {
		t.Error("a file of another time was not read again")
	}
	write(t, name, same+"\n// They dance.\n")
	age(t, name, time.Minute)
	if n := look(t, dir, cache, "dance"); n != 1 {
		t.Error("a file of another size was not read again")
	}
	write(t, filepath.Join(dir, "c.txt"), "A new file sings.\n")
	age(t, filepath.Join(dir, "c.txt"), time.Minute)
	if n := look(t, dir, cache, "sings"); n != 1 {
		t.Error("a new file was not read")
	}
	if n := len(cached(t, cache)); n != 1 {
		t.Errorf("%d files in the cache", n)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if n := look(t, dir, cache, "snail"); n != 0 {
		t.Error("a file that is gone was found")
	}
}

// A file that has just been written may change again without a new time.
func TestCacheWaitsForOldFiles(t *testing.T) {
	dir, cache := snapshot(t)
	age(t, filepath.Join(dir, "a.go"), 0)
	if n := look(t, dir, cache, "snail"); n != 1 || len(cached(t, cache)) != 0 {
		t.Errorf("%d passages, cache: %v", n, cached(t, cache))
	}
}

// A file of the cache that is damaged at any place, or another corpus's, is as none.
func TestCacheIsDamaged(t *testing.T) {
	dir, cache := snapshot(t)
	look(t, dir, cache, "snail")
	name := cached(t, cache)[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, dir)
	files, err := c.walk()
	if err != nil {
		t.Fatal(err)
	}
	identity := c.identity()
	if decode(whole, identity, files) == nil {
		t.Fatal("the whole file is not an index")
	}
	for n := range whole {
		bad := append([]byte(nil), whole...)
		bad[n] ^= 0x40
		if decode(bad, identity, files) != nil || decode(whole[:n], identity, files) != nil {
			t.Fatalf("damaged at byte %d of %d, it is taken for an index", n, len(whole))
		}
		// Whoever writes a sum that fits can make no search panic.
		if n >= len(magic)+4 {
			if x := decode(sealed(bad), identity, files); x != nil {
				q, _ := x.parseQuery("snail shell grows")
				x.rank(q, "snail shell grows", "")
			}
		}
	}
	if decode(whole, identity+"x", files) != nil || decode(whole, identity, files[:1]) != nil {
		t.Error("another corpus's index was taken")
	}
	for _, bad := range []string{"", "\x00", string(whole[:100]), magic, "whorl index 0\n" + string(whole[len(magic):])} {
		write(t, name, bad)
		if n := look(t, dir, cache, "snail"); n != 1 {
			t.Errorf("with %q in the cache, %d passages", bad, n)
		}
		if now, err := os.ReadFile(name); err != nil || string(now) != string(whole) {
			t.Errorf("%q in the cache was not replaced: %v", bad, err)
		}
	}
}

// A cache that can't be written is as none, and leaves nothing behind.
func TestCacheCannotBeWritten(t *testing.T) {
	dir, cache := snapshot(t)
	write(t, filepath.Join(filepath.Dir(filepath.Dir(cache)), "file"), "")
	for _, bad := range []string{filepath.Join(filepath.Dir(filepath.Dir(cache)), "file"), filepath.Join(filepath.Dir(filepath.Dir(cache)), "file", "below"), "/proc/whorl"} {
		if n := look(t, dir, bad, "snail"); n != 1 {
			t.Errorf("%s: %d passages", bad, n)
		}
	}
	// In the place of the index stands a folder.
	look(t, dir, cache, "snail")
	name := cached(t, cache)[0]
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(name, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if n := look(t, dir, cache, "snail"); n != 1 || len(cached(t, cache)) != 1 {
		t.Errorf("%d passages, cache: %v", n, cached(t, cache))
	}
}

// Reading an index takes a small part of the allocations of building it.
func TestCacheAllocations(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	for i := range 200 {
		name := filepath.Join(dir, strings.Repeat("f", i+1)+".go")
		write(t, name, strings.Repeat("\n// Snails sleep in winter and wake in spring, all of them.\nfunc Snail() {}\n", 20))
		age(t, name, time.Hour)
	}
	c := open(t, dir)
	c.CacheIn(cache)
	files, err := c.walk()
	if err != nil {
		t.Fatal(err)
	}
	var x *index
	build := testing.AllocsPerRun(1, func() { x = c.buildIndex(t.Context(), files) })
	if err := c.store(x, time.Now()); err != nil {
		t.Fatal(err)
	}
	load := testing.AllocsPerRun(1, func() { x = c.load(files) })
	if x == nil || x.count != 4000 || load > build/4 {
		t.Errorf("%.0f allocations to build an index, %.0f to read it: %+v", build, load, x)
	}
}
