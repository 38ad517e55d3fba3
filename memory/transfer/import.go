package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Options specify how far a file is trusted. Nil and the zero Options suit a file from
// anybody: it brings text, but no permissions.
type Options struct {
	// Trusted imports everything in the file, which suits a backup of your own.
	// Otherwise:
	//
	//   - approval requests and decisions on calls without a result become notes
	//     ("imported"), and this program's rules judge the calls again;
	//   - the session is labelled as untrusted (package taint);
	//   - an unfinished run counts as stopped by its limits, so that it is not resumed;
	//   - metadata, the parent and the wake time are left out;
	//   - the sessions of its tree get ids below the given one, whatever theirs are;
	//   - a file with system messages or encrypted records is refused, or one whose payloads
	//     (package blob) would be more than 1 GB in its records.
	Trusted bool
	// Start has what else the session starts with. Import fails if the file names a
	// parent that isn't in the store, unless Start names another parent or none.
	Start *memory.Start
	// MaxLine is the maximum size of a line, in bytes; 0 means 64 MB.
	MaxLine int
}

const defaultMaxLine = 64 << 20

// Import creates sessions from the output of [Export]: the first with the given id,
// those of its tree with ids derived from that. It creates all of them or none. If a
// record can't be read, Import fails with a [*memory.RecordError]; [Read] returns the
// records before it. Import fails with a [*memory.AbilityError] if the store is not a
// [memory.Importer].
func Import(ctx context.Context, store memory.Store, r io.Reader, id string, opts *Options) (memory.Info, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	info, err := transfer(ctx, store, readExport(r, o.MaxLine), id, o)
	if err != nil {
		return memory.Info{}, fmt.Errorf("import session %q: %w", id, err)
	}
	return info, nil
}

// begin makes s the root of the import.
func (o Options) begin(s *memory.Session, id string) {
	s.Info.ID = id
	if !o.Trusted {
		s.Info.Meta, s.Info.Parent = nil, ""
	}
	if o.Start == nil {
		return
	}
	s.Info.Parent = o.Start.Parent
	s.Info.Incarnation = o.Start.Incarnation
	if s.Info.Meta = maps.Clone(s.Info.Meta); s.Info.Meta == nil {
		s.Info.Meta = map[string]string{}
	}
	maps.Copy(s.Info.Meta, o.Start.Meta)
}

// check looks whether a session's records fit, and takes its permissions away if
// it isn't trusted. It had the id old.
func (o Options) check(s *memory.Session, old string) error {
	if o.Start != nil && o.Start.ParentIncarnation != "" && s.Info.Parent == o.Start.Parent {
		return errors.New("an import can't be bound to an incarnation of its parent")
	}
	if s.Info.ID != old {
		s.Info.Incarnation = ""
	}
	if !o.Trusted {
		s.Info.Incarnation, s.Info.Wake = "", time.Time{}
	}
	for _, b := range s.Blobs {
		if err := b.Check(); err != nil {
			return err
		}
	}
	if s.Info.Queued > mostQueued {
		return errNumber
	}
	for n, r := range slices.Concat(s.Records, s.Inbox) {
		var err error
		switch {
		case r.Queued < 0 || r.Queued > mostQueued:
			err = errNumber
		case n >= len(s.Records) && r.Kind != memory.KindInput && r.Kind != memory.KindSealed:
			// It would be a record of the log: one that approves a call, say.
			err = fmt.Errorf("it is a record of kind %q; an inbox holds records of kind %q", r.Kind, memory.KindInput)
		case r.Kind == memory.KindSealed && !o.Trusted:
			err = errors.New("it is encrypted, and can't be looked at: import it with Trusted, or export it through protect.Encrypted")
		case r.Kind == memory.KindSealed && s.Info.ID != old:
			err = fmt.Errorf("it is encrypted for the session %q: import it under that id, or export it through protect.Encrypted", old)
		case !o.Trusted && r.Message.Role == transport.RoleSystem: // an input, or a summary
			err = errors.New("it is a system message, which has authority over the model: import it with Trusted if the file is yours")
		}
		if err != nil && n >= len(s.Records) {
			return fmt.Errorf("message %d of the inbox: %w", n-len(s.Records), err)
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
	}
	if !o.Trusted {
		if err := distrust(s.Records); err != nil {
			return err
		}
		if len(s.Records) > 0 {
			s.Records = append(s.Records, taint.Note(taint.Labels{Untrusted: true}, "import", ""))
		}
	}
	return fits(*s)
}

// mostQueued is more nanoseconds than those of any clock, and leaves an inbox room for the
// numbers of later messages: behind the last one that there is, they would be lost.
const mostQueued = 1 << 62

var errNumber = fmt.Errorf("the number of a message is below 0 or above %d: %w", int64(mostQueued), memory.ErrCorrupt)

// fits fails if a session's records don't make a conversation.
func fits(s memory.Session) error {
	if slices.ContainsFunc(s.Records, func(r memory.Record) bool { return r.Kind == memory.KindSealed }) {
		return nil // it can't be looked at
	}
	ctx, try := context.Background(), new(memory.RAM)
	if err := try.Append(ctx, s.Info.ID, memory.Position{}, s.Records...); err != nil {
		return err
	}
	_, err := memory.Open(ctx, try, s.Info.ID)
	return err
}

// distrust takes the permissions out of records: what approves calls that have no
// result yet, and the limits of a run that was going on.
func distrust(records []memory.Record) error {
	newest := 0 // the newest response; what stands before it is history
	run := -1
	for i, r := range records {
		switch r.Kind {
		case memory.KindResponse:
			newest = i
		case memory.KindRun:
			run = i
		}
	}
	if run >= 0 {
		records[run].Limits = &memory.Limits{}
	}
	for i := newest; i < len(records); i++ {
		r := &records[i]
		if r.Kind != memory.KindApprovalRequest && r.Kind != memory.KindDecision {
			continue
		}
		data, err := r.AppendJSON(nil)
		if err != nil {
			return &memory.RecordError{Record: i, Err: err}
		}
		*r = memory.Record{Kind: memory.KindNote, Time: r.Time, Note: notes.Imported, Data: data}
	}
	return nil
}

// Read reads the first session from the output of [Export]: the header, and the records
// one by one. A record that can't be read, or is missing, ends the records with a
// [*memory.RecordError]. A line may have at most 64 MB.
func Read(r io.Reader) (memory.Info, iter.Seq2[memory.Record, error], error) {
	x := newExportReader(r, 0)
	h, err := x.header()
	if err != nil {
		return memory.Info{}, nil, fmt.Errorf("read export: %w", err)
	}
	return h.info(), func(yield func(memory.Record, error) bool) {
		for n := range h.Records {
			rec, err := x.record(n)
			if !yield(rec, err) || err != nil {
				return
			}
		}
		if line, err := x.line(); err == nil && rawjson.Valid(line) && rawjson.GetString(line, "kind") != "" {
			err := fmt.Errorf("the header announces only %d records", h.Records)
			yield(memory.Record{}, &memory.RecordError{Record: h.Records, Err: err})
		}
	}, nil
}

// readExport yields all sessions of an export.
func readExport(r io.Reader, maxLine int) iter.Seq2[memory.Session, error] {
	return func(yield func(memory.Session, error) bool) {
		x := newExportReader(r, maxLine)
		for first := true; ; first = false {
			h, err := x.header()
			if err == io.EOF && !first {
				return
			}
			var s memory.Session
			if err == nil {
				s, err = x.session(h)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

type exportReader struct {
	lines *bufio.Reader
	most  int
}

func newExportReader(r io.Reader, most int) *exportReader {
	if most <= 0 {
		most = defaultMaxLine
	}
	return &exportReader{bufio.NewReaderSize(r, 64<<10), most}
}

// line reads a line, without holding more of it than is allowed. At the end it
// fails with io.EOF.
func (x *exportReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := x.lines.ReadSlice('\n')
		if len(line)+len(part) > x.most {
			return nil, fmt.Errorf("a line has more than %d bytes", x.most)
		}
		line = append(line, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF && len(line) > 0 {
			err = nil
		}
		return line, err
	}
}

// A header is the first line of a session in an export.
type header struct {
	V           int               `json:"v"`
	Format      string            `json:"format"`
	ID          string            `json:"id"`
	Incarnation string            `json:"incarnation,omitempty"`
	Records     int               `json:"records"`
	Inbox       int               `json:"inbox"`
	Blobs       int               `json:"blobs"`
	Created     time.Time         `json:"created"`
	Changed     time.Time         `json:"changed"`
	Parent      string            `json:"parent,omitempty"`
	Origin      string            `json:"origin,omitempty"`
	Wake        time.Time         `json:"wake,omitzero"`
	Queued      int64             `json:"queued,omitempty"`
	Meta        map[string]string `json:"meta,omitempty"`
}

func newHeader(s memory.Session) header {
	i := s.Info
	return header{
		V: 2, Format: exportFormat, ID: i.ID, Incarnation: i.Incarnation, Records: len(s.Records), Inbox: len(s.Inbox), Blobs: len(s.Blobs),
		Created: i.Created.UTC(), Changed: i.Changed.UTC(), Parent: i.Parent, Origin: i.Origin, Wake: i.Wake.UTC(), Queued: i.Queued, Meta: i.Meta,
	}
}

func (h header) info() memory.Info {
	if h.V == 1 { // where the parent was what a session was forked from
		h.Origin, h.Parent = h.Parent, ""
	}
	return memory.Info{
		ID: h.ID, Incarnation: h.Incarnation, Records: h.Records, Created: h.Created, Changed: h.Changed,
		Meta: h.Meta, Parent: h.Parent, Origin: h.Origin, Wake: h.Wake, Queued: h.Queued,
	}
}

func (x *exportReader) header() (header, error) {
	var h header
	line, err := x.line()
	if err != nil {
		return h, err // io.EOF for a file that is at its end
	}
	line = rawjson.Trim(line)
	if !rawjson.Valid(line) || len(line) == 0 || line[0] != '{' || rawjson.GetString(line, "format") != exportFormat {
		return h, fmt.Errorf("header: not the export of a session: %.60q: %w", line, memory.ErrCorrupt)
	}
	if v := string(rawjson.Get(line, "v")); v != "1" && v != "2" {
		return h, fmt.Errorf("header: unknown version %q, this library reads 1 and 2: %s", v, newer)
	}
	err = strict(line, &h)
	if err == nil && min(h.Records, h.Inbox, h.Blobs) < 0 {
		err = errors.New("a negative number of records")
	}
	if err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	return h, nil
}

func (x *exportReader) record(n int) (memory.Record, error) {
	line, err := x.line()
	if err == io.EOF {
		return memory.Record{}, &memory.RecordError{Record: n, Err: errors.New("the file is truncated: its header announces more records")}
	}
	var r memory.Record
	if err == nil {
		r, err = memory.ParseRecord(line)
	}
	if err != nil {
		return memory.Record{}, &memory.RecordError{Record: n, Err: err}
	}
	return r, nil
}

func (x *exportReader) session(h header) (memory.Session, error) {
	s := memory.Session{Info: h.info(), Records: make([]memory.Record, 0, min(h.Records, 1<<16))}
	for n := range h.Records {
		r, err := x.record(n)
		if err != nil {
			return s, err
		}
		s.Records = append(s.Records, r)
	}
	for range h.Inbox {
		var m struct {
			Inbox  int64           `json:"inbox"`
			Record json.RawMessage `json:"record"`
		}
		r := memory.Record{}
		err := x.read(&m)
		if err == nil {
			r, err = memory.ParseRecord(m.Record)
		}
		if err != nil {
			return s, fmt.Errorf("message %d of the inbox: %w", len(s.Inbox), err)
		}
		r.Queued = m.Inbox
		s.Inbox = append(s.Inbox, r)
	}
	for range h.Blobs {
		var b blobLine
		if err := x.read(&b); err != nil {
			return s, fmt.Errorf("blob %d: %w", len(s.Blobs), err)
		}
		s.Blobs = append(s.Blobs, memory.Blob{Name: b.Blob, MediaType: b.MediaType, Data: b.Data})
	}
	return s, nil
}

func (x *exportReader) read(to any) error {
	line, err := x.line()
	if err == io.EOF {
		return errors.New("the file is truncated")
	}
	if err != nil {
		return err
	}
	if line = bytes.TrimSpace(line); !rawjson.Valid(line) || len(line) == 0 {
		return fmt.Errorf("not JSON: %.60q", line)
	}
	return strict(line, to)
}

const newer = "it was written by a newer version of this library, or by another program"

// strict reads a value whose members are all known.
func strict(line []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(to)
}
