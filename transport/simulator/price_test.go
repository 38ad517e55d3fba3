package simulator

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// promptOf is a prompt of n positions of 100 tokens each, whose hashes count from 1.
func promptOf(n int, marks map[int]transport.TTL, joins func(int) bool) prompt {
	c := &chunk{}
	c.marked = c
	for i := range n {
		c.list = append(c.list, position{hash: uint64(i + 1), tokens: 100 * (i + 1), mark: marks[i], joins: joins != nil && joins(i)})
	}
	return prompt{last: c}
}

// TestPrice holds what a prompt costs by what is cached.
func TestPrice(t *testing.T) {
	noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	at := func(positions ...uint64) map[uint64]entry {
		m := map[uint64]entry{}
		for _, p := range positions {
			m[p+1] = entry{expires: noon.Add(1), ttl: 5 * time.Minute}
		}
		return m
	}
	const short, long = transport.TTL5m, transport.TTL1h
	type marks = map[int]transport.TTL
	tenJoin := func(i int) bool { return 5 <= i && i < 15 }
	for _, tt := range []struct {
		name     string
		p        prompt
		minimum  int
		rule     LookbackRule
		entries  map[uint64]entry
		want     [4]int // input, read, write5m, write1h
		tooShort bool
		writes   int
	}{
		{"no prompt", prompt{}, 0, 0, at(), [4]int{}, false, 0},
		{"no marks", promptOf(10, nil, nil), 0, 0, at(9), [4]int{1000, 0, 0, 0}, false, 0},
		{"at the minimum", promptOf(10, marks{9: short}, nil), 1000, 0, at(), [4]int{0, 0, 1000, 0}, false, 1},
		{"below the minimum", promptOf(10, marks{9: short}, nil), 1001, 0, at(), [4]int{1000, 0, 0, 0}, true, 0},
		{"one below the minimum, one not", promptOf(10, marks{3: long, 7: short}, nil), 500, 0, at(), [4]int{200, 0, 800, 0}, true, 1},
		{"all of it", promptOf(10, marks{9: short}, nil), 0, 0, at(9), [4]int{0, 1000, 0, 0}, false, 1},
		{"the longest", promptOf(10, marks{9: short}, nil), 0, 0, at(2, 5), [4]int{0, 600, 400, 0}, false, 1},
		{"19 positions back", promptOf(20, marks{19: short}, nil), 0, 0, at(0), [4]int{0, 100, 1900, 0}, false, 1},
		{"20 positions back", promptOf(21, marks{20: short}, nil), 0, 0, at(0), [4]int{0, 0, 2100, 0}, false, 1},
		{"runs count once", promptOf(30, marks{29: short}, tenJoin), 0, LookbackRuns, at(0), [4]int{0, 100, 2900, 0}, false, 1},
		{"blocks of runs", promptOf(30, marks{29: short}, tenJoin), 0, LookbackBlocks, at(0), [4]int{0, 0, 3000, 0}, false, 1},
		{"a run more", promptOf(31, marks{30: short}, tenJoin), 0, LookbackRuns, at(0), [4]int{0, 0, 3100, 0}, false, 1},
		{"an hour in front", promptOf(12, marks{4: long, 9: short}, nil), 0, 0, at(), [4]int{200, 0, 500, 500}, false, 2},
		{"an hour behind what was read", promptOf(12, marks{4: long, 9: short}, nil), 0, 0, at(2), [4]int{200, 300, 500, 200}, false, 2},
		{"an hour that was read", promptOf(12, marks{4: long, 9: short}, nil), 0, 0, at(4), [4]int{200, 500, 500, 0}, false, 2},
		{"more than the first mark was read", promptOf(12, marks{4: long, 9: short}, nil), 0, 0, at(2, 6), [4]int{200, 700, 300, 0}, false, 2},
		{"two of an hour", promptOf(12, marks{4: long, 9: long}, nil), 0, 0, at(), [4]int{200, 0, 0, 1000}, false, 2},
	} {
		c := promptCache{entries: tt.entries, rule: tt.rule, sweepAt: 1 << 16}
		ch := c.price(tt.p, tt.minimum, noon)
		if got := [4]int{ch.input, ch.read, ch.write5m, ch.write1h}; got != tt.want || ch.tooShort != tt.tooShort || len(ch.writes) != tt.writes || ch.start != noon {
			t.Errorf("%s: %v, too short %t, %d writes; want %v, %t, %d", tt.name, got, ch.tooShort, len(ch.writes), tt.want, tt.tooShort, tt.writes)
		}
	}

	// Reading prolongs by the entry's own lifetime, and an entry ends at its time.
	c := promptCache{entries: map[uint64]entry{}, sweepAt: 1 << 16}
	p := promptOf(10, marks{9: short}, nil)
	c.commit(c.price(p, 0, noon))
	for _, step := range []struct {
		after time.Duration
		read  int
	}{{5*time.Minute - 1, 1000}, {10*time.Minute - 2, 1000}, {15*time.Minute - 2, 0}} {
		if got := c.price(p, 0, noon.Add(step.after)).read; got != step.read {
			t.Errorf("after %v: %d tokens were read, want %d", step.after, got, step.read)
		}
	}
	if hour, five := durationOf(long), durationOf(""); hour != time.Hour || five != 5*time.Minute {
		t.Errorf("lifetimes of %v and %v", hour, five)
	}
}
