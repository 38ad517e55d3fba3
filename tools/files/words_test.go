package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestBelow holds how a name is told from a folder on.
func TestBelow(t *testing.T) {
	for _, tt := range [][3]string{{".", "a/b", "a/b"}, {"a", "a/b", "b"}, {"a/b", "a/b/c/d", "c/d"}, {"a", "a", ""}} {
		if got := below(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s below %s: %q, want %q", tt[1], tt[0], got, tt[2])
		}
	}
}

// TestNearly holds which lines an edit may have meant.
func TestNearly(t *testing.T) {
	const text = "one\n\ttwo  words\nthree\none\n  two words\n"
	for old, want := range map[string]string{
		"two words":           ", but lines 2 to 2 differ from it in white space only",
		"one\ntwo words":      ", but lines 1 to 2 differ from it in white space only",
		"three\n one":         ", but lines 3 to 4 differ from it in white space only",
		"one\n\ttwo\twords ":  ", but lines 1 to 2 differ from it in white space only",
		"two word":            "",
		"two words\nfour":     "",
		"":                    "",
		"two words\n\n\n\n\n": "",
	} {
		if got := nearly(text, old); got != want {
			t.Errorf("%q: %q, want %q", old, got, want)
		}
	}
	if got := nearly("a\n x y", "x y"); got != ", but lines 2 to 2 differ from it in white space only" {
		t.Errorf("in the last line: %q", got)
	}
}

// TestClip holds that a long line says how long it is, and that letters stay whole.
func TestClip(t *testing.T) {
	for _, tt := range [][2]string{
		{strings.Repeat("x", 400), strings.Repeat("x", 400)},
		{strings.Repeat("x", 401), strings.Repeat("x", 400) + " … (401 bytes)"},
		{strings.Repeat("x", 399) + "é", strings.Repeat("x", 399) + " … (401 bytes)"},
	} {
		if got := clip(tt[0]); got != tt[1] {
			t.Errorf("%d bytes: %q", len(tt[0]), got)
		}
	}
}

// TestReadable holds what is searched: text of any encoding, and no other data.
func TestReadable(t *testing.T) {
	for data, want := range map[string]string{"a\r\nb": "a\nb", "caf\xe9\r\nb": "café\nb", "\xff\xfea\x00b\x00": "ab", "": ""} {
		if got, ok := readable([]byte(data)); !ok || got != want {
			t.Errorf("%q: %q, %t; want %q", data, got, ok, want)
		}
	}
	if got, ok := readable([]byte("a\x00b\xff")); ok {
		t.Errorf("data is text: %q", got)
	}
}

// Errors of the file system name the path as the model wrote it, and no other.
func TestErrorsNameTheModelsPath(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f := &folder{Options: Options{}.withDefaults(), root: root, lister: "list_files"}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "openat", Path: "/home/ann/a", Err: syscall.EISDIR}, "p: is a directory"},
		{fmt.Errorf("keep: %w", &fs.PathError{Op: "openat", Path: "/home/ann/a", Err: syscall.EIO}), "p: input/output error"},
		{&fs.PathError{Op: "openat", Path: "/home/ann/a", Err: fs.ErrPermission}, "no permission for p"},
		{&fs.PathError{Op: "openat", Path: "/home/ann/a", Err: fs.ErrNotExist}, "p does not exist; list_files shows what there is"},
		{errors.New("too big"), "p: too big"},
	} {
		if got := f.explain("p", tt.err).Error(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
