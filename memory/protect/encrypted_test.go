package protect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
	"github.com/whorl-go/whorl/memory/storetest"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

func keys(current string, names ...string) protect.Keys {
	k := protect.Keys{Current: current, Keys: map[string][]byte{}}
	for _, n := range names {
		k.Keys[n] = []byte(strings.Repeat(n, 32)[:32])
	}
	return k
}

func TestEncrypted(t *testing.T) {
	storetest.Run(t, func(*testing.T) memory.Store { return protect.Encrypted(new(memory.RAM), keys("a", "a")) })
}

// records reads a session until an error.
func records(s memory.Store, id string) (list []memory.Record, err error) {
	for r, err := range s.Load(context.Background(), id, memory.Position{}) {
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

func TestEncryptedHidesAndKeeps(t *testing.T) {
	ctx := t.Context()
	inside := new(memory.RAM)
	s := protect.Encrypted(inside, keys("a", "a"))
	if err := s.Append(ctx, "s", memory.Position{}, input("the secret word"), input("once more the secret word")); err != nil {
		t.Fatal(err)
	}
	if err := memory.Enqueue(ctx, s, "s", transport.UserText("and the secret word")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := transfer.Export(ctx, inside, "s", &out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "secret") || strings.Contains(text, `"input"`) || strings.Count(text, `"sealed"`) < 3 {
		t.Errorf("stored: %s", text)
	}
	if _, err := memory.Open(ctx, inside, "s"); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("opened without the keys: %v", err)
	}
	// It is exported as it is stored, and imported elsewhere, without the keys.
	moved := new(memory.RAM)
	if _, err := transfer.Import(ctx, moved, &out, "s", &transfer.Options{Trusted: true}); err != nil {
		t.Fatal(err)
	}
	list, err := records(protect.Encrypted(moved, keys("a", "a")), "s")
	if err != nil || len(list) != 2 || list[1].Message.Text() != "once more the secret word" {
		t.Errorf("after moving: %v, %v", list, err)
	}
	// A damaged or moved record is noticed; those before it are read.
	for name, swap := range map[string]func([]memory.Record){
		"swapped": func(r []memory.Record) { r[0], r[1] = r[1], r[0] },
		"changed": func(r []memory.Record) {
			r[1].Data = bytes.Replace(r[1].Data, []byte(`"sealed":"`), []byte(`"sealed":"AAAA`), 1)
		},
		"in clear": func(r []memory.Record) { r[1] = input("forged") },
	} {
		raw, _ := records(inside, "s")
		swap(raw)
		bad := new(memory.RAM)
		if err := bad.Append(ctx, "s", memory.Position{}, raw...); err != nil {
			t.Fatal(err)
		}
		list, err := records(protect.Encrypted(bad, keys("a", "a")), "s")
		if !errors.Is(err, memory.ErrCorrupt) || len(list) > 1 {
			t.Errorf("%s: %d records, then %v", name, len(list), err)
		}
	}
}

// AES-GCM is broken once two texts are sealed with one key and one nonce.
func TestNoncesAreUsedOnce(t *testing.T) {
	ctx, inside := t.Context(), new(memory.RAM)
	s := protect.Encrypted(inside, keys("a", "a"))
	for i := range 20 {
		if err := s.Append(ctx, "s", memory.Position{Records: 2 * i}, input("x"), input("x")); err != nil {
			t.Fatal(err)
		}
		if err := memory.Enqueue(ctx, s, "s", transport.UserText("x")); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	see := func(sealed memory.Record, err error) {
		var box struct{ Nonce []byte }
		if err == nil {
			err = json.Unmarshal(sealed.Data, &box)
		}
		if err != nil || len(box.Nonce) != 12 {
			t.Fatalf("a nonce of %d bytes: %v", len(box.Nonce), err)
		}
		seen[string(box.Nonce)]++
	}
	for r, err := range inside.Load(ctx, "s", memory.Position{}) {
		see(r, err)
	}
	for r, err := range inside.Inbox(ctx, "s", 0) {
		see(r, err)
	}
	info, err := inside.Info(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range info.Meta { // the session's key and head
		see(memory.Record{Data: []byte(value)}, nil)
	}
	if len(seen) != 61 {
		t.Errorf("%d texts were sealed with %d nonces", 61, len(seen))
	}
}

func TestKeyRotation(t *testing.T) {
	ctx := t.Context()
	inside := new(memory.RAM)
	old := protect.Encrypted(inside, keys("a", "a"))
	if err := old.Append(ctx, "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	if _, err := records(protect.Encrypted(inside, keys("b", "b")), "s"); !errors.Is(err, protect.ErrKey) || !strings.Contains(err.Error(), `no key "a"`) {
		t.Errorf("read with another key: %v", err)
	}
	wrong := keys("a", "a")
	wrong.Keys["a"] = bytes.Repeat([]byte("x"), 32)
	if _, err := records(protect.Encrypted(inside, wrong), "s"); !errors.Is(err, protect.ErrKey) {
		t.Errorf("read with a wrong key of that name: %v", err)
	}
	both := protect.Encrypted(inside, keys("b", "a", "b"))
	if err := both.Append(ctx, "s", memory.Position{Records: 1}, input("two")); err != nil {
		t.Fatal(err)
	}
	if err := both.Fork(ctx, "s", memory.Position{Records: 1}, "early", nil); err != nil {
		t.Fatal(err)
	}
	if err := both.Rewrap(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1} {
		if err := both.Fork(ctx, "s", memory.Position{Records: n}, fmt.Sprint("late", n), nil); err != nil {
			t.Fatal(err)
		}
		if err := both.Append(ctx, fmt.Sprint("late", n), memory.Position{Records: n}, input("fork")); err != nil {
			t.Fatal(err)
		}
	}
	fresh := protect.Encrypted(inside, keys("b", "b"))
	for id, want := range map[string]int{"s": 2, "late0": 1, "late1": 2} {
		if list, err := records(fresh, id); err != nil || len(list) != want {
			t.Errorf("%s with the new key alone: %d records, %v", id, len(list), err)
		}
	}
	if _, err := records(fresh, "early"); !errors.Is(err, protect.ErrKey) {
		t.Errorf("a fork that was not rewrapped was read: %v", err)
	}
	if err := fresh.Append(ctx, "s", memory.Position{Records: 2}, input("three")); err != nil {
		t.Fatal(err)
	}
}

func FuzzKeysUnwrap(f *testing.F) {
	k := keys("a", "a")
	_, wrapped, err := k.Wrap(context.Background(), []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wrapped[:20])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if key, err := k.Unwrap(t.Context(), "a", raw); err == nil || !errors.Is(err, protect.ErrKey) {
			t.Errorf("unwrapped to %x, %v", key, err)
		}
	})
}

func TestRedacted(t *testing.T) {
	ctx := t.Context()
	inside := new(memory.RAM)
	hook := func(r *memory.Record) error {
		if r.Kind == memory.KindInput && strings.Contains(r.Message.Text(), "4111") {
			r.Message = transport.UserText("[a card number]")
		}
		if r.Note == "forbidden" {
			return errors.New("not to be stored")
		}
		return nil
	}
	for _, s := range []memory.Store{protect.Redacted(inside, hook), protect.Encrypted(protect.Redacted(inside, hook), keys("a", "a"))} {
		log, err := memory.Create(s, fmt.Sprintf("%T", s), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Append(ctx, input("pay with 4111")); err != nil {
			t.Fatal(err)
		}
		stored, err := memory.Open(ctx, s, log.ID())
		if err != nil {
			t.Fatal(err)
		}
		if got := requestBytes(log); strings.Contains(got, "4111") || got != requestBytes(stored) {
			t.Errorf("%s: the log sends %s, the stored one %s", log.ID(), got, requestBytes(stored))
		}
		if err := log.Append(ctx, memory.Record{Kind: memory.KindNote, Note: "forbidden"}); err == nil || log.Len() != 1 {
			t.Errorf("the hook's error: %v, %d records", err, log.Len())
		}
	}
	s := protect.Redacted(inside, hook)
	if err := s.Append(ctx, "direct", memory.Position{}, input("4111")); !errors.Is(err, protect.ErrUnredacted) {
		t.Errorf("around the hook: %v", err)
	}
	if err := s.Append(ctx, "direct", memory.Position{}, input("nothing")); err != nil {
		t.Fatal(err)
	}
	if err := memory.Enqueue(ctx, s, "direct", transport.UserText("4111")); err != nil {
		t.Fatal(err)
	}
	list, _ := records(inside, "direct")
	for r := range inside.Inbox(ctx, "direct", 0) {
		list = append(list, r)
	}
	for _, r := range list {
		if strings.Contains(r.Message.Text(), "4111") {
			t.Errorf("stored: %s", r.Message.Text())
		}
	}
}

// Whatever is in the box, it is opened or refused.
func FuzzSealed(f *testing.F) {
	inside := new(memory.RAM)
	if err := protect.Encrypted(inside, keys("a", "a")).Append(context.Background(), "s", memory.Position{}, input("x")); err != nil {
		f.Fatal(err)
	}
	good, err := records(inside, "s")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[0].Data)
	f.Add([]byte(`{"key":{"name":"a","wrapped":"AA=="},"nonce":"","sealed":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		inside := new(memory.RAM)
		if err := inside.Append(t.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindSealed, Data: data}); err != nil {
			t.Fatal(err)
		}
		list, err := records(protect.Encrypted(inside, keys("a", "a")), "s")
		if err == nil && (len(list) != 1 || list[0].Message.Text() != "x") {
			t.Errorf("%q was opened as %+v", data, list)
		}
	})
}
