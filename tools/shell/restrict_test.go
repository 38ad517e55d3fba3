//go:build linux

package shell

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// asUser runs the test again as an ordinary user if this is root, who may read what
// others may not. It reports whether the test is done with that.
func asUser(t *testing.T) bool {
	if os.Geteuid() != 0 {
		return false
	}
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("/proc/self/fd/3", "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.ExtraFiles = []*os.File{file}
	cmd.Dir, cmd.Env = "/tmp", []string{"PATH=/usr/bin:/bin", "TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skip("no ordinary user here: ", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as an ordinary user: %v\n%s", err, out)
	}
	return true
}

// restricted runs a command from a thread that is restricted as for a version.
func restricted(t *testing.T, version int, sandboxed bool, command string) string {
	out := make(chan string)
	onOwnThread(func() {
		if err := restrict(version, sandboxed); err != nil {
			out <- "restrict: " + err.Error()
			return
		}
		text, _ := exec.Command("/bin/bash", "-c", command).CombinedOutput()
		out <- string(text)
	})
	return <-out
}

func TestRestrict(t *testing.T) {
	have := landlockVersion()
	if have < versionOfRefer {
		t.Skip("this system's Landlock has version ", have)
	}
	if asUser(t) {
		return
	}
	pid := os.Getpid()
	dir := t.TempDir()
	open, err := os.Create(dir + "/open")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for _, version := range []int{versionOfRefer, versionOfScope} {
		if version > have {
			continue
		}
		for command, want := range map[string]string{
			fmt.Sprintf("cat /proc/%d/environ && echo GOT", pid):                                                        "cat: /proc/PID/environ: Permission denied\n",
			fmt.Sprintf("head -c 1 /proc/%d/mem && echo GOT", pid):                                                      "head: cannot open '/proc/PID/mem' for reading: Permission denied\n",
			fmt.Sprintf("cat /proc/%d/fd/%d && echo GOT", pid, open.Fd()):                                               "cat: /proc/PID/fd/FD: Permission denied\n",
			"sleep 9 & kill $! && cat /proc/self/environ >/dev/null && echo own":                                        "own\n",
			fmt.Sprintf("cd %s; mkdir -p a b && echo x > a/f && mv a/f b/f && ln b/f a/g && cat a/g && rm -r a b", dir): "x\n",
		} {
			if got := strings.NewReplacer(fmt.Sprint(pid), "PID", fmt.Sprintf("fd/%d", open.Fd()), "fd/FD").Replace(restricted(t, version, false, command)); got != want {
				t.Errorf("version %d: %s: %q, want %q", version, command, got, want)
			}
		}
	}
	if got := restricted(t, versionOfRefer, true, "true"); !strings.HasPrefix(got, "restrict:") {
		t.Errorf("a restriction that forbids mounts comes before the sandbox: %q", got)
	}
	if got, _ := exec.Command("/bin/bash", "-c", fmt.Sprintf("cat /proc/%d/environ | head -c 1", pid)).Output(); len(got) != 1 {
		t.Errorf("other threads are restricted as well: %q", got)
	}
	if have >= versionOfScope {
		if got := restricted(t, versionOfScope, false, fmt.Sprintf("kill -0 %d && echo GOT", pid)); strings.Contains(got, "GOT") {
			t.Errorf("signals reach the program: %q", got)
		}
	}
}

// Without the sandbox commands have the program's rights, but they can't read
// its keys out of its environment, memory and descriptors.
func TestProgramCantBeReadByItsCommands(t *testing.T) {
	have := landlockVersion()
	if have < versionOfRefer {
		t.Skip("this system's Landlock has version ", have)
	}
	if asUser(t) {
		return
	}
	const read = `for f in /proc/$PPID/environ /proc/$PPID/task/*/environ; do [ "$(head -c 3 $f | wc -c)" != 3 ] || echo READ $f; done 2>/dev/null`
	for _, o := range append(slices.Repeat([]Options{{Confinement: Unconfined}}, 8), []Options{{Confinement: Unconfined}, {Confinement: AskFirst}, {Confinement: Unconfined, GainPrivileges: true}}...) {
		o.Dir = t.TempDir()
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(t.Context(), read)
		if got := strings.Contains(out.Text, "READ"); err != nil || got != o.GainPrivileges {
			t.Errorf("%+v: the program's environment is read: %v (%q, %v)", o, got, out.Text, err)
		}
	}
}

func TestAbstractSocketsOfTheMachine(t *testing.T) {
	if have := landlockVersion(); have < versionOfScope {
		t.Skip("this system's Landlock has version ", have)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no program here to connect with: ", err)
	}
	listener, err := net.Listen("unix", fmt.Sprintf("@whorl-shell-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s, err := New(Options{Dir: t.TempDir(), Network: true})
	if err != nil {
		t.Skip(err)
	}
	out, err := s.Run(t.Context(), fmt.Sprintf(`python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("\0whorl-shell-%d"); print("GOT")'`, os.Getpid()))
	if err != nil || strings.Contains(out.Text, "GOT") || !strings.Contains(out.Text, "PermissionError") {
		t.Errorf("%q, %v", out.Text, err)
	}
}

// A command begins after the thread that it was started from has ended, and this
// is not the program's first thread, which doesn't end.
func TestCommandsOutwaitTheirThread(t *testing.T) {
	if landlockVersion() < versionOfRefer {
		t.Skip("no Landlock here")
	}
	for range 3 {
		cmd := exec.Command("/bin/bash", "--noprofile", "--norc", "-c", `echo "$1"`, "whorl", "")
		var out strings.Builder
		cmd.Stdout = &out
		ended, err := start(cmd, true, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil || out.Len() < 2 || out.String() == fmt.Sprintln(os.Getpid()) {
			t.Errorf("the command is told to wait for the thread %q (%v)", out.String(), err)
		}
	}

	const many = 64
	threads, release := make(chan int), make(chan struct{})
	for range many {
		onOwnThread(func() { threads <- syscall.Gettid(); <-release })
	}
	one := 0
	for range many {
		if one = <-threads; one == os.Getpid() {
			t.Error("the program's first thread is restricted")
		}
	}
	var released atomic.Bool
	time.AfterFunc(50*time.Millisecond, func() { released.Store(true); close(release) })
	cmd := exec.Command("/bin/bash", "--noprofile", "--norc", "-c", launcher, "whorl", fmt.Sprint(one), "/bin/echo", "begun")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "begun\n" || !released.Load() {
		t.Errorf("%q, %v; the thread had ended: %v", out, err, released.Load())
	}
}
