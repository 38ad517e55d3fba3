package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// testListTogether: a list keeps each of its conditions beside the others, and on each of
// its pages.
func testListTogether(t *testing.T, s under) {
	const sessions = 12
	for i := range sessions {
		start := &memory.Start{Meta: map[string]string{"user": []string{"ann", "bob"}[i%2]}}
		if i%3 > 0 {
			start.Meta["kind"] = "chat"
		}
		if i > 1 && i%4 > 0 {
			start.Parent = fmt.Sprint("s", i/2-1)
		}
		must(t, s.Store.Append(ctx, fmt.Sprint("s", i), memory.Position{Start: start}, note("x")))
		tick()
	}
	if f, ok := memory.As[memory.Forker](s.Store); ok { // which has no parent, as its original
		must(t, f.Fork(ctx, "s1", memory.Position{Records: 1}, "fork", nil))
		tick()
	}
	must(t, s.Append(ctx, "s3", 1, note("y")))
	all := map[string]memory.Info{}
	for info, err := range s.List(ctx, memory.Query{}) {
		must(t, err)
		all[info.ID] = info
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 80 {
		q := memory.Query{
			Meta:   []map[string]string{nil, {"user": "ann"}, {"user": "bob", "kind": "chat"}}[r.IntN(3)],
			Parent: []string{"", "", "s0", "s1"}[r.IntN(4)],
			Tree:   []string{"", "", "s0", "s1"}[r.IntN(4)],
			Roots:  r.IntN(3) == 0,
			Since:  []time.Time{{}, all["s4"].Changed}[r.IntN(2)],
			Before: []time.Time{{}, all["s9"].Changed}[r.IntN(2)],
			Sort:   []string{"", "changed", "created", "id"}[r.IntN(4)], Reverse: r.IntN(2) == 0,
		}
		want := chosen(all, q)
		for _, q.Limit = range []int{0, 2} {
			q.After = ""
			var got []string
			for n := -1; n != len(got) && len(got) <= len(all); {
				n = len(got)
				for info, err := range s.List(ctx, q) {
					must(t, err)
					got, q.After = append(got, info.ID), info.Cursor
				}
				if q.Limit == 0 {
					break
				}
				if len(got) > n+q.Limit {
					t.Errorf("%+v: a page has %d", q, len(got)-n)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v: %q, want %q", q, strings.Join(got, " "), strings.Join(want, " "))
			}
		}
	}
}

// chosen are the ids of the sessions that a query chooses, in its order.
func chosen(all map[string]memory.Info, q memory.Query) (ids []string) {
	below := func(id string) bool {
		for ; id != "" && id != q.Tree; id = all[id].Parent {
		}
		return id == q.Tree
	}
	for id, i := range all {
		fits := true
		for k, v := range q.Meta {
			fits = fits && i.Meta[k] == v
		}
		if fits && (q.Parent == "" || i.Parent == q.Parent) && (q.Tree == "" || below(id)) && !(q.Roots && i.Parent != "") &&
			(q.Since.IsZero() || !i.Changed.Before(q.Since)) && (q.Before.IsZero() || i.Changed.Before(q.Before)) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		n := cmp.Compare(a, b)
		switch q.Sort {
		case "", "changed":
			n = all[b].Changed.Compare(all[a].Changed)
		case "created":
			n = all[b].Created.Compare(all[a].Created)
		}
		if q.Reverse {
			n = -n
		}
		return n
	})
	return ids
}
