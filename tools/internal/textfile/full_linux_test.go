package textfile

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// What can't be written whole, as on a full disk, leaves the old file, and nothing else.
// A limit of the system's stands for the disk.
func TestWriteThatEndsEarly(t *testing.T) {
	root, dir := open(t)
	if err := Write(root, "a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: was.Max}); err != nil {
		t.Skip("the system sets no limit: ", err)
	}
	err := Write(root, "a", bytes.Repeat([]byte("x"), 10_000))
	if back := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); back != nil {
		t.Fatal(back)
	}
	data, _ := os.ReadFile(filepath.Join(dir, "a"))
	entries, _ := os.ReadDir(dir)
	if err == nil || string(data) != "old" || len(entries) != 1 {
		t.Errorf("%v: the file has %d bytes, and there are %d files", err, len(data), len(entries))
	}
}
