package shell

import (
	"bytes"
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

// sandbox finds bubblewrap and the command line for it, and tries it. restricted
// says that it works from a thread that is restricted, which it doesn't where
// bubblewrap needs privileges.
func sandbox(o Options) (args []string, restricted bool, err error) {
	bwrap, err := find("bwrap")
	if err != nil {
		return nil, false, err
	}
	for _, restricted := range []bool{true, false} {
		for _, sized := range []bool{true, false} { // before version 0.7 it knows no sizes
			args = append([]string{bwrap}, bubblewrap(o, sized)...)
			if err = try(args, restricted); err == nil {
				return args, restricted, nil
			}
		}
	}
	return nil, false, err
}

// bubblewrap is the sandbox as bubblewrap's arguments, up to the program. sized
// bounds what can be written to folders that are in memory.
func bubblewrap(o Options, sized bool) []string {
	args := []string{"--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"}
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
	memory := func(dir string) {
		if sized {
			args = append(args, "--size", fmt.Sprint(o.MaxMemoryBytes))
		}
		args = append(args, "--tmpfs", dir)
	}
	args = append(args, "--proc", "/proc", "--dev", "/dev")
	memory("/dev/shm")
	args = append(args, "--remount-ro", "/dev")
	memory("/tmp")
	for _, dir := range o.ReadOnly {
		if _, inside := within(o.Dir, dir); !inside {
			args = append(args, "--ro-bind", dir, dir)
		}
	}
	args = append(args, "--bind", o.Dir, o.Dir)
	for _, dir := range o.ReadOnly {
		// What is mounted can't be renamed or removed, but the folders above it can: so
		// they are mounted as well.
		rest, inside := within(o.Dir, dir)
		if !inside {
			continue
		}
		at, parts := o.Dir, strings.Split(rest, "/")
		for _, part := range parts[:len(parts)-1] {
			at = filepath.Join(at, part)
			args = append(args, "--bind", at, at)
		}
	}
	for _, dir := range o.ReadOnly {
		if _, inside := within(o.Dir, dir); inside {
			args = append(args, "--ro-bind", dir, dir)
		}
	}
	return append(args, "--chdir", o.Dir, "--")
}

// within is the path of name below dir.
func within(dir, name string) (rest string, inside bool) {
	rest, err := filepath.Rel(dir, name)
	return rest, err == nil && rest != "." && filepath.IsLocal(rest)
}

// try runs a program that does nothing in the sandbox.
func try(args []string, restricted bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], append(args[1:len(args):len(args)], "/usr/bin/true")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended, err := start(cmd, restricted, true)
	if err == nil {
		err = <-ended
	}
	if err != nil {
		return errors.New(strings.TrimSpace("bubblewrap doesn't work here: " + err.Error() + " " + out.String()))
	}
	return nil
}
