package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/textfile"
)

// NoteChange is the name of the note that a tool leaves in the conversation before
// it changes a file of a folder that is followed. Its data is a [Change] in JSON.
const NoteChange = "file.change"

// A Change says what a tool is about to do to a file. That it stands in the log
// doesn't mean that it was done: the program may have ended before.
type Change struct {
	Folder string  `json:"folder"` // [Options.Follow]
	Path   string  `json:"path"`   // inside the folder, with slashes, as its parents are without links
	Before Version `json:"before"`
	After  Version `json:"after"`
	// Made is the uppermost folder on the way to the file that is made with it; empty
	// if there are all.
	Made string `json:"made,omitempty"`
}

// A Version is what there is at a path. The zero Version is nothing.
type Version struct {
	// Ref is the reference by which [tools.Host] has kept the content of a file.
	Ref string `json:"ref,omitempty"`
	// Mode are the permissions of the file; 0 means those of a new file.
	Mode fs.FileMode `json:"mode,omitempty"`
	// Link is the target of a symbolic link, in the place of a file.
	Link string `json:"link,omitempty"`
}

// follow keeps what is at a name and what will be there, and notes both in the
// conversation. Outside of a run it does nothing.
func (f *folder) follow(ctx context.Context, name string, data []byte) error {
	host, ok := tools.HostOf(ctx)
	if f.Follow == "" || !ok {
		return nil
	}
	c := Change{Folder: f.Follow, Path: path.Join(textfile.Resolve(f.root, path.Dir(name)), path.Base(name))}
	keep := func(data []byte) (string, error) {
		ref, err := host.Keep(ctx, data, "text/plain")
		if err != nil {
			err = fmt.Errorf("what is overwritten can't be kept: %w; nothing was changed", err)
		}
		return ref, err
	}
	info, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Made = f.missing(path.Dir(c.Path))
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		if c.Before.Link, err = f.root.Readlink(name); err != nil {
			return err
		}
	case info.Mode().IsRegular():
		old, err := textfile.Read(f.root, name, f.MaxFileBytes)
		if errors.Is(err, textfile.ErrTooLarge) {
			return fmt.Errorf("it is too big to be kept (%w); nothing was changed", err)
		}
		if err == nil {
			c.Before.Ref, err = keep(old)
		}
		if err != nil {
			return err
		}
		c.Before.Mode = info.Mode().Perm()
		c.After.Mode = c.Before.Mode
	default:
		return nil // it is not written to
	}
	if c.After.Ref, err = keep(data); err != nil {
		return err
	}
	note, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return host.Note(ctx, NoteChange, note)
}

// missing is the uppermost folder on the way to dir that isn't there.
func (f *folder) missing(dir string) string {
	made := ""
	for ; dir != "."; dir = path.Dir(dir) {
		if _, err := f.root.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			break
		}
		made = dir
	}
	return made
}
