// Package nginxtest starts nginx for tests.
package nginxtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Wanted reports whether WHORL_NGINX is set: a test that needs nginx must run then, and
// may take minutes.
func Wanted() bool { return os.Getenv("WHORL_NGINX") != "" }

// Start starts nginx with what the block server holds, such as a location. It returns the
// Unix socket that nginx listens on. Without nginx the test is skipped, or fails if it is
// Wanted.
func Start(t *testing.T, server string) (socket string) {
	t.Helper()
	nginx := ""
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			nginx = path
		}
	}
	if nginx == "" && Wanted() {
		t.Fatal("WHORL_NGINX is set, and there is no nginx: install Debian's package nginx-light")
	}
	if nginx == "" {
		t.Skip("no nginx here, so nothing is tested behind it: install Debian's package nginx-light")
	}
	dir, err := os.MkdirTemp("", "nginx") // t.TempDir's names may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "socket")
	var temp strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s/%s;\n", name, dir, name)
	}
	config := fmt.Sprintf("daemon off;\nmaster_process off;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%sserver {\nlisten unix:%s;\n%s\n}\n}\n", dir, &temp, socket, server)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command(nginx, "-p", dir, "-c", file, "-e", "stderr")
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx: %s", &out)
		}
	})
	for range 1000 {
		if conn, err := net.Dial("unix", socket); err == nil {
			_ = conn.Close()
			return socket
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nginx does not listen")
	return ""
}

// Client returns a client that finds every host at an address, such as a socket of Start.
func Client(t *testing.T, network, addr string) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
