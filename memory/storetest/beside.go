package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Beside measures appends of one record beside the least that the same database can do
// for the same durability: bare writes the record's bytes in a transaction of its own.
// They run by turns, so that whatever else the machine does slows down both. The medians
// are reported in microseconds; bare/append is 1 for a store that costs nothing.
func Beside(b *testing.B, s memory.Store, bare func(n int, data []byte) error) {
	r := Result(1000)
	if err := s.Append(b.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Find it.")}); err != nil {
		b.Fatal(err)
	}
	info, err := s.Info(b.Context(), "s")
	if err != nil {
		b.Fatal(err)
	}
	data, err := r.AppendJSON(nil)
	if err != nil {
		b.Fatal(err)
	}
	var appends, bares []time.Duration
	timed := func(to *[]time.Duration, f func() error) {
		begun := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*to = append(*to, time.Since(begun))
	}
	one := func(n int) {
		timed(&appends, func() error {
			return s.Append(b.Context(), "s", memory.Position{Incarnation: info.Incarnation, Records: n}, r)
		})
	}
	other := func(n int) { timed(&bares, func() error { return bare(n, data) }) }
	for n := 1; b.Loop(); n++ {
		if n%2 == 0 {
			one(n)
			other(n)
		} else {
			other(n)
			one(n)
		}
	}
	median := func(list []time.Duration) float64 {
		slices.Sort(list)
		return float64(list[len(list)/2].Nanoseconds()) / 1000
	}
	b.ReportMetric(median(appends), "append-µs")
	b.ReportMetric(median(bares), "bare-µs")
	b.ReportMetric(median(bares)/median(appends), "bare/append")
}

// Result is a record with the result of a tool, of about so many bytes.
func Result(size int) memory.Record {
	text := make([]byte, size)
	for i := range text {
		text[i] = 'a' + byte(i%23)
	}
	return memory.Record{Kind: memory.KindNote, Note: "result", Data: []byte(`"` + string(text) + `"`), Time: time.Unix(1, 0)}
}
