//go:build !unix

// Package pgserver starts a PostgreSQL server for tests, from the programs that
// are installed on the machine.
package pgserver

import (
	"context"
	"errors"
	"time"
)

// ErrNotInstalled means that there is no PostgreSQL on the machine.
var ErrNotInstalled = errors.New("a PostgreSQL server for tests is started on Unix only")

// A Server is a running server.
type Server struct{ URL string }

// Start fails with ErrNotInstalled.
func Start() (*Server, error) { return nil, ErrNotInstalled }

// StartDurable fails with ErrNotInstalled.
func StartDurable() (*Server, error) { return nil, ErrNotInstalled }

// Restart does nothing.
func (s *Server) Restart() error { return ErrNotInstalled }

// Pooler fails with ErrNotInstalled.
func (s *Server) Pooler() (url string, err error) { return "", ErrNotInstalled }

// Stop does nothing.
func (s *Server) Stop() error { return nil }

// Ahead fails with ErrNotInstalled.
func (s *Server) Ahead(ctx context.Context, by time.Duration) (url string, err error) {
	return "", ErrNotInstalled
}

// Halt does nothing.
func (s *Server) Halt() error { return ErrNotInstalled }
