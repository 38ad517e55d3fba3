package skills

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CopyTo writes the files of all skills to dir, each skill in a folder of its name, so
// that the commands of a shell can run their scripts. The files are as they were when
// the set was made. CopyTo never overwrites: if a file exists, the error matches
// [fs.ErrExist].
func (s *Set) CopyTo(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("copy skills: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("copy skills: %w", err)
	}
	defer root.Close()
	for _, name := range s.names {
		for file, f := range s.skills[name].files {
			to := name + "/" + file
			if err := write(root, filepath.FromSlash(to), f); err != nil {
				return fmt.Errorf("copy skills: %s: %w", to, err)
			}
		}
	}
	return nil
}

func write(root *os.Root, name string, f file) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644) | f.mode&0o111
	to, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = to.Write(f.data)
	return errors.Join(err, to.Close())
}
