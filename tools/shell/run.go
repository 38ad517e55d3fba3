//go:build unix

package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// script restores the session ($4, $5), sets limits ($2, $3), and runs the
// command ($1). A trap tells the new state of the session on file descriptor 3,
// so that exit doesn't lose it: the directory, a NUL, and a script that restores
// exported variables and functions. The command itself doesn't have the
// descriptor.
const script = `
__state() { ( printf '%s\0' "$PWD"; unset PWD OLDPWD SHLVL; declare -x; declare -f ) >&3; } 2>/dev/null
trap __state EXIT
ulimit -c 0
ulimit -f "$2"
[ "$3" = 0 ] || ulimit -u "$3"
eval "$4"
cd -- "$5" 2>/dev/null || echo "[the folder $5 is gone; this is $PWD]"
eval "$1" 3>&-
`

// Run runs one command of the session and waits until it has ended. The error
// is for what went wrong before or around it; a command that fails is an
// Output. If ctx ends first the command is killed and the cause is the error.
func (s *Shell) Run(ctx context.Context, command string) (Output, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	args := append(s.wrap[:len(s.wrap):len(s.wrap)], s.bash, "--noprofile", "--norc", "-c", script, "whorl",
		command, fmt.Sprint(s.options.MaxFileBytes/1024), fmt.Sprint(s.options.MaxProcesses), s.state, s.dir)
	cmd := exec.CommandContext(limited, args[0], args[1:]...)
	cmd.Dir = s.options.Dir
	cmd.Env = s.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = 500 * time.Millisecond // for output that a process outside of the group holds open

	output := &keeper{most: s.options.MaxOutputBytes / 2}
	cmd.Stdout, cmd.Stderr = output, output
	reader, writer, err := os.Pipe()
	if err != nil {
		return Output{}, fmt.Errorf("shell: %w", err)
	}
	defer reader.Close()
	cmd.ExtraFiles = []*os.File{writer}
	err = cmd.Start()
	writer.Close()
	if err != nil {
		return Output{}, fmt.Errorf("shell: %w", err)
	}
	states := make(chan string, 1)
	go func() {
		state, _ := io.ReadAll(io.LimitReader(reader, maxState+1))
		states <- string(state)
	}()
	err = cmd.Wait()
	_ = killGroup(cmd.Process.Pid)                          // what it left behind
	_ = reader.SetReadDeadline(time.Now().Add(time.Second)) // whoever else may hold the pipe
	state := <-states

	if ctx.Err() != nil {
		return Output{}, context.Cause(ctx)
	}
	out := Output{Text: output.String(), TimedOut: limited.Err() != nil}
	var exit *exec.ExitError
	switch {
	case out.TimedOut:
		out.Status = 128 + int(syscall.SIGKILL)
	case errors.As(err, &exit):
		out.Status = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			out.Status = 128 + int(status.Signal())
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return Output{}, fmt.Errorf("shell: %w", err)
	}
	if dir, restore, ok := strings.Cut(state, "\x00"); ok && len(state) <= maxState {
		s.dir, s.state = dir, restore
	}
	return out, nil
}

func killGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func (s *Shell) environment() []string {
	home := s.options.Dir
	if s.options.Confinement == Sandboxed {
		home = "/tmp"
	}
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "LANG=C.UTF-8", "TERM=dumb"}
	return append(env, s.options.Env...)
}
