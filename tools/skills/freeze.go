package skills

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// A file is one of a skill's files, as it was when the set was made.
type file struct {
	data []byte
	mode fs.FileMode
}

// A reader reads folders within the bounds of the options.
type reader struct {
	Options
	files int
	bytes int64
}

// skill reads the skill in the folder dir of fsys, which errors call shown.
func (r *reader) skill(fsys fs.FS, dir, shown string) (*Skill, error) {
	files := map[string]file{}
	var leftOut []string
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return &Error{File: path.Join(shown, strings.TrimPrefix(name, dir)), Problem: "it can't be read: " + err.Error()}
		}
		below := strings.TrimPrefix(name, dir+"/")
		if r.files++; r.files > r.MaxFiles {
			return &Error{File: shown, Problem: fmt.Sprintf("there are more than %d files and folders; raise Options.MaxFiles, or remove some", r.MaxFiles)}
		}
		switch {
		case name == dir:
			return nil
		case strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			leftOut = append(leftOut, below)
			return nil
		}
		f, err := r.read(fsys, name, path.Join(shown, below))
		if err == nil {
			files[below] = f
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	manifest := cmp.Or(has(files, "SKILL.md"), has(files, "skill.md"))
	if manifest == "" {
		text := "there is no file SKILL.md in it; write one"
		if slices.Contains(leftOut, "SKILL.md") || slices.Contains(leftOut, "skill.md") {
			text = "its SKILL.md is a link or no regular file; put the file itself there"
		}
		return nil, &Error{File: shown, Problem: text}
	}
	at := path.Join(shown, manifest)
	content := files[manifest].data
	if len(content) > r.MaxInstructions {
		return nil, &Error{File: at, Problem: fmt.Sprintf("it has %d bytes; at most %d are allowed; move parts into files beside it, or raise Options.MaxInstructions", len(content), r.MaxInstructions)}
	}
	s, problems := parse(content, path.Base(dir))
	if len(problems) > 0 {
		var all []error
		for _, p := range problems {
			all = append(all, &Error{File: at, Line: p.line, Problem: p.text})
		}
		return nil, errors.Join(all...)
	}
	s.files, s.LeftOut, s.manifest, s.Version = files, leftOut, manifest, version(files)
	return s, nil
}

func has(files map[string]file, name string) string {
	if _, ok := files[name]; ok {
		return name
	}
	return ""
}

// read reads a regular file.
func (r *reader) read(fsys fs.FS, name, shown string) (file, error) {
	unreadable := func(err error) (file, error) {
		return file{}, &Error{File: shown, Problem: "it can't be read: " + err.Error()}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() { // it was exchanged meanwhile
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return unreadable(err)
	}
	room := r.MaxBytes - r.bytes
	data, err := io.ReadAll(io.LimitReader(f, room+1))
	if err != nil {
		return unreadable(err)
	}
	if int64(len(data)) > room {
		return file{}, &Error{File: shown, Problem: fmt.Sprintf("with it the skills have more than %d bytes; raise Options.MaxBytes, or remove it", r.MaxBytes)}
	}
	r.bytes += int64(len(data))
	return file{data, info.Mode().Perm()}, nil
}

// version is a hash of the names, the contents, and whether they are programs.
func version(files map[string]file) string {
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		fmt.Fprintf(all, "%q %t %x\n", name, f.mode&0o111 != 0, sha256.Sum256(f.data))
	}
	return hex.EncodeToString(all.Sum(nil))
}
