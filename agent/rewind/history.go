package rewind

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Names of notes of calls; docs/sessions.md lists them.
const (
	noteCall = "call.note"
	noteBlob = "call.blob"
)

// A change is a change of a file, and where it stands.
type change struct {
	files.Change
	place
}

// A place is a record in a session.
type place struct {
	session  *session
	record   int
	at       time.Time
	imported bool // somebody else's file says so
}

// A session is a log, or a child of one.
type session struct {
	id    string
	store memory.Store // nil if its blobs are notes
	log   iter.Seq2[int, memory.Record]
}

// A history is what the conversation of a log, and those below it, say of a
// folder's files.
type history struct {
	log      *memory.Log
	changes  []change
	calls    []Call
	others   []string // other folders
	followed map[string]bool
}

// read reads a log and the sessions below it.
func read(ctx context.Context, log *memory.Log, o Options) (*history, error) {
	h := &history{log: log, followed: map[string]bool{}}
	for _, name := range slices.Concat(ours, o.ReadOnly) {
		h.followed[name] = true
	}
	own := &session{id: log.ID(), store: log.Store(), log: log.Records(0)}
	if err := h.add(own, o.Folder, true); err != nil {
		return nil, err
	}
	if log.Store() == nil {
		return h, h.addChildren(log, o.Folder)
	}
	for info, err := range log.Store().List(ctx, memory.Query{Tree: log.ID()}) {
		if errors.Is(err, memory.ErrNoSession) {
			break // nothing is stored yet
		}
		if err != nil {
			return nil, err
		}
		if info.ID == log.ID() {
			continue
		}
		child := &session{id: info.ID, store: log.Store()}
		var failed error
		child.log = func(yield func(int, memory.Record) bool) {
			n := 0
			for r, err := range child.store.Load(ctx, child.id, memory.Position{}) {
				if failed = err; err != nil || !yield(n, r) {
					return
				}
				n++
			}
		}
		if err := errors.Join(h.add(child, o.Folder, false), failed); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *history) addChildren(log *memory.Log, folder string) error {
	for name, child := range log.Children() {
		if err := h.add(&session{id: name, log: child.Records(0)}, folder, false); err != nil {
			return err
		}
		if err := h.addChildren(child, folder); err != nil {
			return err
		}
	}
	return nil
}

// add adds the changes and the calls of a session. Of one below the log's only the
// times count, so their records are -1.
func (h *history) add(s *session, folder string, own bool) error {
	names := map[string]string{} // of calls
	first := len(h.changes)
	for n, r := range s.log {
		p := place{session: s, record: n, at: r.Time}
		if !own {
			p.record = -1
		}
		switch r.Kind {
		case memory.KindResponse:
			clear(names)
			for _, c := range r.Response.ToolCalls() {
				names[c.ID] = c.Name
			}
		case memory.KindStarted:
			for _, id := range r.Calls {
				if name := names[id]; name != "" && !h.followed[name] {
					h.calls = append(h.calls, Call{Session: s.id, Record: n, ID: id, Name: name, place: p})
				}
			}
		case memory.KindNote:
			if r.Note == taint.NoteName && rawjson.GetString(r.Data, "tool") == "import" {
				for i := range h.changes[first:] {
					h.changes[first+i].imported = true
				}
			}
			if r.Note != noteCall || rawjson.GetString(r.Data, "name") != files.NoteChange {
				continue
			}
			var note struct {
				Data files.Change `json:"data"`
			}
			if err := json.Unmarshal(r.Data, &note); err != nil {
				return fmt.Errorf("session %q: record %d: note %s: %w", s.id, n, files.NoteChange, err)
			}
			if note.Data.Folder == folder {
				h.changes = append(h.changes, change{note.Data, p})
			} else if !slices.Contains(h.others, note.Data.Folder) {
				h.others = append(h.others, note.Data.Folder)
			}
		}
	}
	slices.SortStableFunc(h.changes, func(a, b change) int { return a.at.Compare(b.at) })
	return nil
}

// after reports whether it is behind so many records of the log: by its own number
// or, in a session below it, by its time.
func (p place) after(records int, last time.Time) bool {
	if p.record >= 0 {
		return p.record >= records
	}
	return p.at.After(last)
}

// timeOf is the time of the last of the first n records.
func timeOf(log *memory.Log, n int) (at time.Time) {
	if n <= 0 {
		return at
	}
	for _, r := range log.Records(n - 1) {
		return r.Time
	}
	return at
}

// common is how many of their first records, at most n, two logs share.
func common(a, b *memory.Log, n int) (int, error) {
	if a == b || a.ID() != "" && a.ID() == b.ID() && a.Position().Incarnation == b.Position().Incarnation {
		return min(n, a.Len(), b.Len()), nil
	}
	next, stop := iter.Pull2(b.Records(0))
	defer stop()
	i := 0
	var x, y []byte
	for _, r := range a.Records(0) {
		_, other, ok := next()
		if i == n || !ok {
			break
		}
		var err error
		if x, err = r.AppendJSON(x[:0]); err != nil {
			return i, err
		}
		if y, err = other.AppendJSON(y[:0]); err != nil {
			return i, err
		}
		if !bytes.Equal(x, y) {
			break
		}
		i++
	}
	return i, nil
}

// kept returns bytes that a tool of the session has kept.
func (s *session) kept(ctx context.Context, ref string) ([]byte, error) {
	if s.store != nil {
		if blobs, ok := memory.As[memory.Blobs](s.store); ok {
			b, err := blobs.Blob(ctx, s.id, ref)
			return b.Data, err
		}
	}
	for _, r := range s.log {
		if r.Kind != memory.KindNote || r.Note != noteBlob || rawjson.GetString(r.Data, "name") != ref {
			continue
		}
		b := memory.Blob{Name: ref}
		var err error
		if b.Data, err = base64.StdEncoding.DecodeString(rawjson.GetString(r.Data, "data")); err == nil {
			err = b.Check()
		}
		return b.Data, err
	}
	return nil, fmt.Errorf("session %q: kept bytes %q: %w", s.id, ref, fs.ErrNotExist)
}
