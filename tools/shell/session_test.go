//go:build unix

package shell_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/whorl-go/whorl/tools/shell"
)

// The model is told when something that it started has ended with the command.
func TestBackgroundProcessesAreTold(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		s := newShell(t, o)
		for _, step := range []struct {
			command string
			ended   []string
		}{
			{"nohup sleep 100 >/dev/null 2>&1 & echo started", []string{"sleep"}},
			{"sleep 100 & disown; echo started", []string{"sleep"}},
			{"(sleep 100 &) ; sleep 101 & echo started", []string{"sleep"}},
			{"sleep 100 & trap 'exit 3' USR1; exit 4", []string{"sleep"}},
			{"set -e -u -f; IFS=x; sleep 100 & false", []string{"sleep"}},
			{"sleep 0.01 & wait; echo done", nil},
			{"sleep 100 & kill %1; wait; echo done", nil},
			{"sleep 100 & trap 'kill %1; wait' EXIT; echo started", nil},
			{"echo a | tr a b", nil},
			{"tail -f /dev/null & cat /dev/zero >/dev/null & echo started", []string{"cat", "tail"}},
		} {
			out, err := s.Run(t.Context(), step.command)
			if err != nil || !slices.Equal(out.Ended, step.ended) {
				t.Errorf("%s: ended %q, want %q (%+v, %v)", step.command, out.Ended, step.ended, out, err)
			}
		}
		want := "started\n[exit status 2]\n[still running in the background and ended with this command: sleep; start and use such a program in one and the same command]"
		if got := run(t, s, "sleep 100 & echo started; exit 2"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A command's own EXIT trap runs, and the session goes on from where it was.
func TestTrapsKeepTheSession(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		o.Dir = dir
		for i, set := range []string{
			"trap 'echo bye $?' EXIT", "trap -- 'echo bye $?' 0", "trap 'echo bye $?' exit INT", "trap 'echo bye $?' SIGEXIT", "trap 'echo bye $?; exit' EXIT", "set -eu; trap 'echo bye $?' EXIT",
		} {
			s := newShell(t, o)
			name := fmt.Sprintf("d%d", i)
			if got := run(t, s, fmt.Sprintf("%s; mkdir %s; cd %s; export A=%d; exit 3", set, name, name, i)); got != "bye 3\n[exit status 3]" {
				t.Errorf("%s: %q", set, got)
			}
			if got, want := run(t, s, "echo $A $PWD"), fmt.Sprintf("%d %s/%s\n", i, dir, name); got != want {
				t.Errorf("%s: then %q, want %q", set, got, want)
			}
			if got := run(t, s, "type __state __end trap"); strings.Contains(got, "bye") {
				t.Errorf("%s: the trap stays for later commands", set)
			}
		}
		s := newShell(t, o)
		for command, want := range map[string]string{
			"trap 'echo bye' EXIT; trap - EXIT":                               "[no output]",
			"trap 'echo bye' EXIT; trap EXIT; echo x":                         "x\n",
			"(trap 'echo inner' EXIT; true); echo outer":                      "inner\nouter\n",
			"trap 'echo caught' USR1; kill -USR1 $$":                          "caught\n",
			"trap 'echo int; echo $1' EXIT; f() { trap 'echo f' EXIT; }; f":   "f\n",
			"trap 'echo \"it'\"'\"'s\"' EXIT; bash -c \"trap 'echo c' EXIT\"": "c\nit's\n",
		} {
			if got := run(t, s, command); got != want {
				t.Errorf("%s: %q, want %q", command, got, want)
			}
		}
	})
}

func TestTooMuchToCarryOnIsTold(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		s := newShell(t, o)
		run(t, s, "export A=1")
		if got := run(t, s, "export A=2 B=$(head -c 120000 /dev/zero | tr '\\0' x)"); !strings.Contains(got, "too many to be kept") {
			t.Errorf("got %.200q", got)
		}
		if got := run(t, s, "echo $A"); got != "1\n" {
			t.Errorf("then A is %q", got)
		}
	})
}

// Descriptors that the program was started with, or made without O_CLOEXEC, end
// before the command.
func TestInheritedDescriptors(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("TOPSECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	var open []int
	for range 30 {
		fd, err := syscall.Open(secret, syscall.O_RDONLY, 0) // without O_CLOEXEC
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		open = append(open, fd)
	}
	both(t, func(t *testing.T, o shell.Options) {
		s := newShell(t, o)
		got := run(t, s, `for fd in /dev/fd/* /proc/1/fd/*; do [ -f "$fd" ] && cat "$fd"; done 2>/dev/null | tr -d '\0'`)
		if strings.Contains(got, "TOPSECRET") {
			t.Errorf("a descriptor of %v reached the command", open)
		}
		if got := run(t, s, "echo x >&3"); !strings.Contains(got, "Bad file descriptor") {
			t.Errorf("the session's descriptor reached the command: %q", got)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	both(t, func(t *testing.T, o shell.Options) {
		if got := run(t, newShell(t, o), "cat /proc/self/oom_score_adj"); got != "1000\n" && runtime.GOOS == "linux" {
			t.Errorf("the system takes the program before its command when memory runs out: %q", got)
		}
		o.MaxMemoryBytes = 64 << 20
		s := newShell(t, o)
		if got := run(t, s, `x=$(head -c 200000000 /dev/zero | tr '\0' x); echo ${#x}`); strings.Contains(got, "200000000") {
			t.Errorf("got %q", got)
		}
		if got := run(t, s, `x=$(head -c 1000000 /dev/zero | tr '\0' x); echo ${#x}`); got != "1000000\n" {
			t.Errorf("less than the bound: %q", got)
		}
		if o.Confinement != shell.Sandboxed {
			return
		}
		if got := run(t, newShell(t, shell.Options{}), "ulimit -d; ulimit -u; ulimit -f"); got != "4194304\n256\n1048576\n" {
			t.Errorf("the bounds by default are %q", got)
		}
		for _, command := range []string{"head -c 100000000 /dev/zero >/tmp/x && echo GOT", "head -c 100000000 /dev/zero >/dev/shm/x && echo GOT", "head -c 1000 /dev/zero >/dev/x && echo GOT"} {
			if got := run(t, s, command); strings.Contains(got, "GOT") {
				t.Errorf("%s: %q", command, got)
			}
		}
		if got := run(t, s, "echo x >/dev/shm/x && echo x >/dev/null && cat /dev/shm/x"); got != "x\n" {
			t.Errorf("work in memory: %q", got)
		}
	})
}

// What is read-only in the working folder can't be changed, nor be put aside.
func TestReadOnlyInTheWorkingFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a/.git/hooks/pre-commit.sample": "old", ".envrc": "old", "work.txt": "old"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := newShell(t, shell.Options{Dir: dir, ReadOnly: []string{filepath.Join(dir, "a/.git"), filepath.Join(dir, ".envrc")}})
	for _, command := range []string{
		"echo evil > a/.git/hooks/pre-commit", "echo evil > a/.git/config", "rm -rf a/.git", "mv a/.git a/x", "mv a x && mkdir -p a/.git/hooks", "echo evil > .envrc", "rm .envrc", "mv work.txt .envrc",
	} {
		input, _ := json.Marshal(map[string]string{"command": command + " && echo GOT"})
		if r, err := s.Tool().Call(t.Context(), input); err != nil || strings.Contains(string(r.Content[0].Raw()), "GOT") {
			t.Errorf("%s: %v, %v", command, r, err)
		}
	}
	if got := run(t, s, "echo new > work.txt && echo new > a/b && cat a/b .envrc work.txt"); got != "new\noldnew\n" {
		t.Errorf("what isn't protected: %q", got)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "a/.git/hooks")); len(entries) != 1 {
		t.Errorf("hooks: %v", entries)
	}
}
