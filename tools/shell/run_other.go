//go:build !unix

package shell

import (
	"context"
	"errors"
	"os/exec"
)

// Run fails: this system has no process groups to end a command by.
func (s *Shell) Run(context.Context, string) (Output, error) {
	return Output{}, errors.New("shell: commands run on Unix systems only")
}

func start(cmd *exec.Cmd, _, _ bool) (<-chan error, error) {
	return nil, errors.New("shell: commands run on Unix systems only")
}
