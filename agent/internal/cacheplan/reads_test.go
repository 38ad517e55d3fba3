package cacheplan

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// What was read before is no read of what was written since: where each request reads
// the same beginning and writes the rest again, the writes are of no use.
func TestReadsOfWhatWasWritten(t *testing.T) {
	for _, tt := range []struct {
		name    string
		grows   int64 // tokens that each request reads more than the one before
		trusted bool
	}{
		{"the same beginning", 0, false},
		{"a little more of it", 100, false},
		{"all that was written", 1000, true},
		{"most of it", 600, true},
	} {
		var r reads
		before := memory.Request{Read: 50_000, Written5m: 1000}
		for range 8 {
			s := before
			s.Read += tt.grows
			r.requests++
			r.add(&before, &s, time.Minute)
			before = s
		}
		if r.trusted() != tt.trusted {
			t.Errorf("%s is read: trusted %v: %+v", tt.name, r.trusted(), r)
		}
	}
}
