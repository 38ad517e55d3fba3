//go:build unix

package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Run runs one command of the session and waits until it has ended. The error is not
// nil if the command could not be run; a command that fails is not an error. If ctx
// ends first, Run kills the command and returns the context's cause.
func (s *Shell) Run(ctx context.Context, command string) (Output, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return Output{}, context.Cause(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	own := 0 // whether the processes in /proc are the command's own
	if s.options.Confinement == Sandboxed {
		own = 1
	}
	args := []string{s.bash, "--noprofile", "--norc", "-c", launcher, "whorl", ""}
	args = append(args, s.wrap...)
	args = append(args, s.bash, "--noprofile", "--norc", "-c", script, "whorl",
		command, fmt.Sprint(s.options.MaxFileBytes/1024), fmt.Sprint(s.options.MaxProcesses), fmt.Sprint(s.options.MaxMemoryBytes/1024), fmt.Sprint(own), s.state, s.dir)
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
	ended, err := start(cmd, s.restricted, s.options.Confinement == Sandboxed)
	writer.Close()
	if err != nil {
		return Output{}, fmt.Errorf("shell: %w", err)
	}
	states := make(chan string, 1)
	go func() {
		state, _ := io.ReadAll(io.LimitReader(reader, 2*maxState))
		states <- string(state)
	}()
	err = <-ended
	background := groupOf(cmd.Process.Pid)
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
	if parts := strings.SplitN(state, "\x00", 3); len(parts) == 3 {
		if len(parts[1]) <= maxState {
			s.dir, s.state = parts[0], parts[1]
		} else {
			out.Forgot = true
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(parts[2], "\x00"), "\x00") {
			background = append(background, name)
		}
	}
	out.Ended = tidy(background)
	return out, nil
}

// startPlainly starts a command. The channel gives what cmd.Wait returns.
func startPlainly(cmd *exec.Cmd) (<-chan error, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended, nil
}

// groupOf names the processes of a group, zombies aside.
func groupOf(group int) []string {
	if err := syscall.Kill(-group, 0); err != nil {
		return nil
	}
	time.Sleep(50 * time.Millisecond) // what was just started has its name soon, and what is ending has ended
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	if len(files) == 0 {
		return []string{"a process"}
	}
	var names []string
	for _, file := range files {
		data, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(data), "(")
		at := strings.LastIndex(rest, ") ")
		if at < 0 {
			continue // it has ended
		}
		fields := strings.Fields(rest[at+2:]) // state, parent, group
		if len(fields) > 2 && fields[2] == fmt.Sprint(group) && !strings.Contains("ZX", fields[0]) {
			names = append(names, rest[:at])
		}
	}
	return names
}

// tidy is a short list of the names, each once.
func tidy(names []string) []string {
	var list []string
	for _, name := range names {
		if name = strings.ToValidUTF8(name, "\uFFFD"); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list[:min(len(list), 10)]
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
