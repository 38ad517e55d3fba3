//go:build unix

package pgserver

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Pooler starts PgBouncer in front of the server, in transaction mode and with
// few connections, and returns the URL to connect with. It fails with
// ErrNotInstalled if there is none on the machine. Stop stops it.
func (s *Server) Pooler() (url string, err error) {
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		if path = "/usr/sbin/pgbouncer"; !exists(path) {
			return "", fmt.Errorf("%w: no pgbouncer", ErrNotInstalled)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	users := filepath.Join(s.dir, "users.txt")
	config := fmt.Sprintf(`[databases]
postgres = host=127.0.0.1 port=%s dbname=postgres user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 4
logfile = %s
`, s.port, port, users, filepath.Join(s.dir, "pooler.log"))
	ini := filepath.Join(s.dir, "pooler.ini")
	for name, text := range map[string]string{ini: config, users: "\"postgres\" \"\"\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	cmd := exec.Command(path, "-q", ini)
	cred, err := owner()
	if err != nil {
		return "", err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.pooler = cmd
	for range 100 {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			return "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable", nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", fmt.Errorf("pgbouncer does not start: see %s", filepath.Join(s.dir, "pooler.log"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
