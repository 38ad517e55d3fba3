package blob_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/protect"
	"github.com/whorl-go/whorl/memory/storetest"
	"github.com/whorl-go/whorl/memory/sweep"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

func wrap(t testing.TB, inside memory.Store, opts *blob.Options) *blob.Store {
	t.Helper()
	s, err := blob.New(inside, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var keys = protect.Keys{Current: "a", Keys: map[string][]byte{"a": []byte(strings.Repeat("a", 32))}}

// The store is as good as the one inside, also where that one can't append blobs
// together with records, and whichever wrapper is inside or outside.
func TestStore(t *testing.T) {
	small := &blob.Options{MinBytes: 1}
	for name, open := range map[string]func(t *testing.T) memory.Store{
		"RAM":                  func(t *testing.T) memory.Store { return wrap(t, new(memory.RAM), small) },
		"blobs before records": func(t *testing.T) memory.Store { return wrap(t, struct{ memory.Store }{new(memory.RAM)}, small) },
		"encrypted":            func(t *testing.T) memory.Store { return wrap(t, protect.Encrypted(new(memory.RAM), keys), small) },
		"inside an encrypted":  func(t *testing.T) memory.Store { return protect.Encrypted(wrap(t, new(memory.RAM), small), keys) },
		"redacted": func(t *testing.T) memory.Store {
			return protect.Redacted(wrap(t, new(memory.RAM), small), func(*memory.Record) error { return nil })
		},
		"around a redacted": func(t *testing.T) memory.Store {
			return wrap(t, protect.Redacted(new(memory.RAM), func(*memory.Record) error { return nil }), small)
		},
	} {
		t.Run(name, func(t *testing.T) { storetest.Run(t, open) })
	}
}

// The tests for stores hold of one that has nothing but blobs.
func TestBlobsFirst(t *testing.T) {
	storetest.RunBlobs(t, func(*testing.T) memory.Store { return struct{ memory.Store }{new(memory.RAM)} })
}

// Whatever a record holds, it comes back byte for byte.
func TestExactBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	shared := base64.StdEncoding.EncodeToString(random(3000))
	sum := memory.Blob{Data: append([]byte("b"), must(base64.StdEncoding.DecodeString(shared))...)}.Sum()
	values := []func() string{
		func() string { return shared },
		func() string { return base64.StdEncoding.EncodeToString(random(200 + r.IntN(3000))) },
		func() string { return base64.URLEncoding.EncodeToString(random(300)) },
		func() string { return base64.RawStdEncoding.EncodeToString(random(301)) },
		func() string { return strings.ReplaceAll(base64.StdEncoding.EncodeToString(random(600)), "/", `\/`) },
		func() string { return base64.StdEncoding.EncodeToString(random(300)) + `\n` },
		func() string { return strings.Repeat("QUJD", 100) + "QUJE=" },
		func() string { return strings.Repeat("QUJD", 100) + "QR==" }, // not what an encoder writes
		func() string { return strings.Repeat("A", 400) + `\"` },
		func() string { return strings.Repeat("A", 400) + `\\` },
		func() string { return sum }, // the name of a payload, as the text of a record
		func() string { return `\"` + sum + `\"` },
		func() string { return "aside" },
		func() string { return "" },
	}
	value := func() string { return `"` + values[r.IntN(len(values))]() + `"` }
	object := func(typ string) []byte {
		s := `{"type":"` + typ + `"`
		for i := range r.IntN(6) {
			switch r.IntN(4) {
			case 0:
				s += fmt.Sprintf(`, "k%d" : {"data":%s}`, i, value())
			case 1:
				s += fmt.Sprintf(",%s:[%s,%s]", value(), value(), value())
			default:
				s += fmt.Sprintf(`,"k%d":%s`, i, value())
			}
		}
		return []byte(s + "}")
	}
	block := func(typ string) transport.Block { return must(transport.ParseBlock(object(typ))) }
	var records []memory.Record
	at := time.Unix(5, 6).UTC()
	for range 400 {
		resp := must(transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","content":[` + string(object("x")) + `,` + string(object("y")) + `],"stop_reason":"end_turn","usage":{}}`)))
		resp.Cut, resp.Meta = []string{"c"}, transport.Meta{RequestID: "r"}
		m := transport.Message{Role: transport.RoleUser, Content: []transport.Block{block("a"), block("b"), block("c")}}
		records = append(records,
			memory.Record{Kind: memory.KindInput, Time: at, Message: m},
			memory.Record{Kind: memory.KindResponse, Time: at, Response: resp, Data: object("d")},
			memory.Record{Kind: memory.KindResult, Time: at, Block: block("tool_result"), Final: true},
			memory.Record{Kind: memory.KindSummary, Time: at, Message: m, Replaces: 2},
			memory.Record{Kind: memory.KindNote, Time: at, Note: shared, Data: object("e")},
			memory.Record{Kind: memory.KindDecision, Time: at, Decision: &memory.Decision{CallID: "c", Hash: "h", Input: object("f")}},
		)
	}
	inside := new(memory.RAM)
	s := wrap(t, inside, &blob.Options{MinBytes: 200})
	before := texts(t, records)
	if err := s.Append(t.Context(), "s", memory.Position{}, records...); err != nil {
		t.Fatal(err)
	}
	var got []memory.Record
	for r, err := range s.Load(t.Context(), "s", memory.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	for i, text := range texts(t, got) {
		if text != before[i] {
			t.Fatalf("record %d came back as\n%s, want\n%s", i, text, before[i])
		}
	}
	if after := texts(t, records); strings.Join(after, "") != strings.Join(before, "") {
		t.Error("the records given to Append were changed")
	}
	put := 0
	for r, err := range inside.Load(t.Context(), "s", memory.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		put += len(r.Aside)
	}
	if put < 1000 {
		t.Errorf("%d payloads were put aside: the test tests nothing", put)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func texts(t *testing.T, records []memory.Record) []string {
	t.Helper()
	list := make([]string, len(records))
	for i, r := range records {
		raw, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = string(raw)
	}
	return list
}

// picture is an input with a picture, different for each n.
func picture(n int) memory.Record {
	r := rand.New(rand.NewPCG(uint64(n), 0))
	img := image.NewGray(image.Rect(0, 0, 150, 150))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		panic(err)
	}
	return memory.Record{Kind: memory.KindInput, Time: time.Unix(1, 0).UTC(), Message: transport.Message{
		Role: transport.RoleUser, Content: []transport.Block{must(transport.Image{Data: file.Bytes()}.Block())},
	}}
}

// A backup of the store inside has payloads as blobs. It can be read by a library
// without them nowhere, and by this one into the same kind of store.
func TestBackupOfTheInside(t *testing.T) {
	inside, other := new(memory.RAM), new(memory.RAM)
	if err := wrap(t, inside, nil).Append(t.Context(), "s", memory.Position{}, picture(1), picture(1)); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := transfer.Export(t.Context(), inside, "s", &file); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(file.String(), `"aside"`); n != 2 {
		t.Errorf("%d records have payloads aside", n)
	}
	if n := file.Len(); n > 80_000 {
		t.Errorf("one picture twice makes %d bytes", n)
	}
	for _, to := range []memory.Store{other, wrap(t, other, nil)} {
		id := fmt.Sprintf("%T", to)
		if _, err := transfer.Import(t.Context(), to, bytes.NewReader(file.Bytes()), id, &transfer.Options{Trusted: true}); err != nil {
			t.Errorf("into %T: %v", to, err)
			continue
		}
		want := texts(t, []memory.Record{picture(1), picture(1)})
		for r, err := range wrap(t, other, nil).Load(t.Context(), id, memory.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(t, []memory.Record{r})[0]; got != want[0] {
				t.Errorf("into %T: %.100s", to, got)
			}
		}
	}
}

// broken is a store whose appends of records fail, as if the program had ended
// behind the payloads.
type broken struct {
	memory.Store
	err error
}

func (s *broken) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if len(records) > 0 && s.err != nil {
		return s.err
	}
	return s.Store.Append(ctx, id, at, records...)
}

// full is a store that takes no payload.
type full struct{ *memory.RAM }

func (full) PutBlob(context.Context, string, memory.Blob) (string, error) {
	return "", memory.ErrUnavailable
}

// A message whose picture isn't stored is not in the inbox either, where somebody would take
// it.
func TestMessagesAreBehindTheirPayloads(t *testing.T) {
	inside := full{new(memory.RAM)}
	if err := inside.Append(t.Context(), "s", memory.Position{Start: new(memory.Start)}); err != nil {
		t.Fatal(err)
	}
	if err := wrap(t, inside, nil).Enqueue(t.Context(), "s", picture(1)); !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("the payload can't be stored: %v", err)
	}
	for r, err := range inside.Inbox(t.Context(), "s", 0) {
		t.Errorf("in the inbox: message %d, %v", r.Queued, err)
	}
}

// A store that keeps payloads before records loses nothing if it ends in between,
// also of a session that is being made, and the same append succeeds later.
func TestEndsBetweenPayloadAndRecord(t *testing.T) {
	inside := &broken{new(memory.RAM), memory.ErrUnavailable}
	s := wrap(t, inside, nil)
	log := must(memory.Create(s, "s", &memory.Start{Meta: map[string]string{"user": "ann"}}))
	for n := range 3 {
		inside.err = memory.ErrUnavailable
		if err := log.Append(t.Context(), picture(n)); !errors.Is(err, memory.ErrUnavailable) {
			t.Fatalf("%v", err)
		}
		if info, err := s.Info(t.Context(), "s"); err != nil || info.Records != n {
			t.Errorf("in between: %+v, %v", info, err)
		}
		inside.err = nil
		if err := log.Append(t.Context(), picture(n)); err != nil {
			t.Fatal(err)
		}
	}
	again := must(memory.Open(t.Context(), s, "s"))
	if again.Len() != 3 || again.Meta()["user"] != "ann" || again.Position() != log.Position() {
		t.Errorf("%d records, %v", again.Len(), again.Meta())
	}
	for i, m := range again.Messages() {
		if want := log.Messages()[i].AppendJSON(nil); !bytes.Equal(m.AppendJSON(nil), want) {
			t.Errorf("message %d: %.100s", i, m.AppendJSON(nil))
		}
	}
	// Somebody else's session of that id is not taken over.
	other := must(memory.Create(s, "s", nil))
	if err := other.Append(t.Context(), picture(9)); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("another beginning: %v", err)
	}
}

// Retention takes payloads with the last session that has them, and not before.
func TestSweep(t *testing.T) {
	inside := new(memory.RAM)
	s := wrap(t, inside, nil)
	for _, id := range []string{"old", "kept"} {
		if err := s.Append(t.Context(), id, memory.Position{Start: &memory.Start{Meta: map[string]string{"id": id}}}, picture(1)); err != nil {
			t.Fatal(err)
		}
	}
	var name string
	for b, err := range inside.Blobs(t.Context(), "old") {
		if err != nil || name != "" {
			t.Fatalf("%q, %v", name, err)
		}
		name = b.Name
	}
	future := time.Now().Add(time.Hour)
	if n, err := sweep.Before(t.Context(), s, future, map[string]string{"id": "old"}); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	want := texts(t, []memory.Record{picture(1)})
	for r, err := range s.Load(t.Context(), "kept", memory.Position{}) {
		if err != nil || texts(t, []memory.Record{r})[0] != want[0] {
			t.Errorf("kept: %v", err)
		}
	}
	if n, err := sweep.Before(t.Context(), s, future, nil); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if err := s.Append(t.Context(), "kept", memory.Position{}); err != nil {
		t.Fatal(err)
	}
	if _, err := inside.Blob(t.Context(), "kept", name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the payload is there still: %v", err)
	}
}

// A redaction hook sees the payloads, whichever store is inside of which.
func TestRedaction(t *testing.T) {
	secret := picture(7)
	payload := secret.Message.Content[0].Raw()
	hook := func(r *memory.Record) error {
		if r.Kind == memory.KindInput && bytes.Equal(r.Message.Content[0].Raw(), payload) {
			r.Message = transport.UserText("[removed]")
		}
		return nil
	}
	for name, s := range map[string]memory.Store{
		"inside":  wrap(t, protect.Redacted(new(memory.RAM), hook), nil),
		"outside": protect.Redacted(wrap(t, new(memory.RAM), nil), hook),
	} {
		inbox, importer := must(memory.Need[memory.Inbox](s)), must(memory.Need[memory.Importer](s))
		if err := s.Append(t.Context(), "s", memory.Position{}, picture(1)); err != nil {
			t.Fatal(err)
		}
		for way, err := range map[string]error{
			"append":  s.Append(t.Context(), "s", memory.Position{Records: 1}, secret),
			"enqueue": inbox.Enqueue(t.Context(), "s", secret),
			"import":  importer.Import(t.Context(), memory.Session{Info: memory.Info{ID: "i"}, Records: []memory.Record{secret}}),
		} {
			if !errors.Is(err, protect.ErrUnredacted) {
				t.Errorf("hook %s: %s: %v", name, way, err)
			}
		}
		log := must(memory.Open(t.Context(), s, "s"))
		if err := log.Append(t.Context(), secret); err != nil || log.Messages()[1].Text() != "[removed]" {
			t.Errorf("hook %s: appended to the log: %v", name, err)
		}
	}
}

// An export of the store inside that lacks a payload, or has other bytes for it, is
// refused by name, and imports nothing.
func TestImportOfDamagedBackup(t *testing.T) {
	inside := new(memory.RAM)
	if err := wrap(t, inside, nil).Append(t.Context(), "s", memory.Position{}, picture(1), picture(2)); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := transfer.Export(t.Context(), inside, "s", &file); err != nil {
		t.Fatal(err)
	}
	var name string
	for b, err := range inside.Blobs(t.Context(), "s") {
		if err != nil {
			t.Fatal(err)
		}
		name = b.Name
	}
	var kept, changed, cut []string
	for line := range strings.Lines(file.String()) {
		isBlob := strings.Contains(line, name) && !strings.Contains(line, `"aside"`)
		if !isBlob {
			kept = append(kept, line)
		}
		if isBlob {
			at := strings.Index(line, `"data":"`) + len(`"data":"`)
			cut = append(cut, line[:at]+line[at+400:])
			line = line[:at+40] + "AAAAAAAA" + line[at+48:]
		} else {
			cut = append(cut, line)
		}
		changed = append(changed, line)
	}
	if len(kept) != len(changed)-1 {
		t.Fatalf("%d lines, %d without the blob", len(changed), len(kept))
	}
	for how, lines := range map[string][]string{"gone": kept, "changed": changed, "cut": cut} {
		to := new(memory.RAM)
		for _, s := range []memory.Store{to, wrap(t, to, nil)} {
			_, err := transfer.Import(t.Context(), s, strings.NewReader(strings.Join(lines, "")), "copy", &transfer.Options{Trusted: true})
			want := name
			if how == "gone" { // its line is not there
				want = "blob 1"
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, into %T: %v", how, s, err)
			}
			if _, err := s.Info(t.Context(), "copy"); !errors.Is(err, memory.ErrNoSession) {
				t.Errorf("%s, into %T: a session is there: %v", how, s, err)
			}
		}
	}
}

// A store may give a payload in other bytes, or cut, when several are read at once: the
// record is refused by name, and the others are read.
func TestChangedAmongMany(t *testing.T) {
	inside := &changing{RAM: new(memory.RAM)}
	s := wrap(t, inside, nil)
	var all []memory.Record
	for n := range 5 {
		all = append(all, picture(n))
	}
	if err := s.Append(t.Context(), "s", memory.Position{}, all...); err != nil {
		t.Fatal(err)
	}
	for r, err := range inside.RAM.Load(t.Context(), "s", memory.Position{Records: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		inside.name = r.Aside[0]
		break
	}
	want := texts(t, all)
	for how, change := range map[string]func([]byte) []byte{
		"other": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut":   func(b []byte) []byte { return b[:len(b)-1] },
		"empty": func([]byte) []byte { return nil },
		"form":  func(b []byte) []byte { b[0] = 'c'; return b },
	} {
		inside.change = change
		var got []memory.Record
		var last error
		for r, err := range s.Load(t.Context(), "s", memory.Position{}) {
			if last = err; err == nil {
				got = append(got, r)
			}
		}
		var lost *blob.LostError
		if !errors.As(last, &lost) || lost.Name != inside.name || lost.Record != 3 || !errors.Is(last, memory.ErrCorrupt) || len(got) != 3 {
			t.Errorf("%s: %d records, then %v", how, len(got), last)
		}
		for i, text := range texts(t, got) {
			if text != want[i] {
				t.Errorf("%s: record %d came back as other bytes", how, i)
			}
		}
		for r, err := range s.Load(t.Context(), "s", memory.Position{Records: 4}) {
			if err != nil || texts(t, []memory.Record{r})[0] != want[4] {
				t.Errorf("%s: behind it: %v", how, err)
			}
		}
	}
}

// changing is a store that reads several blobs at once, and one of them wrongly.
type changing struct {
	*memory.RAM
	name   string
	change func([]byte) []byte
}

func (c *changing) FetchBlobs(ctx context.Context, id string, names []string) iter.Seq2[memory.Blob, error] {
	return func(yield func(memory.Blob, error) bool) {
		for _, name := range names {
			b, err := c.Blob(ctx, id, name)
			if err == nil && name == c.name {
				b.Data = c.change(b.Data)
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}
