package rewind

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/files"
)

var errIrregular = errors.New("not a regular file")

// look returns what there is at a path.
func look(root *os.Root, name string) (v files.Version, err error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return v, nil
	case err != nil:
		return v, err
	case info.Mode()&fs.ModeSymlink != 0:
		v.Link, err = root.Readlink(name)
		return v, err
	case !info.Mode().IsRegular():
		return v, errIrregular
	}
	data, err := root.ReadFile(name)
	if err != nil {
		return v, err
	}
	return files.Version{Ref: memory.Blob{Data: data}.Sum(), Mode: info.Mode().Perm()}, nil
}

// Apply restores the files. It replaces each in one step. It fails with a
// [*ConflictError], and changes nothing, if there are conflicts and OnConflict isn't
// Leave, or if a file was changed since the plan was made; with a [*FolderError] if the
// folder was moved; and with a [*FileError] if a file can't be written.
func (p *Plan) Apply(ctx context.Context) error {
	conflicts := p.Conflicts
	if p.onConflict == Leave {
		conflicts = nil
	}
	if err := inPlace(p.root, p.folder); err != nil {
		return err
	}
	for _, f := range p.Files {
		now, err := look(p.root, f.Path)
		if err != nil || !same(now, f.Now) {
			conflicts = append(slices.Clip(conflicts), Conflict{Path: f.Path, Reason: Changed, Now: now, Want: f.Want, Err: err})
		}
	}
	if len(conflicts) > 0 {
		return &ConflictError{Folder: p.folder, Conflicts: conflicts}
	}
	var done []string
	fail := func(name string, err error) error {
		return &FileError{Folder: p.folder, Path: name, Done: done, Err: err}
	}
	gone := func(f File) bool { return same(f.Want, files.Version{}) }
	for _, f := range p.Files { // first, so that a folder may become a file
		if !gone(f) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fail(f.Path, err)
		}
		if err := p.root.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(f.Path, err)
		}
		done = append(done, f.Path)
	}
	p.removeFolders()
	for _, f := range p.Files {
		if gone(f) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fail(f.Path, err)
		}
		if err := p.put(f); err != nil {
			return fail(f.Path, err)
		}
		done = append(done, f.Path)
	}
	return nil
}

// removeFolders removes folders that the tools have made, if they are empty.
func (p *Plan) removeFolders() {
	var dirs []string
	for _, f := range p.Files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if slices.ContainsFunc(p.made, func(made string) bool { return dir == made || strings.HasPrefix(dir, made+"/") }) {
				dirs = append(dirs, dir)
			}
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return len(b) - len(a) })
	for _, dir := range slices.Compact(dirs) {
		if info, err := p.root.Lstat(dir); err == nil && info.IsDir() {
			_ = p.root.Remove(dir) // somebody else's files may be in it
		}
	}
}

// put puts a file or a link in its place.
func (p *Plan) put(f File) error {
	dir := path.Dir(f.Path)
	if dir != "." {
		if err := p.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	temp := path.Join(dir, ".~"+rand.Text())
	var err error
	if f.Want.Link != "" {
		err = p.root.Symlink(f.Want.Link, temp)
	} else {
		err = p.write(temp, f)
	}
	if err == nil {
		err = p.root.Rename(temp, f.Path)
	}
	if err != nil {
		return errors.Join(err, removed(p.root.Remove(temp)))
	}
	return nil
}

func removed(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("a temporary file is left: %w", err)
}

func (p *Plan) write(name string, f File) error {
	mode := f.Want.Mode
	if mode == 0 {
		mode = 0o644
	}
	file, err := p.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(f.data)
	if err == nil && f.Want.Mode != 0 {
		err = file.Chmod(f.Want.Mode) // whatever the umask is
	}
	return errors.Join(err, file.Sync(), file.Close())
}
