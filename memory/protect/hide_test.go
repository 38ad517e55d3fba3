package protect_test

import (
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
)

// The session's key is in nothing that the store reports about it, and can't be replaced.
func TestKeyIsNotShown(t *testing.T) {
	ctx := t.Context()
	s := protect.Encrypted(new(memory.RAM), keys("a", "a"))
	if err := s.Append(ctx, "s", memory.Position{Start: &memory.Start{Meta: map[string]string{"user": "ann"}}}, input("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Wake(ctx, "s", time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	var infos []memory.Info
	add := func(i memory.Info, err error) {
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, i)
	}
	add(s.Info(ctx, "s"))
	for i, err := range s.List(ctx, memory.Query{}) {
		add(i, err)
	}
	for i, err := range s.Due(ctx, memory.Query{}) {
		add(i, err)
	}
	for _, i := range infos {
		if len(i.Meta) != 1 || i.Meta["user"] != "ann" {
			t.Errorf("its metadata are %v", i.Meta)
		}
	}
	if len(infos) != 3 {
		t.Errorf("told of %d times", len(infos))
	}
	inside, err := s.Unwrap().Info(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	for name := range inside.Meta {
		if name == "user" {
			continue
		}
		for _, value := range []string{"", "x"} {
			if err := s.SetMeta(ctx, "s", name, value); err == nil || !strings.Contains(err.Error(), "session's key") {
				t.Errorf("%s set to %q: %v", name, value, err)
			}
		}
	}
	if list, err := records(protect.Encrypted(s.Unwrap(), keys("a", "a")), "s"); err != nil || len(list) != 1 {
		t.Errorf("%d records, %v", len(list), err)
	}
}
