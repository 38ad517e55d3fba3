package transfer

import (
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
	var queued int64
	for r, err := range store.Load(ctx, info.ID, memory.Position{Incarnation: info.Incarnation}) {
		if err != nil {
			return s, err
		}
		if len(s.Records) == info.Records {
			break // it was appended meanwhile
		}
		s.Records = append(s.Records, r)
		queued = max(queued, r.Queued)
	}
	if inbox, ok := memory.As[memory.Inbox](store); ok {
		for r, err := range inbox.Inbox(ctx, info.ID, queued) {
			if ability := (*memory.AbilityError)(nil); errors.As(err, &ability) {
				break
			}
			if err != nil {
				return s, err
			}
			s.Inbox = append(s.Inbox, r)
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
	names := map[string]string{}
	for s, err := range tree {
		if err != nil {
			return undo(err)
		}
		old := s.Info.ID
		if s, err = blob.Restore(s); err != nil {
			return undo(err)
		}
		if len(names) == 0 {
			root = old
			o.begin(&s, newID)
		} else if s.Info.Parent, err = moved(names, s.Info.Parent); err == nil {
			s.Info.ID = newID + "/" + old
			if rest, below := strings.CutPrefix(old, root); below || newID == root {
				s.Info.ID = newID + rest
			}
			if newID == root {
				s.Info.ID = old
			}
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

func moved(names map[string]string, parent string) (string, error) {
	if name, ok := names[parent]; ok {
		return name, nil
	}
	return "", fmt.Errorf("the parent %q of a session doesn't come before it: %w", parent, memory.ErrCorrupt)
}
