package shell

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

// Landlock of the kernel: https://docs.kernel.org/userspace-api/landlock.html.
const (
	landlockCreateRuleset = 444
	landlockAddRule       = 445
	landlockRestrictSelf  = 446

	createVersion = 1
	ruleBeneath   = 1

	fsMakeBlock    = 1 << 11
	fsRefer        = 1 << 13
	scopeAbstract  = 1 << 0 // abstract Unix sockets of processes outside
	scopeSignal    = 1 << 1 // signals to processes outside
	noNewPrivs     = 38     // PR_SET_NO_NEW_PRIVS
	openPath       = 0x200000
	versionOfRefer = 2
	versionOfScope = 6
)

type ruleset struct{ fs, net, scoped uint64 }

// A beneath is a rule for what is below a folder. The kernel's struct is packed.
type beneath struct {
	access uint64
	parent int32
}

// start starts a command, if it is to be restricted from a thread of its own. The
// channel gives what cmd.Wait returns.
func start(cmd *exec.Cmd, restricted, sandboxed bool) (<-chan error, error) {
	version := landlockVersion()
	if version == 0 || !restricted {
		return startPlainly(cmd)
	}
	started, ended := make(chan error), make(chan error, 1)
	onOwnThread(func() {
		if restrict(version, sandboxed) == nil && !sandboxed { // as far as the system allows
			// The command could read this thread, which is restricted like itself.
			cmd.Args[launcherThread] = fmt.Sprint(syscall.Gettid())
		}
		err := cmd.Start()
		started <- err
		if err == nil && sandboxed { // bubblewrap dies with the thread that it was started from
			ended <- cmd.Wait()
		}
	})
	if err := <-started; err != nil {
		return nil, err
	}
	if !sandboxed {
		go func() { ended <- cmd.Wait() }()
	}
	return ended, nil
}

// onOwnThread runs f on a thread that ends with it. The first thread of a program
// doesn't end, and stands for the program to others.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() != syscall.Getpid() {
			f()
			return // without unlocking, which ends the thread
		}
		defer runtime.UnlockOSThread()
		other := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(other) // another thread, since the first one is taken
			f()
		}()
		<-other
	}()
}

// landlockVersion is 0 where there is no Landlock.
func landlockVersion() int {
	version, _, errno := syscall.RawSyscall(landlockCreateRuleset, 0, 0, createVersion)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// restrict keeps the calling thread, and what is started from it, from looking
// into the processes outside: their environment, memory and descriptors in /proc,
// ptrace. From version 6 of Landlock on, it keeps them from signals to those
// processes and from their abstract sockets as well. It forbids nothing else,
// apart from gaining privileges. sandboxed says that bubblewrap comes next, which
// has to mount.
//
// The thread stays restricted: it must end with its goroutine.
func restrict(version int, sandboxed bool) error {
	var r ruleset
	size := unsafe.Sizeof(r)
	switch {
	case version >= versionOfScope:
		r.scoped = scopeAbstract | scopeSignal
	case version >= versionOfRefer && !sandboxed:
		r.fs, size = fsMakeBlock|fsRefer, unsafe.Sizeof(r.fs)
	default:
		return syscall.ENOSYS
	}
	fd, _, errno := syscall.RawSyscall(landlockCreateRuleset, uintptr(unsafe.Pointer(&r)), size, 0)
	if errno != 0 {
		return errno
	}
	defer syscall.Close(int(fd))
	if r.fs != 0 {
		root, err := syscall.Open("/", openPath|syscall.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(root)
		rule := beneath{r.fs, int32(root)} // everywhere, so that nothing of it is forbidden
		if _, _, errno := syscall.RawSyscall6(landlockAddRule, fd, ruleBeneath, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
			return errno
		}
	}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, noNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(landlockRestrictSelf, fd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
