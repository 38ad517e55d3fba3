package rewind

import (
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/tools/files"
)

// A Reason says why a file can't be restored.
type Reason string

const (
	// Changed means that somebody other than the tools has changed or removed the file.
	Changed Reason = "changed"
	// Irregular means that the path, or a part of it, is not what it has to be: a regular
	// file, or a folder on the way to it.
	Irregular Reason = "irregular"
	// Lost means that the stored bytes of the file are gone or were changed.
	Lost Reason = "lost"
	// Imported means that the state to restore comes from an import that isn't trusted;
	// see [Options.Trusted].
	Imported Reason = "imported"
)

// A Conflict is a file that can't be restored without a decision.
type Conflict struct {
	Path   string
	Reason Reason
	Now    files.Version // the file's present state; Ref names its bytes
	Want   files.Version // the state to restore
	Err    error         // the cause; nil if there is none
}

// A ConflictError reports the files that can't be restored. Nothing was changed.
type ConflictError struct {
	Folder    string
	Conflicts []Conflict
}

func (e *ConflictError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "folder %q: %d files can't be restored; nothing was changed:", e.Folder, len(e.Conflicts))
	for i, c := range e.Conflicts {
		if i == 5 {
			fmt.Fprintf(&b, " and %d more", len(e.Conflicts)-i)
			break
		}
		switch c.Reason {
		case Changed:
			fmt.Fprintf(&b, " %s (somebody else has changed it)", c.Path)
		case Irregular:
			fmt.Fprintf(&b, " %s (it is not a regular file)", c.Path)
		case Imported:
			fmt.Fprintf(&b, " %s (its earlier state comes from an import that is not trusted; see Options.Trusted)", c.Path)
		default:
			fmt.Fprintf(&b, " %s (its stored bytes are lost)", c.Path)
		}
		if c.Err != nil {
			fmt.Fprintf(&b, ": %v", c.Err)
		}
	}
	return b.String()
}

// Unwrap returns the causes.
func (e *ConflictError) Unwrap() (list []error) {
	for _, c := range e.Conflicts {
		if c.Err != nil {
			list = append(list, c.Err)
		}
	}
	return list
}

// A FileError reports a file that could not be written, for instance because the disk is
// full. The files in Done are restored, and the others are unchanged. Make the same call
// again to continue.
type FileError struct {
	Folder string
	Path   string
	Done   []string
	Err    error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("folder %q: restore %s: %v (%d files are restored; make the same call again to continue)", e.Folder, e.Path, e.Err, len(e.Done))
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// A FolderError reports a folder that can't be restored: it was moved since it was
// opened, or the conversations have no changes in a folder of that name. Nothing was
// changed.
type FolderError struct {
	Folder string
	Path   string   // the path at which it was opened, if it was moved since
	Known  []string // the folders in which the conversations have changes
}

func (e *FolderError) Error() string {
	if e.Path != "" {
		return fmt.Sprintf("folder %q is no longer at %s; open it at its new path", e.Folder, e.Path)
	}
	return fmt.Sprintf("folder %q: the conversations have changes only in %q; set Options.Folder to the Follow of the tools", e.Folder, e.Known)
}
