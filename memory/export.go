package memory

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
)

// exportFormat is the header's member that tells an export from other JSON Lines.
const exportFormat = "whorl session"

// Export writes a session and its tree as JSON Lines: for each session a header
// with what [Info] says of it, then a record a line, as [Record.AppendJSON] writes
// it, then the messages of its inbox and its blobs. docs/sessions.md describes the
// form. An encrypted session is exported as it is stored if store is the one inside
// of [github.com/whorl-go/whorl/memory/protect.Encrypted].
func Export(ctx context.Context, store Store, id string, w io.Writer) error {
	for s, err := range sessionTree(ctx, store, id) {
		if err == nil {
			err = writeSession(w, s)
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return nil
}

func writeSession(w io.Writer, s Session) (err error) {
	e := encoder{}
	e.header(s)
	flush := func(most int) error {
		if e.err != nil || len(e.out) <= most {
			return e.err
		}
		_, err := w.Write(e.out)
		e.out = e.out[:0]
		return err
	}
	for n, r := range s.Records {
		if e.out, err = r.AppendJSON(e.out); err != nil {
			return fmt.Errorf("session %q, record %d: %w", s.Info.ID, n, err)
		}
		e.raw("\n")
		if err := flush(64 << 10); err != nil {
			return fmt.Errorf("session %q: %w", s.Info.ID, err)
		}
	}
	for _, r := range s.Inbox {
		e.out = fmt.Appendf(e.out, `{"inbox":%d,"record":`, r.Queued)
		if e.out, err = r.AppendJSON(e.out); err != nil {
			return fmt.Errorf("session %q, message %d: %w", s.Info.ID, r.Queued, err)
		}
		e.raw("}\n")
	}
	for _, b := range s.Blobs {
		e.raw("{")
		e.string("blob", b.Name)
		e.string("media_type", b.MediaType)
		e.name("data")
		e.raw(`"`)
		e.out = base64.StdEncoding.AppendEncode(e.out, b.Data)
		e.raw("\"}\n")
		if err := flush(64 << 10); err != nil {
			return fmt.Errorf("session %q: %w", s.Info.ID, err)
		}
	}
	if err := flush(0); err != nil {
		return fmt.Errorf("session %q: %w", s.Info.ID, err)
	}
	return nil
}

func (e *encoder) header(s Session) {
	info := s.Info
	e.raw(`{"v":2`)
	e.string("format", exportFormat)
	e.string("id", info.ID)
	if info.Incarnation != "" {
		e.string("incarnation", info.Incarnation)
	}
	e.int("records", int64(len(s.Records)))
	e.int("inbox", int64(len(s.Inbox)))
	e.int("blobs", int64(len(s.Blobs)))
	e.time("created", info.Created)
	e.time("changed", info.Changed)
	if info.Parent != "" {
		e.string("parent", info.Parent)
	}
	if info.Origin != "" {
		e.string("origin", info.Origin)
	}
	if !info.Wake.IsZero() {
		e.time("wake", info.Wake)
	}
	if info.Queued != 0 {
		e.int("queued", info.Queued)
	}
	if len(info.Meta) > 0 {
		e.name("meta")
		e.raw("{")
		keys := make([]string, 0, len(info.Meta))
		for k := range info.Meta {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for i, k := range keys {
			if i > 0 {
				e.raw(",")
			}
			e.text(k)
			e.raw(":")
			e.text(info.Meta[k])
		}
		e.raw("}")
	}
	e.raw("}\n")
}
