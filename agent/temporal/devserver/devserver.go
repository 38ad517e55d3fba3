// Package devserver starts Temporal's dev server, for tests and measurements. Its
// server.sh builds the server.
package devserver

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
)

// A Server is a running server. It listens on 127.0.0.1.
type Server struct {
	Address string // host and port

	file    string
	options []string
	cmd     *exec.Cmd
}

// script is embedded, since a program that is built with -trimpath does not know where
// its source is.
//
//go:embed server.sh
var script string

func command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "bash", append([]string{"-c", script, "server.sh"}, args...)...)
}

// Start builds the server, if it isn't yet, and starts it with its state in a file of
// the folder dir. Options are those of "temporal server start-dev".
func Start(ctx context.Context, dir string, options ...string) (*Server, error) {
	s := &Server{file: filepath.Join(dir, "temporal.db"), options: options}
	if out, err := command(ctx).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the server: %w: %.500s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.Address = l.Addr().String()
	l.Close()
	return s, s.Restart(ctx)
}

// Restart kills the server, if it runs, and starts it again with the same state.
func (s *Server) Restart(ctx context.Context) error {
	s.Kill()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	cmd := command(context.WithoutCancel(ctx), append([]string{port, s.file}, s.options...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	for {
		c, err := s.Dial()
		if err == nil {
			_, err = c.CheckHealth(ctx, &client.CheckHealthRequest{})
			c.Close()
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("the server does not start: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Dial connects to the server.
func (s *Server) Dial() (client.Client, error) {
	return client.Dial(client.Options{HostPort: s.Address, Logger: quiet{}})
}

// Kill ends the server at once, as a power cut does. Its state stays.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
