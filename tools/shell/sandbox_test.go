//go:build unix

package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// takes says how many arguments bubblewrap's options take (bwrap(1)).
var takes = map[string]int{
	"--unshare-all": 0, "--share-net": 0, "--die-with-parent": 0, "--new-session": 0, "--cap-drop": 1, "--hostname": 1,
	"--bind": 2, "--ro-bind": 2, "--ro-bind-try": 2, "--symlink": 2, "--proc": 1, "--dev": 1, "--tmpfs": 1, "--size": 1, "--remount-ro": 1, "--chdir": 1,
}

// read splits a command line for bubblewrap into its options, as bubblewrap does.
func read(t *testing.T, args []string) [][]string {
	var options [][]string
	for len(args) > 0 && args[0] != "--" {
		n, known := takes[args[0]]
		if !known || len(args) < n+1 {
			t.Fatalf("bubblewrap knows no such option: %q", args)
		}
		options = append(options, args[:n+1])
		args = args[n+1:]
	}
	if len(args) != 1 {
		t.Fatalf("the command line ends with %q, not with --", args)
	}
	return options
}

// The command line is right also where no bubblewrap is there to say so.
func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	full := Options{Dir: dir, Network: true, ReadOnly: []string{filepath.Join(dir, "a/.git"), "/srv/data"}, MaxMemoryBytes: 1000}
	for _, o := range []Options{{Dir: dir, MaxMemoryBytes: 1000}, full} {
		for _, sized := range []bool{false, true} {
			options := read(t, bubblewrap(o, sized))
			has := func(option ...string) int {
				return slices.IndexFunc(options, func(o []string) bool { return slices.Equal(o, option) })
			}
			for _, option := range [][]string{{"--unshare-all"}, {"--die-with-parent"}, {"--new-session"}, {"--cap-drop", "ALL"}, {"--ro-bind", "/usr", "/usr"}, {"--proc", "/proc"}, {"--dev", "/dev"}, {"--remount-ro", "/dev"}, {"--tmpfs", "/tmp"}, {"--bind", dir, dir}, {"--chdir", dir}} {
				if has(option...) < 0 {
					t.Errorf("no %q in %q", option, options)
				}
			}
			if got := has("--share-net") >= 0; got != o.Network {
				t.Errorf("the network is shared: %v, want %v", got, o.Network)
			}
			for _, option := range options { // nothing else of the machine
				if option[0] == "--bind" && option[1] != dir && option[1] != filepath.Join(dir, "a") || strings.HasSuffix(option[0], "bind") && option[1] == "/" {
					t.Errorf("%q", option)
				}
				if (option[0] == "--size") && (!sized || option[1] != "1000") {
					t.Errorf("%q", option)
				}
			}
			for _, folder := range []string{"/tmp", "/dev/shm"} {
				at := has("--tmpfs", folder)
				if at < 0 || (options[at-1][0] == "--size") != sized {
					t.Errorf("%s is %q", folder, options)
				}
			}
			if len(o.ReadOnly) > 0 {
				folder, pinned, protected := has("--bind", dir, dir), has("--bind", dir+"/a", dir+"/a"), has("--ro-bind", dir+"/a/.git", dir+"/a/.git")
				if !(folder >= 0 && folder < pinned && pinned < protected) || has("--ro-bind", "/srv/data", "/srv/data") < 0 {
					t.Errorf("the folders that may only be read: %q", options)
				}
			}
		}
	}
}

// No folder above one that may only be read can be put aside, however far above.
func TestFoldersAboveAreHeld(t *testing.T) {
	dir := t.TempDir()
	options := read(t, bubblewrap(Options{Dir: dir, ReadOnly: []string{filepath.Join(dir, "a/b/c/.git")}}, false))
	last := -1
	for _, option := range [][]string{{"--bind", dir, dir}, {"--bind", dir + "/a", dir + "/a"}, {"--bind", dir + "/a/b", dir + "/a/b"}, {"--bind", dir + "/a/b/c", dir + "/a/b/c"}, {"--ro-bind", dir + "/a/b/c/.git", dir + "/a/b/c/.git"}} {
		at := slices.IndexFunc(options, func(o []string) bool { return slices.Equal(o, option) })
		if at <= last {
			t.Errorf("%q stands at %d of %q", option, at, options)
		}
		last = at
	}
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		dir, name string
		want      bool
	}{{"/a", "/a/b", true}, {"/a", "/a/b/c", true}, {"/a", "/a", false}, {"/a", "/ab", false}, {"/a", "/", false}, {"/a", "/a/..b", true}} {
		if _, got := within(test.dir, test.name); got != test.want {
			t.Errorf("%s in %s: %v", test.name, test.dir, got)
		}
	}
}

func TestReadOnlyHasToExist(t *testing.T) {
	dir := t.TempDir()
	if _, err := New(Options{Dir: dir, Confinement: Unconfined, ReadOnly: []string{filepath.Join(dir, "none")}}); err == nil || !strings.Contains(err.Error(), "ReadOnly") {
		t.Errorf("error is %v", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/usr", link); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Dir: dir, Confinement: Unconfined, ReadOnly: []string{link}})
	if err != nil || s.options.ReadOnly[0] != "/usr" {
		t.Errorf("a link: %+v, %v", s, err)
	}
}
