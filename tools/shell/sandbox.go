package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// find finds a program where the system keeps its own, whatever the PATH.
func find(name string) (string, error) {
	for _, dir := range []string{"/usr/bin", "/bin", "/usr/local/bin"} {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no %s in /usr/bin, /bin or /usr/local/bin", name)
}

// sandbox makes the command line of bubblewrap, and tries it.
func sandbox(o Options) ([]string, error) {
	bwrap, err := find("bwrap")
	if err != nil {
		return nil, err
	}
	args := []string{bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"}
	if o.Network {
		args = append(args, "--share-net")
	}
	args = append(args, "--ro-bind", "/usr", "/usr")
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if target, err := os.Readlink(dir); err == nil {
			args = append(args, "--symlink", target, dir)
		} else {
			args = append(args, "--ro-bind-try", dir, dir)
		}
	}
	etc := []string{"/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/mime.types"}
	if o.Network {
		etc = append(etc, "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/ca-certificates", "/etc/pki")
	}
	for _, file := range etc {
		args = append(args, "--ro-bind-try", file, file)
	}
	args = append(args, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")
	for _, dir := range o.ReadOnly {
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
		args = append(args, "--ro-bind", dir, dir)
	}
	args = append(args, "--bind", o.Dir, o.Dir, "--chdir", o.Dir, "--")

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], append(args[1:len(args):len(args)], "/usr/bin/true")...).CombinedOutput()
	if err != nil {
		return nil, errors.New(strings.TrimSpace("bubblewrap doesn't work here: " + err.Error() + " " + string(out)))
	}
	return args, nil
}
