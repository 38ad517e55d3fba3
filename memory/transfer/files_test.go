package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

const (
	callA    = `{"v":1,"kind":"response","response":{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"a","name":"f","input":{}}],"stop_reason":"tool_use"}}`
	question = `{"v":1,"kind":"input","message":{"role":"user","content":[{"type":"text","text":"q"}]}}`
	asked    = `{"v":1,"kind":"ask","time":"2026-11-28T01:02:03Z","asks":[{"call_id":"a","hash":"00"}]}`
	decided  = `{"v":1,"kind":"decision","decision":{"call_id":"a","hash":"00","approve":true}}`
	answered = `{"v":1,"kind":"result","block":{"type":"tool_result","tool_use_id":"a"}}`
	noted    = `{"v":1,"kind":"note","note":"n"}`
	sealed   = `{"v":1,"kind":"sealed","data":{"nonce":"AA==","sealed":"AA=="}}`
)

// session is the part of a file that has a session.
func session(members string, lines ...string) string {
	return fmt.Sprintf(`{"v":2,"format":"whorl session",%s,"created":"2026-01-01T00:00:00Z","changed":"2026-01-02T00:00:00Z"}`, members) + "\n" + strings.Join(append(lines, ""), "\n")
}

func load(t *testing.T, s memory.Store, id string) (list []memory.Record) {
	t.Helper()
	for r, err := range s.Load(t.Context(), id, memory.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// A file that isn't whole, or says what can't be, is refused, and leaves nothing behind:
// none of the sessions in front of what is wrong either.
func TestFilesThatAreRefused(t *testing.T) {
	good := session(`"id":"s","records":1,"inbox":0,"blobs":0`, noted)
	for _, tt := range []struct {
		name, file string
		trusted    bool
		want       string
	}{
		{"empty", "", true, "EOF"},
		{"negative records", session(`"id":"s","records":-1,"inbox":0,"blobs":0`), true, "negative"},
		{"a negative inbox", session(`"id":"s","records":0,"inbox":-1,"blobs":0`), true, "negative"},
		{"negative blobs", session(`"id":"s","records":0,"inbox":0,"blobs":-1`), true, "negative"},
		{"so many records that no machine has room for them", session(`"id":"s","records":9000000000000000000,"inbox":0,"blobs":0`), true, "truncated"},
		{"an unknown member", session(`"id":"s","records":0,"inbox":0,"blobs":0,"owner":"root"`), true, `"owner"`},
		{"an unknown member of a blob", session(`"id":"s","records":0,"inbox":0,"blobs":1`, `{"blob":"sha256:0","media_type":"","data":"","mode":"0777"}`), true, `"mode"`},
		{"a changed blob", session(`"id":"s","records":0,"inbox":0,"blobs":1`, `{"blob":"sha256:0","media_type":"","data":"AAAA"}`), true, "its bytes are others"},
		{"no blob", session(`"id":"s","records":0,"inbox":0,"blobs":1`), true, "truncated"},
		{"no message", session(`"id":"s","records":0,"inbox":1,"blobs":0`), true, "truncated"},
		{"a second header that isn't one", good + "{}\n", true, "not the export of a session"},
		{"the second session has no parent there", good + session(`"id":"t","records":0,"inbox":0,"blobs":0,"parent":"other"`), true, `the parent "other"`},
		{"the second session is damaged", good + session(`"id":"t","records":1,"inbox":0,"blobs":0,"parent":"s"`, "x"), true, "record 0"},
		{"records that make no conversation", session(`"id":"s","records":1,"inbox":0,"blobs":0`, answered), true, "no open tool call"},
		{"encrypted, of a stranger", session(`"id":"new","records":1,"inbox":0,"blobs":0`, sealed), false, "can't be looked at"},
		{"encrypted, under another id", session(`"id":"s","records":1,"inbox":0,"blobs":0`, sealed), true, `for the session "s"`},
		{"version 3", strings.Replace(good, `"v":2`, `"v":3`, 1), true, "unknown version"},
	} {
		to := new(memory.RAM)
		_, err := transfer.Import(t.Context(), to, strings.NewReader(tt.file), "new", &transfer.Options{Trusted: tt.trusted})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `"new"`) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		for info := range to.List(t.Context(), memory.Query{}) {
			t.Errorf("%s: %q was left", tt.name, info.ID)
		}
	}
	if _, err := transfer.Import(t.Context(), new(memory.RAM), strings.NewReader(good), "new", &transfer.Options{Start: &memory.Start{ParentIncarnation: "one"}}); err == nil {
		t.Error("bound to an incarnation that isn't looked at")
	}
}

// A line may be as long as is allowed, and the last one need not end.
func TestLinesOfAFile(t *testing.T) {
	file := strings.TrimSuffix(session(`"id":"s","records":1,"inbox":0,"blobs":0`, `{"v":1,"kind":"note","note":"`+strings.Repeat("x", 200_000)+`"}`), "\n")
	_, longest, _ := strings.Cut(file, "\n")
	for most, ok := range map[int]bool{len(longest): true, len(longest) - 1: false, 0: true, -1: true} {
		_, err := transfer.Import(t.Context(), new(memory.RAM), strings.NewReader(file), "new", &transfer.Options{MaxLine: most})
		if (err == nil) != ok {
			t.Errorf("a line of %d bytes, at most %d: %v", len(longest), most, err)
		}
	}
}

// What a trusted file says of a session is taken, what it says under another id is not
// the same incarnation, and a stranger's is what anybody may say.
func TestWhatAFileSays(t *testing.T) {
	one := session(`"id":"s","incarnation":"one","records":1,"inbox":1,"blobs":0,"origin":"from","wake":"2099-01-01T00:00:00Z","queued":9,"meta":{"user":"root"}`,
		noted, `{"inbox":7,"record":`+question+`}`)
	old := strings.Replace(session(`"id":"s","records":1,"inbox":0,"blobs":0,"parent":"before"`, noted), `"v":2`, `"v":1`, 1)
	for _, tt := range []struct {
		name, file, id string
		o              transfer.Options
		want           string
	}{
		{"a backup", one, "s", transfer.Options{Trusted: true}, "one from 2099 9 root 1"},
		{"a backup under another id", one, "t", transfer.Options{Trusted: true}, "other from 2099 9 root 1"},
		{"a stranger's", one, "s", transfer.Options{}, "other from 1 9  2"},
		{"with metadata", one, "s", transfer.Options{Trusted: true, Start: &memory.Start{Incarnation: "mine", Meta: map[string]string{"user": "ann"}}}, "mine from 2099 9 ann 1"},
		{"of version 1, where the parent was the origin", old, "s", transfer.Options{Trusted: true}, "other before 1 0  1"},
	} {
		to := new(memory.RAM)
		info, err := transfer.Import(t.Context(), to, strings.NewReader(tt.file), tt.id, &tt.o)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		incarnation := "other"
		if info.Incarnation == "one" || info.Incarnation == "mine" {
			incarnation = info.Incarnation
		}
		got := fmt.Sprint(incarnation, " ", info.Origin, " ", info.Wake.Year(), " ", info.Queued, " ", info.Meta["user"], " ", info.Records)
		if got != tt.want || info.Parent != "" || !info.Created.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) || !info.Changed.Equal(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %s (%+v), want %s", tt.name, got, info, tt.want)
		}
		waits := 0
		for r, err := range to.Inbox(t.Context(), tt.id, 0) {
			waits++
			if err != nil || r.Queued != 7 || r.Message.Text() != "q" {
				t.Errorf("%s: the inbox has %d %q, %v", tt.name, r.Queued, r.Message.Text(), err)
			}
		}
		if want := strings.Count(tt.file, `{"inbox":7`); waits != want {
			t.Errorf("%s: %d messages wait, want %d", tt.name, waits, want)
		}
		if tt.o.Start != nil && len(tt.o.Start.Meta) != 1 {
			t.Errorf("%s: written into the caller's options", tt.name)
		}
	}
}

// Of a stranger's records those that are history stay, and what would decide about what
// is open does not: of the newest run the limits, of the newest response the approvals.
func TestStrangersRecords(t *testing.T) {
	run := `{"v":1,"kind":"run","limits":{"steps":77,"pauses":0,"cuts":0}}`
	file := session(`"id":"s","records":12,"inbox":0,"blobs":0`,
		run, question, callA, asked, decided, answered, run, callA, asked, decided, noted, noted)
	to := new(memory.RAM)
	if _, err := transfer.Import(t.Context(), to, strings.NewReader(file), "new", nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range load(t, to, "new") {
		what := string(r.Kind)
		if r.Limits != nil {
			what += fmt.Sprint(r.Limits.Steps)
		}
		got = append(got, what+r.Note)
		if r.Note == "imported" && strings.Contains(string(r.Data), `"ask"`) && !r.Time.Equal(time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)) {
			t.Errorf("it is of %v", r.Time)
		}
	}
	want := "run77 input response ask decision result run0 response noteimported noteimported noten noten notetaint"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	// One that has no records has nothing that could be of a stranger.
	info, err := transfer.Import(t.Context(), to, strings.NewReader(session(`"id":"s","records":0,"inbox":0,"blobs":0`)), "empty", nil)
	if err != nil || info.Records != 0 {
		t.Errorf("%d records, %v", info.Records, err)
	}
}

// growing is a store whose session grows while it is read, or whose blobs fail.
type growing struct {
	*memory.RAM
	blobs error
}

func (g growing) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if err := g.Append(ctx, id, memory.Position{Records: 2}, memory.Record{Kind: memory.KindNote, Note: "late"}); err != nil && !errors.Is(err, memory.ErrConflict) {
		panic(err)
	}
	return g.RAM.Load(ctx, id, from)
}

func (g growing) Blobs(ctx context.Context, id string) iter.Seq2[memory.Blob, error] {
	if g.blobs == nil {
		return g.RAM.Blobs(ctx, id)
	}
	return func(yield func(memory.Blob, error) bool) { yield(memory.Blob{}, g.blobs) }
}

// An export is of one moment, and holds all that there was: what can't be read makes it
// fail, but for what the store can't have.
func TestExportsAreWhole(t *testing.T) {
	from := growing{RAM: new(memory.RAM)}
	queued := memory.Record{Kind: memory.KindInput, Message: transport.UserText("<in the log>"), Queued: 5}
	if err := from.Append(t.Context(), "s", memory.Position{}, queued, memory.Record{Kind: memory.KindNote, Note: "n"}); err != nil {
		t.Fatal(err)
	}
	if err := memory.Enqueue(t.Context(), from, "s", transport.UserText("waits")); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := transfer.Export(t.Context(), from, "s", &file); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(file.String(), "\n"), "\n")
	if len(lines) != 4 || !strings.Contains(lines[0], `"records":2,"inbox":1,"blobs":0`) || strings.Contains(file.String(), "late") || !strings.Contains(lines[1], "<in the log>") || !strings.Contains(lines[3], "waits") {
		t.Errorf("exported\n%s", file.String())
	}
	was, err := from.Info(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if is, err := transfer.Import(t.Context(), new(memory.RAM), &file, "s", &transfer.Options{Trusted: true}); err != nil || is.Queued != was.Queued || is.Incarnation != was.Incarnation {
		t.Errorf("imported as %+v (%v), was %+v", is, err, was)
	}
	from.blobs = memory.ErrUnavailable
	if err := transfer.Export(t.Context(), from, "s", new(bytes.Buffer)); !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("with blobs that can't be read: %v", err)
	}
	from.blobs = &memory.AbilityError{Ability: "memory.Blobs"}
	if err := transfer.Export(t.Context(), from, "s", new(bytes.Buffer)); err != nil {
		t.Errorf("without blobs: %v", err)
	}
	from.blobs = nil
	if err := transfer.Export(t.Context(), from, "s", full{}); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("to a full disk: %v", err)
	}
	if err := transfer.Export(t.Context(), from, "none", new(bytes.Buffer)); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("of a session that isn't there: %v", err)
	}
	if err := from.SetMeta(t.Context(), "s", "k", "\xff"); err != nil {
		t.Fatal(err)
	}
	if err := transfer.Export(t.Context(), from, "s", new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
		t.Errorf("of metadata that would be changed: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

// What an import that was cancelled half way has made is removed all the same.
func TestCancelledImportLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	to := &cancelling{RAM: new(memory.RAM), cancel: cancel}
	file := session(`"id":"s","records":1,"inbox":0,"blobs":0`, noted) + session(`"id":"t","records":1,"inbox":0,"blobs":0,"parent":"s"`, noted)
	if _, err := transfer.Import(ctx, to, strings.NewReader(file), "new", &transfer.Options{Trusted: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for info := range to.List(t.Context(), memory.Query{}) {
		t.Errorf("%q was left", info.ID)
	}
}

// cancelling is a store whose caller gives up once the first session is there.
type cancelling struct {
	*memory.RAM
	cancel context.CancelFunc
}

func (c *cancelling) Import(ctx context.Context, s memory.Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer c.cancel()
	return c.RAM.Import(ctx, s)
}

func (c *cancelling) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.RAM.Delete(ctx, id)
}
