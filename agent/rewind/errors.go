package rewind

import (
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/tools/files"
)

// A Reason says why a file can't be put back.
type Reason string

const (
	// Changed means that the file is not what the tools have left: somebody else has
	// changed or removed it.
	Changed Reason = "changed"
	// Irregular means that there is something else than a file at the path, or on the
	// way to it.
	Irregular Reason = "irregular"
	// Lost means that what was kept of the file is gone, or was changed.
	Lost Reason = "lost"
	// Imported means that an import says what is to be there which isn't trusted; see
	// [Options.Trusted].
	Imported Reason = "imported"
)

// A Conflict is a file that can't be put back without a decision.
type Conflict struct {
	Path   string
	Reason Reason
	Now    files.Version // what there is; its Ref is the name of its bytes
	Want   files.Version // what would be put there
	Err    error         // the cause; nil if there is none
}

// A ConflictError reports the files that can't be put back. Nothing was changed.
type ConflictError struct {
	Folder    string
	Conflicts []Conflict
}

func (e *ConflictError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "folder %q: %d files can't be put back; nothing was changed:", e.Folder, len(e.Conflicts))
	for i, c := range e.Conflicts {
		if i == 5 {
			fmt.Fprintf(&b, " and %d more", len(e.Conflicts)-i)
			break
		}
		switch c.Reason {
		case Changed:
			fmt.Fprintf(&b, " %s (somebody else has changed it)", c.Path)
		case Irregular:
			fmt.Fprintf(&b, " %s (it is no file any more)", c.Path)
		case Imported:
			fmt.Fprintf(&b, " %s (a file that was imported says what it was)", c.Path)
		default:
			fmt.Fprintf(&b, " %s (what was kept of it is lost)", c.Path)
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

// A FileError reports a file that could not be written, such as on a disk that is
// full. Those of Done are put back; the others are as they were. The same call
// again goes on.
type FileError struct {
	Folder string
	Path   string
	Done   []string
	Err    error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("folder %q: put back %s: %v (%d files are put back; call it again to go on)", e.Folder, e.Path, e.Err, len(e.Done))
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// A FolderError reports a folder that can't be rewound: it was moved since it was
// opened, or the conversations have no changes of a folder of that name. Nothing
// was changed.
type FolderError struct {
	Folder string
	Path   string   // where it was opened, if it was moved
	Known  []string // the folders that the conversations do have changes of
}

func (e *FolderError) Error() string {
	if e.Path != "" {
		return fmt.Sprintf("folder %q: it isn't at %s any more: open it where it is", e.Folder, e.Path)
	}
	return fmt.Sprintf("folder %q: the conversations have changes of %q only; set Options.Folder to the Follow of the tools", e.Folder, e.Known)
}
