package memory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// exportFormat is the header's member that tells an export from other JSON Lines.
const exportFormat = "whorl session"

// Export writes a session as JSON Lines: a header with what [Info] says of it,
// then a record a line, as [Record.AppendJSON] writes it. An encrypted session
// is exported as it is stored if store is the one inside of [Encrypted].
func Export(ctx context.Context, store Store, id string, w io.Writer) error {
	info, err := store.Info(ctx, id)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	e := encoder{}
	e.header(info)
	n := 0
	for r, err := range store.Load(ctx, id, 0) {
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if n == info.Records {
			break // it was appended meanwhile
		}
		if e.out, err = r.AppendJSON(e.out); err != nil {
			return fmt.Errorf("export session %q, record %d: %w", id, n, err)
		}
		e.raw("\n")
		n++
		if len(e.out) > 64<<10 {
			if _, err := w.Write(e.out); err != nil {
				return fmt.Errorf("export session %q: %w", id, err)
			}
			e.out = e.out[:0]
		}
	}
	if e.err != nil {
		return fmt.Errorf("export session %q: %w", id, e.err)
	}
	if _, err := w.Write(e.out); err != nil {
		return fmt.Errorf("export session %q: %w", id, err)
	}
	return nil
}

func (e *encoder) header(info Info) {
	e.raw(`{"v":1`)
	e.string("format", exportFormat)
	e.string("id", info.ID)
	e.int("records", int64(info.Records))
	e.time("created", info.Created)
	e.time("changed", info.Changed)
	if info.Parent != "" {
		e.string("parent", info.Parent)
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

// Import makes a session of what [Export] has written, with the id of the export
// or, if id is not empty, with that one. It makes it whole or not at all: where a
// record can't be read it fails with a [*RecordError]; [ReadExport] gives those
// before it.
func Import(ctx context.Context, store Store, r io.Reader, id string) (Info, error) {
	info, records, err := ReadExport(r)
	if err != nil {
		return Info{}, err
	}
	if id != "" {
		info.ID = id
	}
	var conv conversation
	all := make([]Record, 0, min(info.Records, 1<<16))
	for r, err := range records {
		if err == nil && r.Kind != KindSealed {
			if e := conv.add(&r); e != nil {
				err = &RecordError{Record: len(all), Err: e}
			}
		}
		if err != nil {
			return Info{}, fmt.Errorf("import session %q: %w", info.ID, err)
		}
		all = append(all, r)
	}
	if err := store.Append(ctx, info.ID, 0, all...); err != nil {
		return Info{}, fmt.Errorf("import: %w", err)
	}
	for k, v := range info.Meta {
		if err := store.SetMeta(ctx, info.ID, k, v); err != nil {
			return Info{}, fmt.Errorf("import: %w", err)
		}
	}
	return store.Info(ctx, info.ID)
}

// ReadExport reads what [Export] has written: the header, and the records one by
// one. A record that can't be read, or is missing, ends the records with a
// [*RecordError].
func ReadExport(r io.Reader) (Info, iter.Seq2[Record, error], error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	line, err := lines.ReadBytes('\n')
	if err != nil && (err != io.EOF || len(line) == 0) {
		return Info{}, nil, fmt.Errorf("read export: no header: %w", err)
	}
	var d decoder
	info := d.header(line)
	if d.err != nil {
		return Info{}, nil, fmt.Errorf("read export: header: %w", d.err)
	}
	return info, func(yield func(Record, error) bool) {
		for n := 0; ; n++ {
			line, err := lines.ReadBytes('\n')
			if err == io.EOF && len(line) == 0 {
				if n != info.Records {
					err := fmt.Errorf("the file is cut off: its header promises %d records", info.Records)
					yield(Record{}, &RecordError{Record: n, Err: err})
				}
				return
			}
			if err != nil && err != io.EOF {
				yield(Record{}, fmt.Errorf("record %d: %w", n, err))
				return
			}
			rec, err := ParseRecord(line)
			if err == nil && n >= info.Records {
				err = fmt.Errorf("the header promises %d records only", info.Records)
			}
			if err != nil {
				yield(Record{}, &RecordError{Record: n, Err: err})
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}, nil
}

func (d *decoder) header(line []byte) Info {
	line = rawjson.Trim(line)
	if !rawjson.Valid(line) || len(line) == 0 || line[0] != '{' || rawjson.GetString(line, "format") != exportFormat {
		d.fail(fmt.Errorf("not the export of a session: %s", brief(line)))
		return Info{}
	}
	if v := string(rawjson.Get(line, "v")); v != "1" {
		d.fail(fmt.Errorf("unknown version %q, this library reads 1: %s", v, newer))
		return Info{}
	}
	var h struct {
		V       int               `json:"v"`
		Format  string            `json:"format"`
		ID      string            `json:"id"`
		Records int               `json:"records"`
		Created time.Time         `json:"created"`
		Changed time.Time         `json:"changed"`
		Parent  string            `json:"parent"`
		Meta    map[string]string `json:"meta"`
	}
	if d.strict(line, &h); h.Records < 0 {
		d.fail(errors.New("a negative number of records"))
	}
	return Info{ID: h.ID, Records: h.Records, Created: h.Created, Changed: h.Changed, Parent: h.Parent, Meta: h.Meta}
}
