package blob

import (
	"fmt"
)

// A LostError reports a record that can't be read because a payload of it is gone or was
// changed. It is wrapped in a [*memory.RecordError], and matches [memory.ErrCorrupt] by
// it; if the payload is gone it matches [io/fs.ErrNotExist]. The records before it are
// readable; see [Options.Lost] for those behind it.
type LostError struct {
	Session string
	Record  int    // the record's position; -1 for a message in the inbox
	Queued  int64  // the message's number there
	Name    string // of the blob
	Err     error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("its payload %s is lost: %v", e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }
