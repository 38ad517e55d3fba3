//go:build unix && !linux

package shell

import "os/exec"

func start(cmd *exec.Cmd, _, _ bool) (<-chan error, error) { return startPlainly(cmd) }
