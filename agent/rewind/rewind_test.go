package rewind_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/rewind"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A world is an agent that works on a folder, and says what it is told to.
type world struct {
	t     *testing.T
	dir   string
	root  *os.Root
	store memory.Store
	agent *agent.Agent
	next  []simulator.Reply
}

func begin(t *testing.T, store memory.Store) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "repo"), store: store}
	for name, text := range map[string]string{"a.txt": "one\ntwo\n", "sub/b.txt": "first\r\nsecond\r\n", "run.sh": "#!/bin/sh\n", "sub/deep/c.txt": ""} {
		w.write(name, text)
	}
	must(t, errors.Join(os.Chmod(w.path("run.sh"), 0o777), os.Symlink("a.txt", w.path("link")), os.Symlink("sub", w.path("dirlink")), os.Mkdir(w.path("empty"), 0o755)))
	var err error
	w.root, err = os.OpenRoot(w.dir)
	must(t, err)
	t.Cleanup(func() { w.root.Close() })
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("done")
		if len(w.next) > 0 {
			r, w.next = w.next[0], w.next[1:]
		}
		return &r, nil
	})})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("test")})
	must(t, err)
	shell := tools.Func("shell", "Runs a command.", func(_ context.Context, in struct {
		Path string `json:"path"`
	}) (string, error) {
		return "", os.WriteFile(w.path(in.Path), []byte("of the shell"), 0o644)
	})
	follow := files.Options{Follow: "repo"}
	w.agent, err = agent.New(agent.Options{Client: client, Model: "claude-opus-5-5",
		Tools: append(files.Tools(w.root, follow), files.TextEditor(w.root, follow), shell)})
	must(t, err)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	must(w.t, errors.Join(os.MkdirAll(filepath.Dir(w.path(name)), 0o755), os.WriteFile(w.path(name), []byte(text), 0o644)))
}

// do has the agent make calls, in a session or in a log without a store.
func (w *world) do(log *memory.Log, calls ...simulator.Part) *memory.Log {
	w.t.Helper()
	w.next = []simulator.Reply{simulator.Do(calls...), simulator.Say("done")}
	res, err := w.agent.Run(w.t.Context(), agent.Input{Log: log, Prompt: "Go on."})
	must(w.t, err)
	return res.Log
}

func (w *world) session(id string, start *memory.Start) *memory.Log {
	w.t.Helper()
	log, err := memory.Create(w.store, id, start)
	must(w.t, err)
	return log
}

func (w *world) fork(from *memory.Log, n int, to string) *memory.Log {
	w.t.Helper()
	log, err := memory.ForkSession(w.t.Context(), w.store, from.ID(), n, to, nil)
	must(w.t, err)
	return log
}

func put(path, text string) simulator.Part {
	return simulator.Call("write_file", map[string]any{"path": path, "text": text})
}

// state is all that there is in the folder.
func (w *world) state() map[string]string {
	w.t.Helper()
	state := map[string]string{}
	must(w.t, filepath.WalkDir(w.dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(w.dir, at)
		info, err := d.Info()
		must(w.t, err)
		switch {
		case d.IsDir():
			state[name] = "folder"
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(at)
			must(w.t, err)
			state[name] = "link to " + target
		default:
			data, err := os.ReadFile(at)
			must(w.t, err)
			state[name] = fmt.Sprintf("%v %q", info.Mode(), data)
		}
		return nil
	}))
	return state
}

func (w *world) wantState(want map[string]string, what string) {
	w.t.Helper()
	got := w.state()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			w.t.Errorf("%s: %s is %.200s, and was %.200s", what, name, got[name], want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] == "" {
			w.t.Errorf("%s: there is %s, %.200s", what, name, got[name])
		}
	}
}

func (w *world) rewind(o rewind.Options) (*rewind.Plan, error) {
	o.Folder = "repo"
	return rewind.Folder(w.t.Context(), w.root, o)
}

// After 500 random edits, with forks and ways back and forth between them, the
// folder is each time what it was, byte for byte.
func TestRandomEditsAndForks(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	must(t, err)
	defer store.Close()
	w := begin(t, store)
	r := rand.New(rand.NewPCG(7, 8))
	type moment struct {
		log     *memory.Log
		records int
		state   map[string]string
	}
	current := w.session("s0", nil)
	var moments []moment
	w.do(current)
	moments = append(moments, moment{current, current.Len(), w.state()})
	ends := map[string]int{} // of sessions, in moments
	paths := []string{"a.txt", "sub/b.txt", "dirlink/b.txt", "run.sh", "link", "sub/deep/c.txt", "new.txt", "new/x.txt", "new/er/y.txt", "new/er/z.txt", "other/file/name.txt"}
	text := func() string {
		return strings.Repeat(fmt.Sprintf("line %d\n", r.IntN(1000)), r.IntN(5))
	}
	edits, forks, returns, most := 0, 0, 0, 500
	if testing.Short() {
		most = 150
	}
	for edits < most {
		var calls []simulator.Part
		for range 1 + r.IntN(6) {
			path := paths[r.IntN(len(paths))]
			switch r.IntN(5) {
			case 0, 1:
				calls = append(calls, put(path, text()))
			case 2: // often without success, which changes nothing
				calls = append(calls, simulator.Call("edit_file", map[string]any{"path": path, "old": "line", "new": fmt.Sprint("row ", r.IntN(100)), "all": true}))
			case 3:
				calls = append(calls, simulator.Call("str_replace_based_edit_tool", map[string]any{"command": "create", "path": "/" + path, "file_text": text()}))
			case 4:
				calls = append(calls, simulator.Call("str_replace_based_edit_tool", map[string]any{"command": "insert", "path": "/" + path, "insert_line": 0, "insert_text": "inserted\n"}))
			}
		}
		edits += len(calls)
		w.do(current, calls...)
		moments = append(moments, moment{current, current.Len(), w.state()})
		ends[current.ID()] = len(moments) - 1
		switch r.IntN(4) {
		case 0: // a fork of any moment
			m := moments[r.IntN(len(moments))]
			forks++
			to := w.fork(m.log, m.records, fmt.Sprint("s", forks))
			o := rewind.Options{From: current, To: to}
			if m.log == current && r.IntN(2) == 0 { // the same, told in the other way
				o = rewind.Options{From: current, Records: m.records}
			}
			if _, err := w.rewind(o); err != nil {
				t.Fatal(err)
			}
			current = to
			w.wantState(m.state, "a fork")
		case 1: // back to where another one has ended
			ids := slices.Sorted(maps.Keys(ends))
			m := moments[ends[ids[r.IntN(len(ids))]]]
			returns++
			if _, err := w.rewind(rewind.Options{From: current, To: m.log}); err != nil {
				t.Fatal(err)
			}
			current = m.log
			w.wantState(m.state, "another session")
		}
		if t.Failed() {
			t.Fatalf("after %d edits, %d forks, %d returns", edits, forks, returns)
		}
	}
	if forks < most/50 || returns < most/50 {
		t.Errorf("%d forks, %d returns: the test tests little", forks, returns)
	}
}

// Whoever else has changed files is told, and nothing is overwritten unasked.
func TestConflicts(t *testing.T) {
	w := begin(t, new(memory.RAM))
	log := w.do(w.session("s", nil))
	n, before := log.Len(), w.state()
	w.do(log, put("a.txt", "A"), put("sub/b.txt", "B"), put("new/x.txt", "X"), put("gone.txt", "G"), put("kept.txt", "K"))
	w.write("a.txt", "somebody's")
	must(t, errors.Join(os.Remove(w.path("gone.txt")), os.Remove(w.path("new/x.txt")), os.Mkdir(w.path("new/x.txt"), 0o755)))
	changed := w.state()
	plan, err := w.rewind(rewind.Options{From: log, Records: n})
	var conflict *rewind.ConflictError
	if !errors.As(err, &conflict) || len(conflict.Conflicts) != 2 || conflict.Conflicts[0].Path != "a.txt" || conflict.Conflicts[0].Reason != rewind.Changed ||
		conflict.Conflicts[1].Path != "new/x.txt" || conflict.Conflicts[1].Reason != rewind.Irregular || !strings.Contains(err.Error(), "a.txt") {
		t.Fatalf("%v", err)
	}
	if len(plan.Files) != 2 { // what is gone need not be removed
		t.Errorf("the plan has %+v", plan.Files)
	}
	w.wantState(changed, "with conflicts")
	if _, err := w.rewind(rewind.Options{From: log, Records: n, OnConflict: rewind.Leave}); err != nil {
		t.Fatal(err)
	}
	left := maps.Clone(before)
	left["a.txt"], left["new"], left["new/x.txt"] = changed["a.txt"], "folder", "folder"
	w.wantState(left, "conflicts left")
	if _, err = w.rewind(rewind.Options{From: log, Records: n, OnConflict: rewind.Overwrite}); !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0].Path != "new/x.txt" {
		t.Errorf("a folder is overwritten: %v", err)
	}
	must(t, os.Remove(w.path("new/x.txt")))
	if _, err = w.rewind(rewind.Options{From: log, Records: n, OnConflict: rewind.Overwrite}); err != nil {
		t.Fatal(err)
	}
	delete(left, "new/x.txt")
	delete(left, "new") // was the tools', though nothing in it was left to undo
	left["a.txt"] = before["a.txt"]
	got := w.state()
	delete(got, "new")
	if !maps.Equal(got, left) {
		t.Errorf("overwritten: %v", got)
	}
	// A file that changes between the plan and its execution.
	w.do(log, put("a.txt", "again"))
	plan, err = rewind.Make(t.Context(), w.root, rewind.Options{Folder: "repo", From: log, Records: n})
	must(t, err)
	w.write("a.txt", "in between")
	if err := plan.Apply(t.Context()); !errors.As(err, &conflict) || conflict.Conflicts[0].Path != "a.txt" {
		t.Errorf("changed since the plan: %v", err)
	}
}

// What was noted and not done, because the program ended in between, is no conflict.
func TestCrashBeforeTheWrite(t *testing.T) {
	w := begin(t, new(memory.RAM))
	log := w.do(w.session("s", nil))
	n, before := log.Len(), w.state()
	w.do(log, put("a.txt", "A"), put("new/x.txt", "X"))
	w.do(log, put("a.txt", "not done"))
	w.write("a.txt", "A")
	must(t, os.RemoveAll(w.path("new")))
	if plan, err := w.rewind(rewind.Options{From: log, Records: n}); err != nil || len(plan.Files) != 1 {
		t.Errorf("%v, %+v", err, plan.Files)
	}
	w.wantState(before, "put back")
}

// What a shell wrote stays, and its call is told; so are the calls of a sub-agent,
// whose edits are undone with those of its caller.
func TestShellAndSubagents(t *testing.T) {
	w := begin(t, new(memory.RAM))
	log := w.do(w.session("s", nil), put("a.txt", "before"))
	n, before := log.Len(), w.state()
	w.do(log, put("a.txt", "A"), simulator.Call("shell", map[string]any{"path": "shell.txt"}), simulator.Call("read_file", map[string]any{"path": "a.txt"}))
	w.do(w.session("s/c", &memory.Start{Parent: "s"}), put("a.txt", "the child's"), put("child.txt", "C"), simulator.Call("shell", map[string]any{"path": "shell.txt"}))
	w.do(log, put("child.txt", "D"))
	plan, err := w.rewind(rewind.Options{From: log, Records: n})
	must(t, err)
	if len(plan.NotFollowed) != 2 || plan.NotFollowed[0].Name != "shell" || plan.NotFollowed[0].Session != "s" || plan.NotFollowed[1].Session != "s/c" {
		t.Errorf("not followed: %+v", plan.NotFollowed)
	}
	before["shell.txt"] = `-rw-r--r-- "of the shell"`
	w.wantState(before, "put back")
	// A shell that wrote what a tool had written before is somebody else.
	w.do(log, put("a.txt", "mine"))
	w.do(log, simulator.Call("shell", map[string]any{"path": "a.txt"}))
	var conflict *rewind.ConflictError
	if _, err := w.rewind(rewind.Options{From: log, Records: n}); !errors.As(err, &conflict) || conflict.Conflicts[0].Path != "a.txt" {
		t.Errorf("over the shell's: %v", err)
	}
}

// A log without a store keeps what it needs in its records.
func TestWithoutStore(t *testing.T) {
	w := begin(t, nil)
	log := w.do(memory.NewLog())
	n, before := log.Len(), w.state()
	w.do(log, put("a.txt", "A"), put("new/x.txt", "X"))
	after := w.state()
	fork, err := log.ForkAt(n)
	must(t, err)
	if _, err := w.rewind(rewind.Options{From: log, To: fork}); err != nil {
		t.Fatal(err)
	}
	w.wantState(before, "a fork")
	if _, err := w.rewind(rewind.Options{From: fork, To: log}); err != nil {
		t.Fatal(err)
	}
	w.wantState(after, "and back")
}

// A folder that was moved, or another one, is named.
func TestFolders(t *testing.T) {
	w := begin(t, new(memory.RAM))
	log := w.do(w.session("s", nil))
	n, before := log.Len(), w.state()
	w.do(log, put("a.txt", "A"))
	var folder *rewind.FolderError
	if _, err := rewind.Folder(t.Context(), w.root, rewind.Options{Folder: "other", From: log, Records: n}); !errors.As(err, &folder) || folder.Folder != "other" || !slices.Equal(folder.Known, []string{"repo"}) {
		t.Errorf("a name that nobody knows: %v", err)
	}
	moved := w.dir + "-moved"
	must(t, os.Rename(w.dir, moved))
	if _, err := w.rewind(rewind.Options{From: log, Records: n}); !errors.As(err, &folder) || folder.Path != w.dir || !strings.Contains(err.Error(), w.dir) {
		t.Errorf("moved: %v", err)
	}
	w.dir = moved
	root, err := os.OpenRoot(moved)
	must(t, err)
	defer root.Close()
	w.root = root
	if _, err := w.rewind(rewind.Options{From: log, Records: n}); err != nil {
		t.Error(err)
	}
	w.wantState(before, "where it is now")
	for name, o := range map[string]rewind.Options{"no log": {}, "too many records": {From: log, Records: log.Len() + 1}, "negative": {From: log, Records: -1}} {
		if plan, err := w.rewind(o); err == nil || plan == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever made an export doesn't choose what is written to the folder of the one
// who imports it.
func TestImported(t *testing.T) {
	store := new(memory.RAM)
	w := begin(t, store)
	log := w.do(w.session("s", nil))
	n, before := log.Len(), w.state()
	w.do(log, put("a.txt", "A"), put("new.txt", "N"))
	after := w.state()
	var file bytes.Buffer
	must(t, transfer.Export(t.Context(), store, "s", &file))
	_, err := transfer.Import(t.Context(), store, &file, "theirs", nil)
	must(t, err)
	theirs, err := memory.Open(t.Context(), store, "theirs")
	must(t, err)
	var conflict *rewind.ConflictError
	if _, err := w.rewind(rewind.Options{From: theirs, Records: n, OnConflict: rewind.Overwrite}); !errors.As(err, &conflict) || len(conflict.Conflicts) != 2 || conflict.Conflicts[0].Reason != rewind.Imported {
		t.Errorf("undone: %v", err)
	}
	w.wantState(after, "undone")
	if _, err := w.rewind(rewind.Options{From: log, Records: n}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.rewind(rewind.Options{From: w.fork(log, n, "f"), To: theirs}); !errors.As(err, &conflict) || conflict.Conflicts[0].Reason != rewind.Imported {
		t.Errorf("done again: %v", err)
	}
	w.wantState(before, "done again")
	// What comes behind the import is this program's own.
	w.do(theirs, put("own.txt", "O"))
	if _, err := w.rewind(rewind.Options{From: theirs, Records: theirs.Len() - 4, ReadOnly: []string{"x"}}); err != nil {
		t.Error(err)
	}
	if _, err := w.rewind(rewind.Options{From: theirs, Records: n, Trusted: true, OnConflict: rewind.Leave}); err != nil {
		t.Error(err)
	}
	w.wantState(before, "trusted")
}

// forgetful is a store that has lost its blobs.
type forgetful struct{ *memory.RAM }

func (s forgetful) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	return memory.Blob{}, fmt.Errorf("blob %q: %w", name, fs.ErrNotExist)
}

// over is a context that ends after it was asked some times.
type over struct {
	context.Context
	left *int
}

func (c over) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

// What was kept and is lost is named, and so is the file at which it ended; the same
// call again goes on.
func TestLostAndInterrupted(t *testing.T) {
	w := begin(t, forgetful{new(memory.RAM)})
	log := w.do(w.session("s", nil))
	n := log.Len()
	w.do(log, put("a.txt", "A"), put("new.txt", "N"))
	after := w.state()
	var conflict *rewind.ConflictError
	if _, err := w.rewind(rewind.Options{From: log, Records: n}); !errors.As(err, &conflict) || conflict.Conflicts[0].Reason != rewind.Lost || conflict.Conflicts[0].Path != "a.txt" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lost: %v", err)
	}
	w.wantState(after, "lost")

	w = begin(t, new(memory.RAM))
	log = w.do(w.session("s", nil))
	n = log.Len()
	before := w.state()
	w.do(log, put("a.txt", "A"), put("sub/b.txt", "B"), put("run.sh", "R"))
	plan, err := rewind.Make(t.Context(), w.root, rewind.Options{Folder: "repo", From: log, Records: n})
	must(t, err)
	left := 1
	var file *rewind.FileError
	if err := plan.Apply(over{t.Context(), &left}); !errors.As(err, &file) || !errors.Is(err, context.Canceled) || len(file.Done) != 1 || file.Path == file.Done[0] {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := w.rewind(rewind.Options{From: log, Records: n}); err != nil {
		t.Error(err)
	}
	w.wantState(before, "again")
}

// A change of this program's own on top of an imported one doesn't make that one trusted.
func TestOwnChangeOnAnImportedOne(t *testing.T) {
	store := new(memory.RAM)
	w := begin(t, store)
	log := w.do(w.session("s", nil))
	n := log.Len()
	w.do(log, put("a.txt", "A"))
	var file bytes.Buffer
	must(t, transfer.Export(t.Context(), store, "s", &file))
	_, err := transfer.Import(t.Context(), store, &file, "theirs", nil)
	must(t, err)
	theirs, err := memory.Open(t.Context(), store, "theirs")
	must(t, err)
	w.do(theirs, put("a.txt", "own"))
	after := w.state()
	var conflict *rewind.ConflictError
	if _, err := w.rewind(rewind.Options{From: theirs, Records: n, OnConflict: rewind.Overwrite}); !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0].Reason != rewind.Imported {
		t.Errorf("undone: %v", err)
	}
	w.wantState(after, "undone")
}
