package textfile

import (
	"io/fs"
	"os"
	"path"
	"strings"
)

// Resolve follows the links in name, inside of root, and returns the name of what
// they lead to. Where that can't be told, because something isn't there or leads
// out of the root, it returns what it has found so far: opening it will fail.
func Resolve(root *os.Root, name string) string {
	const most = 40 // links on the way
	done, rest := ".", name
	for links := 0; rest != ""; {
		part, behind, _ := strings.Cut(rest, "/")
		at := path.Join(done, part) // done has no links in it, so ".." is what it says
		if part == ".." && done == "." || links == most {
			return path.Join(done, rest)
		}
		info, err := root.Lstat(at)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			done, rest = at, behind
			continue
		}
		target, err := root.Readlink(at)
		if err != nil || path.IsAbs(target) {
			return path.Join(at, behind)
		}
		links++
		rest = strings.TrimSuffix(target+"/"+behind, "/")
	}
	return done
}
