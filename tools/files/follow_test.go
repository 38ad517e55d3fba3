//go:build unix

package files_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/files"
)

// keeping is a host that keeps what it is given, until it is full.
type keeping struct {
	tools.Host
	kept  []string
	notes []files.Change
	full  bool
}

func (k *keeping) Keep(_ context.Context, data []byte, _ string) (string, error) {
	if k.full {
		return "", errors.New("no room")
	}
	k.kept = append(k.kept, string(data))
	return "ref " + string(data), nil
}

func (k *keeping) Note(_ context.Context, name string, data json.RawMessage) error {
	var c files.Change
	if err := json.Unmarshal(data, &c); err != nil || name != files.NoteChange {
		return errors.Join(err, errors.New(name))
	}
	k.notes = append(k.notes, c)
	return nil
}

// Before a file is changed, what it was and what it will be is kept: all that is
// needed to put it back. What can't be kept is not changed.
func TestFollow(t *testing.T) {
	root, dir := open(t, map[string]string{"run.sh": "old", "big.txt": strings.Repeat("x", 2000)})
	if err := errors.Join(os.Chmod(filepath.Join(dir, "run.sh"), 0o750), os.Symlink("run.sh", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	write := pick(t, files.Tools(root, files.Options{Follow: "work", MaxFileBytes: 1000}), "write_file")
	host := new(keeping)
	ctx := tools.WithCall(t.Context(), tools.CallInfo{Host: host})
	call := func(path string) error {
		_, err := write.Call(ctx, json.RawMessage(`{"path":"`+path+`","text":"new"}`))
		return err
	}
	for path, want := range map[string]files.Change{
		"run.sh":    {Before: files.Version{Ref: "ref old", Mode: 0o750}, After: files.Version{Ref: "ref new", Mode: 0o750}},
		"fresh.txt": {After: files.Version{Ref: "ref new"}},
		"a/b/c.txt": {After: files.Version{Ref: "ref new"}, Made: "a"},
		"link":      {Before: files.Version{Link: "run.sh"}, After: files.Version{Ref: "ref new"}},
	} {
		host.notes = nil
		if path == "run.sh" {
			if err := os.WriteFile(filepath.Join(dir, path), []byte("old"), 0o750); err != nil {
				t.Fatal(err)
			}
		}
		err := call(path)
		want.Folder, want.Path = "work", path
		if len(host.notes) != 1 || host.notes[0] != want {
			t.Errorf("%s: %+v, want %+v (%v)", path, host.notes, want, err)
		}
	}
	for name, path := range map[string]string{"too big to be kept": "big.txt", "no room": "run.sh"} {
		host.full = name == "no room"
		before, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		err = call(path)
		after, _ := os.ReadFile(filepath.Join(dir, path))
		if err == nil || !strings.Contains(err.Error(), "nothing was changed") || string(after) != string(before) {
			t.Errorf("%s: %v; it holds %.10q", name, err, after)
		}
	}
}
