//go:build unix

package corpus

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in the folder is no file to read, and nobody waits for its other end.
func TestPipeIsNotRead(t *testing.T) {
	dir := folder(t, files)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir)
	if _, _, err := c.Lines("pipe", 1, 9); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("the pipe: %v", err)
	}
	if _, err := c.Search(t.Context(), "retry request", "", 5); err != nil {
		t.Error(err)
	}
}
