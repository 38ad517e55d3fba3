package rewind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/files"
)

// Options specify the folder's present state and the state to restore.
type Options struct {
	// Folder is the files.Options.Follow of the tools that wrote the files.
	Folder string
	// From is the conversation that the folder's present state belongs to, with all of
	// its records.
	From *memory.Log
	// To is the conversation whose state to restore, such as a fork of From, or the
	// conversation that From is a fork of; nil means From.
	To *memory.Log
	// Records is the number of To's records to use; 0 means all.
	Records int
	// OnConflict says what to do with files that somebody else has changed.
	OnConflict Resolution
	// ReadOnly are the names of tools that don't write files, in addition to those of
	// tools/files. Their calls are not in Plan.NotFollowed.
	ReadOnly []string
	// Trusted also restores the changes of conversations that were imported without trust
	// (transfer.Options). Whoever made the imported file then decides what is written to
	// the folder. If it is false, these changes are conflicts.
	Trusted bool
}

// A Resolution says what to do with files in conflict.
type Resolution string

const (
	// Fail changes nothing if there is a conflict, and returns a [*ConflictError].
	Fail Resolution = ""
	// Leave leaves the files in conflict as they are, and restores the others.
	Leave Resolution = "leave"
	// Overwrite also restores files that somebody else has changed; those changes are
	// lost. It treats other conflicts as Fail does.
	Overwrite Resolution = "overwrite"
)

// A Plan lists the changes that restore a folder.
type Plan struct {
	Files     []File // in the order of their paths
	Conflicts []Conflict
	// NotFollowed are the calls, after the records that the conversations have in common,
	// of tools that may have written files without following them, such as a shell. The
	// files that they wrote remain.
	NotFollowed []Call

	root       *os.Root
	folder     string
	onConflict Resolution
	trusted    bool
	made       []string // folders that the tools have made, and that may go
}

// A File is a file to restore.
type File struct {
	Path string
	Now  files.Version // the file's present state; Ref names its bytes
	Want files.Version // the state to restore; the zero Version means no file

	data []byte
}

// A Call is a tool call.
type Call struct {
	Session string // the session of the log, or of one of its sub-agents
	Record  int
	ID      string
	Name    string

	place
}

// ours are the tools of package tools/files.
var ours = []string{"read_file", "list_files", "search_files", "edit_file", "write_file", "str_replace_based_edit_tool"}

// Folder restores the folder of root. It returns the plan that it has carried out or, if
// it fails, the plan that it would have carried out. The error may be a [*ConflictError],
// a [*FolderError] or a [*FileError].
func Folder(ctx context.Context, root *os.Root, o Options) (*Plan, error) {
	p, err := Make(ctx, root, o)
	if err == nil {
		err = p.Apply(ctx)
	}
	return p, err
}

// Make returns the plan without changing anything. The plan is never nil.
func Make(ctx context.Context, root *os.Root, o Options) (*Plan, error) {
	p := &Plan{root: root, folder: o.Folder, onConflict: o.OnConflict, trusted: o.Trusted}
	if root == nil || o.From == nil || o.Folder == "" {
		return p, errors.New("rewind: root, Options.Folder and Options.From are required; one of them is missing")
	}
	if err := inPlace(root, o.Folder); err != nil {
		return p, err
	}
	from, err := read(ctx, o.From, o)
	if err != nil {
		return p, fmt.Errorf("rewind: %w", err)
	}
	to := from
	if o.To != nil && o.To != o.From {
		if to, err = read(ctx, o.To, o); err != nil {
			return p, fmt.Errorf("rewind: %w", err)
		}
	}
	if len(from.changes)+len(to.changes) == 0 && len(from.others)+len(to.others) > 0 {
		return p, &FolderError{Folder: o.Folder, Known: slices.Compact(slices.Sorted(slices.Values(append(from.others, to.others...))))}
	}
	records := to.log.Len()
	if o.Records < 0 || o.Records > records {
		return p, fmt.Errorf("rewind: Options.Records is out of range: the conversation has %d records, not %d", records, o.Records)
	}
	records = cmp.Or(o.Records, records)
	shared, err := common(from.log, to.log, records)
	if err != nil {
		return p, fmt.Errorf("rewind: %w", err)
	}
	p.compute(ctx, from, to, shared, records)
	return p, ctx.Err()
}

// inPlace fails if the folder isn't where it was opened.
func inPlace(root *os.Root, folder string) error {
	here, err := root.Stat(".")
	if err != nil {
		return &FolderError{Folder: folder, Path: root.Name()}
	}
	if there, err := os.Stat(root.Name()); err != nil || !os.SameFile(here, there) {
		return &FolderError{Folder: folder, Path: root.Name()}
	}
	return nil
}

// A target is what a path is to be, and what may be there now.
type target struct {
	want     files.Version
	by       *session // which has kept what is wanted
	expected []files.Version
	imported bool // a change that isn't trusted is among those that lead there
}

// compute finds what is to be done: what From has changed behind the records that
// both share is undone, and what To has changed there is done again.
func (p *Plan) compute(ctx context.Context, from, to *history, shared, records int) {
	split, end := timeOf(to.log, shared), timeOf(to.log, records)
	targets := map[string]*target{}
	names := oneName{root: p.root}
	for _, c := range from.changes {
		if !c.after(shared, split) {
			continue
		}
		c.Path = names.of(c.Path)
		t := targets[c.Path]
		if t == nil {
			t = &target{want: c.Before, by: c.session}
			targets[c.Path] = t
		}
		t.imported = t.imported || c.imported
		t.expected = []files.Version{c.Before, c.After} // the last one may not have been done
		if c.Made != "" {
			p.made = append(p.made, c.Made)
		}
	}
	for _, c := range from.calls {
		if c.after(shared, split) {
			p.NotFollowed = append(p.NotFollowed, c)
		}
	}
	if to.log != from.log && !(to.log.ID() == from.log.ID() && to.log.ID() != "") {
		for _, c := range to.changes {
			if !c.after(shared, split) || c.after(records, end) {
				continue
			}
			c.Path = names.of(c.Path)
			t := targets[c.Path]
			if t == nil {
				t = &target{expected: []files.Version{c.Before}}
				targets[c.Path] = t
			}
			t.want, t.by, t.imported = c.After, c.session, t.imported || c.imported
		}
		for _, c := range to.calls {
			if c.after(shared, split) && !c.after(records, end) {
				p.NotFollowed = append(p.NotFollowed, c)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(targets)) {
		p.add(ctx, path, targets[path])
	}
}

// add adds what is to be done at a path.
func (p *Plan) add(ctx context.Context, path string, t *target) {
	now, err := look(p.root, path)
	f := File{Path: path, Now: now, Want: t.want}
	conflict := func(why Reason, err error) {
		p.Conflicts = append(p.Conflicts, Conflict{Path: path, Reason: why, Now: now, Want: t.want, Err: err})
	}
	switch {
	case err != nil:
		conflict(Irregular, err)
		return
	case same(now, t.want) && (t.want.Mode == 0 || t.want.Mode == now.Mode):
		return
	case t.imported && !p.trusted:
		conflict(Imported, nil)
		return
	case !same(now, t.want) && !slices.ContainsFunc(t.expected, func(v files.Version) bool { return same(v, now) }):
		if p.onConflict != Overwrite {
			conflict(Changed, nil)
			return
		}
	}
	if t.want.Ref != "" {
		if f.data, err = t.by.kept(ctx, t.want.Ref); err != nil {
			conflict(Lost, err)
			return
		}
	}
	p.Files = append(p.Files, f)
}

// same reports whether two versions have the same content.
func same(a, b files.Version) bool { return a.Ref == b.Ref && a.Link == b.Link }
