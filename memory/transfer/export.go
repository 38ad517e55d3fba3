package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"github.com/whorl-go/whorl/memory"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// exportFormat is the header's member that tells an export from other JSON Lines.
const exportFormat = "whorl session"

// Export writes a session and its tree as JSON Lines. Each session has a header line
// with its [memory.Info], then one line for each record, as [memory.Record.AppendJSON]
// writes it, then the messages of its inbox and its blobs. docs/sessions.md describes
// the format. To export an encrypted session in its encrypted form, pass the store that
// the encrypted one wraps.
func Export(ctx context.Context, store memory.Store, id string, w io.Writer) error {
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

func writeSession(w io.Writer, s memory.Session) error {
	for _, text := range slices.Concat(slices.Collect(maps.Keys(s.Info.Meta)), slices.Collect(maps.Values(s.Info.Meta)), []string{s.Info.ID, s.Info.Parent, s.Info.Origin}) {
		if !utf8.ValidString(text) {
			return fmt.Errorf("session %q: %q is not UTF-8", s.Info.ID, text)
		}
	}
	out, err := appendJSON(nil, newHeader(s))
	if err != nil {
		return fmt.Errorf("session %q: %w", s.Info.ID, err)
	}
	flush := func(most int) error {
		if len(out) <= most {
			return nil
		}
		_, err := w.Write(out)
		out = out[:0]
		return err
	}
	for n, r := range s.Records {
		if out, err = r.AppendJSON(out); err != nil {
			return fmt.Errorf("session %q, record %d: %w", s.Info.ID, n, err)
		}
		out = append(out, '\n')
		if err := flush(64 << 10); err != nil {
			return fmt.Errorf("session %q: %w", s.Info.ID, err)
		}
	}
	for _, r := range s.Inbox {
		out = fmt.Appendf(out, `{"inbox":%d,"record":`, r.Queued)
		if out, err = r.AppendJSON(out); err != nil {
			return fmt.Errorf("session %q, message %d: %w", s.Info.ID, r.Queued, err)
		}
		out = append(out, "}\n"...)
	}
	for _, b := range s.Blobs {
		if out, err = appendJSON(out, blobLine{b.Name, b.MediaType, b.Data}); err != nil {
			return fmt.Errorf("session %q, blob %s: %w", s.Info.ID, b.Name, err)
		}
		if err := flush(64 << 10); err != nil {
			return fmt.Errorf("session %q: %w", s.Info.ID, err)
		}
	}
	if err := flush(0); err != nil {
		return fmt.Errorf("session %q: %w", s.Info.ID, err)
	}
	return nil
}

// appendJSON appends a line of JSON.
func appendJSON(out []byte, v any) ([]byte, error) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return append(out, line.Bytes()...), err
}

// A blobLine is a blob in an export.
type blobLine struct {
	Blob      string `json:"blob"`
	MediaType string `json:"media_type"`
	Data      []byte `json:"data"`
}
