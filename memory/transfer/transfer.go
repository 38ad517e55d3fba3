package transfer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/internal/cursor"
)

// sessionTree yields a session and those below it, parents before their children,
// with all that the store holds of them.
func sessionTree(ctx context.Context, store memory.Store, id string) iter.Seq2[memory.Session, error] {
	return func(yield func(memory.Session, error) bool) {
		var infos []memory.Info
		for info, err := range store.List(ctx, memory.Query{Tree: id, Sort: cursor.Created, Reverse: true}) {
			if err != nil {
				yield(memory.Session{}, err)
				return
			}
			infos = append(infos, info)
		}
		done := map[string]bool{}
		for len(infos) > 0 {
			i := slices.IndexFunc(infos, func(i memory.Info) bool { return i.ID == id || done[i.Parent] })
			if i < 0 {
				break // deleted meanwhile
			}
			s, err := readSession(ctx, store, infos[i])
			if !yield(s, err) || err != nil {
				return
			}
			done[infos[i].ID] = true
			infos = slices.Delete(infos, i, i+1)
		}
		if !done[id] {
			yield(memory.Session{}, fmt.Errorf("session %q: %w", id, memory.ErrNoSession))
		}
	}
}

func readSession(ctx context.Context, store memory.Store, info memory.Info) (memory.Session, error) {
	s := memory.Session{Info: info}
	// First, so that a message that gets into the log meanwhile is seen here or there.
	waiting, err := readInbox(ctx, store, info.ID, 0)
	if err != nil {
		return s, err
	}
	var queued int64
	logged := map[int64]bool{}
	for r, err := range store.Load(ctx, info.ID, memory.Position{Incarnation: info.Incarnation}) {
		switch {
		case err != nil:
			return s, err
		case len(s.Records) < info.Records:
			s.Records = append(s.Records, r)
			queued, logged[r.Queued] = max(queued, r.Queued), true
		case r.Queued > 0: // it was appended meanwhile, and was a message before that
			waiting = append(waiting, r)
		}
	}
	if slices.ContainsFunc(waiting, func(r memory.Record) bool { return r.Queued <= queued && !logged[r.Queued] }) {
		// The numbers of its log came from clocks that were ahead: the store gives it others.
		if waiting, err = readInbox(ctx, store, info.ID, queued); err != nil {
			return s, err
		}
	}
	slices.SortStableFunc(waiting, func(a, b memory.Record) int { return cmp.Compare(a.Queued, b.Queued) })
	for _, r := range waiting {
		if !logged[r.Queued] {
			s.Inbox, logged[r.Queued] = append(s.Inbox, r), true
		}
	}
	if blobs, ok := memory.As[memory.Blobs](store); ok {
		for b, err := range blobs.Blobs(ctx, info.ID) {
			if ability := (*memory.AbilityError)(nil); errors.As(err, &ability) {
				break
			}
			if err != nil {
				return s, err
			}
			s.Blobs = append(s.Blobs, b)
		}
	}
	return s, nil
}

// readInbox reads the messages with numbers above after; none if the store has no inboxes.
func readInbox(ctx context.Context, store memory.Store, id string, after int64) (list []memory.Record, err error) {
	inbox, ok := memory.As[memory.Inbox](store)
	if !ok {
		return nil, nil
	}
	for r, err := range inbox.Inbox(ctx, id, after) {
		if ability := (*memory.AbilityError)(nil); errors.As(err, &ability) {
			break
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// Copy copies a session and its tree to another store, or within the same one, under
// the id newID. An empty newID means the session's own id. The copy has the times,
// metadata, inbox and blobs of the original, but shares nothing with it. Copy trusts
// the session; see [Options]. The copy's parent is the one that start names or, if
// start is nil, that of the original. Copy fails with a [*memory.AbilityError] if the
// store to copy to is not a [memory.Importer].
func Copy(ctx context.Context, from memory.Store, id string, to memory.Store, newID string, start *memory.Start) (memory.Info, error) {
	info, err := transfer(ctx, to, sessionTree(ctx, from, id), cmp.Or(newID, id), Options{Trusted: true, Start: start})
	if err != nil {
		return memory.Info{}, fmt.Errorf("copy session %q: %w", id, err)
	}
	return info, nil
}

// transfer imports a tree of sessions, whose root gets the id newID. It makes all
// of them or none.
func transfer(ctx context.Context, to memory.Store, tree iter.Seq2[memory.Session, error], newID string, o Options) (memory.Info, error) {
	importer, err := memory.Need[memory.Importer](to)
	if err != nil {
		return memory.Info{}, err
	}
	if newID == "" {
		return memory.Info{}, errors.New("the id is empty; choose the session's id, which the file must not do")
	}
	root := "" // its old id
	made := false
	undo := func(err error) (memory.Info, error) {
		if made {
			err = errors.Join(err, to.Delete(context.WithoutCancel(ctx), newID))
		}
		return memory.Info{}, err
	}
	names, room := map[string]string{}, mostRestored
	for s, err := range tree {
		if err != nil {
			return undo(err)
		}
		old := s.Info.ID
		if !o.Trusted {
			if room -= restored(s); room < 0 {
				return undo(fmt.Errorf("its payloads would take more than %d bytes once they are in the records: import it with Trusted if the file is yours", mostRestored))
			}
		}
		if s, err = blob.Restore(s); err != nil {
			return undo(err)
		}
		if len(names) == 0 {
			root = old
			o.begin(&s, newID)
		} else if s.Info.Parent, err = moved(names, s.Info.Parent); err == nil {
			s.Info.ID = o.below(newID, root, old)
			if !o.Trusted {
				s.Info.Meta = nil
			}
		}
		if err == nil {
			err = o.check(&s, old)
		}
		if err == nil {
			err = importer.Import(ctx, s)
		}
		if err != nil {
			return undo(err)
		}
		names[old], made = s.Info.ID, true
	}
	if !made {
		return memory.Info{}, errors.New("the file has no session")
	}
	return to.Info(ctx, newID)
}

// mostRestored is how many bytes of payloads a file of somebody else may bring: a few bytes
// of it name a payload once more.
const mostRestored = 1 << 30

// restored is about how many bytes the payloads of a session have once they are back in
// its records.
func restored(s memory.Session) (size int) {
	sizes := map[string]int{}
	for _, b := range s.Blobs {
		sizes[b.Name] = len(b.Data)
	}
	for _, r := range slices.Concat(s.Records, s.Inbox) {
		if len(r.Aside) == 0 {
			continue
		}
		text, _ := r.AppendJSON(nil) // an error is Restore's to tell
		for _, name := range r.Aside {
			size += bytes.Count(text, []byte(name)) * sizes[name]
		}
	}
	return size
}

// below is the id of a session of the tree of newID, which had the id old in that of
// root. Only a trusted file names one outside of it.
func (o Options) below(newID, root, old string) string {
	rest, below := strings.CutPrefix(old, root+"/")
	switch {
	case o.Trusted && newID == root:
		return old
	case below:
		return newID + "/" + rest
	}
	return newID + "/" + old
}

func moved(names map[string]string, parent string) (string, error) {
	if name, ok := names[parent]; ok {
		return name, nil
	}
	return "", fmt.Errorf("the parent %q of a session doesn't come before it: %w", parent, memory.ErrCorrupt)
}
