//go:build unix

// Package pgserver starts a PostgreSQL server for tests, from the programs that
// are installed on the machine.
package pgserver

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrNotInstalled means that there is no PostgreSQL on the machine.
var ErrNotInstalled = errors.New("no PostgreSQL server is installed: neither initdb in the PATH nor /usr/lib/postgresql/*/bin/initdb")

// A Server is a running server with an empty database. It listens on 127.0.0.1.
type Server struct {
	URL string // to connect with

	dir, bin, port string
	settings       []string // of the server
	cmd            *exec.Cmd
	pooler         *exec.Cmd
}

// Start makes a database in a temporary folder and starts a server on it. The server
// keeps what it confirms through Restart, but doesn't wait for the disk, which costs
// most of what tests do.
func Start() (*Server, error) { return start("fsync=off", "full_page_writes=off") }

// StartDurable is [Start] for measurements: the server waits for the disk, as those in
// production do.
func StartDurable() (*Server, error) { return start() }

func start(settings ...string) (*Server, error) {
	s := &Server{settings: settings}
	if path, err := exec.LookPath("initdb"); err == nil {
		s.bin = filepath.Dir(path)
	} else if paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(paths) > 0 {
		s.bin = filepath.Dir(paths[len(paths)-1])
	} else {
		return nil, ErrNotInstalled
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	l.Close()
	if s.dir, err = os.MkdirTemp("", "postgres"); err != nil {
		return nil, err
	}
	s.URL = "postgres://postgres@127.0.0.1:" + s.port + "/postgres?sslmode=disable"
	if err := s.init(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Restart(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) init() error {
	if owner, err := owner(); err != nil {
		return err
	} else if owner != nil {
		if err := os.Chown(s.dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	cmd, err := s.command("initdb", "--no-sync", "-D", s.dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// owner is the user to run as: the server refuses to run as root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("the server can't run as root: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

func (s *Server) command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cred, err := owner()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	return cmd, err
}

// Restart starts the server, after stopping it if it runs. Its clients are cut off.
func (s *Server) Restart() error {
	if err := s.halt(); err != nil {
		return err
	}
	args := []string{"-D", s.dir + "/data", "-p", s.port}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=" + s.dir}, s.settings...) {
		args = append(args, "-c", setting)
	}
	cmd, err := s.command("postgres", args...)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	var said []byte
	for range 200 {
		if said, err = os.ReadFile(log.Name()); err == nil && bytes.Contains(said, []byte("ready to accept connections")) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the server does not start: %s", said)
}

// Halt stops the server until Restart. Its clients are cut off.
func (s *Server) Halt() error { return s.halt() }

func (s *Server) halt() error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil { // fast shutdown
		return err
	}
	return cmd.Wait()
}

// Stop stops the server and removes its folder.
func (s *Server) Stop() error {
	if s.pooler != nil {
		s.pooler.Process.Kill()
		s.pooler.Wait()
	}
	return errors.Join(s.halt(), os.RemoveAll(s.dir))
}
