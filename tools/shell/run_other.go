//go:build !unix

package shell

import (
	"context"
	"errors"
)

// Run fails: this system has no process groups to end a command by.
func (s *Shell) Run(context.Context, string) (Output, error) {
	return Output{}, errors.New("shell: commands run on Unix systems only")
}
