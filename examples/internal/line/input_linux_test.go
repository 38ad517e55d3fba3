package line

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// openTerminal makes a pseudoterminal: what is written to keyboard is typed, and
// what the program prints there is in screen.
func openTerminal(t *testing.T) (tty, keyboard *os.File, screen func() string) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudoterminals here:", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	control, err := keyboard.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number, unlocked uint32
	var failed syscall.Errno
	err = control.Control(func(fd uintptr) {
		if _, _, failed = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlocked))); failed == 0 {
			_, _, failed = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
		}
	})
	if err != nil || failed != 0 {
		t.Skip("no pseudoterminals here:", err, failed)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudoterminals here:", err)
	}
	t.Cleanup(func() { tty.Close() })
	var mu sync.Mutex
	var out bytes.Buffer
	go func() {
		p := make([]byte, 4096)
		for {
			n, err := keyboard.Read(p)
			if err != nil {
				return
			}
			mu.Lock()
			out.Write(p[:n])
			mu.Unlock()
		}
	}()
	return tty, keyboard, func() string { mu.Lock(); defer mu.Unlock(); return out.String() }
}

// keysTyped types as soon as the prompt is there.
func keysTyped(t *testing.T, keyboard *os.File, screen func() string, prompt, text string) {
	t.Helper()
	seen := strings.Count(screen(), prompt)
	go func() {
		for range 500 {
			if strings.Count(screen(), prompt) > seen {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		io.WriteString(keyboard, text)
	}()
}

func TestEditing(t *testing.T) {
	tty, keyboard, screen := openTerminal(t)
	file := filepath.Join(t.TempDir(), "history")
	in := NewInput(tty, tty, OpenHistory(file))
	const left, up = "\x1b[D", "\x1b[A"
	tests := []struct {
		name, typed, want string
		err               error
	}{
		{"a line", "hello\r", "hello", nil},
		{"edited", "hallo" + left + left + left + "\x7fe\r", "hello", nil},
		{"from the history", up + " again\r", "hello again", nil},
		{"pasted", "\x1b[200~one\ntwo\n\x1b[201~three\r", "one\ntwo\nthree", nil},
		{"going on", "one\\\rtwo\r", "one\ntwo", nil},
		{"Ctrl-C", "half a line\x03", "", ErrInterrupted},
		{"after Ctrl-C", "whole\r", "whole", nil},
		{"Ctrl-D", "\x04", "", io.EOF},
	}
	for _, tt := range tests {
		keysTyped(t, keyboard, screen, "say> ", tt.typed)
		got, err := in.Line("say> ")
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
	in = NewInput(tty, tty, OpenHistory(file))
	keysTyped(t, keyboard, screen, "say> ", up+"\r")
	if got, err := in.Line("say> "); got != "whole" || err != nil {
		t.Errorf("from the history of before: %q, %v", got, err)
	}
	keysTyped(t, keyboard, screen, "args> ", "\x7f2}\r")
	if got, err := in.Answer("args> ", `{"n":1}`); got != `{"n":12}` || err != nil {
		t.Errorf("with a text to begin with: %q, %v", got, err)
	}
	if data, err := os.ReadFile(file); err != nil || strings.Contains(string(data), "12}") {
		t.Errorf("the history: %q, %v", data, err)
	}
}
