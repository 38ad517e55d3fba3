package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

// working is a store whose session takes its message into the log at a moment of a copy.
type working struct {
	*memory.RAM
	take   func()
	moment string
}

func (w working) at(moment string) {
	if moment == w.moment {
		w.take()
	}
}

func (w working) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return func(yield func(memory.Info, error) bool) {
		for info, err := range w.RAM.List(ctx, q) {
			if !yield(info, err) {
				return
			}
		}
		w.at("listed")
	}
}

func (w working) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	w.at("before the inbox")
	list := w.RAM.Inbox(ctx, id, after)
	return func(yield func(memory.Record, error) bool) {
		for r, err := range list {
			if !yield(r, err) {
				return
			}
		}
		w.at("behind the inbox")
	}
}

func (w working) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	w.at("before the records")
	list := w.RAM.Load(ctx, id, from)
	return func(yield func(memory.Record, error) bool) {
		for r, err := range list {
			if !yield(r, err) {
				return
			}
		}
		w.at("behind the records")
	}
}

// A message that goes from the inbox into the log while its session is copied is in the
// copy once.
func TestMessageTakenMeanwhile(t *testing.T) {
	for _, moment := range []string{"never", "listed", "before the inbox", "behind the inbox", "before the records", "behind the records"} {
		ctx, w := t.Context(), working{RAM: new(memory.RAM), moment: moment}
		hello := memory.Record{Kind: memory.KindInput, Message: transport.UserText("hello")}
		err := w.Append(ctx, "s", memory.Position{}, hello)
		if err == nil {
			err = memory.Enqueue(ctx, w.RAM, "s", transport.UserText("and this"))
		}
		if err != nil {
			t.Fatal(err)
		}
		taken := false
		w.take = func() {
			for r, err := range w.RAM.Inbox(ctx, "s", 0) {
				if taken = true; err == nil {
					err = w.Append(ctx, "s", memory.Position{Records: 1}, r)
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
		to := new(memory.RAM)
		if _, err := transfer.Copy(ctx, w, "s", to, "", nil); err != nil || taken != (moment != "never") {
			t.Errorf("%s: taken %v, %v", moment, taken, err)
		}
		var got []string
		for r, err := range to.Load(ctx, "s", memory.Position{}) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, r.Message.Text())
		}
		for r, err := range to.Inbox(ctx, "s", 0) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, r.Message.Text())
		}
		if len(got) != 2 || got[1] != "and this" {
			t.Errorf("%s: the copy has %q", moment, got)
		}
	}
}

// A file that says that its messages had the last numbers there are would take those of
// all later ones.
func TestLastNumbersAreRefused(t *testing.T) {
	input := func(queued int64) []memory.Record {
		return []memory.Record{{Kind: memory.KindInput, Message: transport.UserText("hi"), Queued: queued}}
	}
	for _, number := range []int64{-1, 5, math.MaxInt64} {
		for name, s := range map[string]memory.Session{
			"log":    {Records: input(number)},
			"inbox":  {Records: input(0), Inbox: input(number)},
			"header": {Info: memory.Info{Queued: number}, Records: input(0)},
		} {
			ctx, from, to := t.Context(), new(memory.RAM), new(memory.RAM)
			s.Info.ID = "s"
			if err := from.Import(ctx, s); err != nil {
				t.Fatal(err)
			}
			_, err := transfer.Copy(ctx, from, "s", to, "", nil)
			if refused := errors.Is(err, memory.ErrCorrupt); refused == (number == 5 || name != "log" && number < 0) {
				t.Errorf("%s, %d: %v", name, number, err)
			}
		}
	}
}

// A payload that a small file names again and again is not written out for a stranger.
func TestRepeatedPayloads(t *testing.T) {
	ctx, from := t.Context(), new(memory.RAM)
	payload := memory.Blob{MediaType: blob.PayloadType, Data: append([]byte("b"), make([]byte, 3<<20)...)}.Named()
	data := fmt.Appendf(nil, `["%s"%s]`, payload.Name, strings.Repeat(`,"`+payload.Name+`"`, 499))
	s := memory.Session{Info: memory.Info{ID: "s"}, Blobs: []memory.Blob{payload}, Records: []memory.Record{{Kind: memory.KindNote, Note: "n", Data: data, Aside: []string{payload.Name}}}}
	if err := from.Import(ctx, s); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := transfer.Export(ctx, from, "s", &file); err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Import(ctx, new(memory.RAM), &file, "s", nil); err == nil || !strings.Contains(err.Error(), "payloads") {
		t.Errorf("%v", err)
	}
}
