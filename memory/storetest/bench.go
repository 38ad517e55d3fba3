package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Bench measures how a store appends a step of a run to a short and to a long session,
// loads a session of 5,000 steps, and serves 200 sessions at once.
func Bench(b *testing.B, open func(b *testing.B) memory.Store) {
	for _, steps := range []int{20, 2000} {
		b.Run(fmt.Sprintf("append a step at %d", steps), func(b *testing.B) {
			s := open(b)
			Fill(b, s, "s", steps)
			b.ReportAllocs()
			n := steps*RecordsPerStep + 1
			for i := 0; b.Loop(); i++ {
				// A window of 20 steps, so that the session stays as long as it is said to be.
				id := fmt.Sprintf("s%d", i/20)
				if i%20 == 0 {
					b.StopTimer()
					if _, err := memory.ForkSession(b.Context(), s, "s", n, id, nil); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				AppendStep(b, s, id, steps+i%20)
			}
		})
	}
	b.Run("load 5000 steps", func(b *testing.B) {
		s := open(b)
		Fill(b, s, "s", 5000)
		b.ReportAllocs()
		for b.Loop() {
			log, err := memory.Open(b.Context(), s, "s")
			if err != nil || len(log.Messages()) != 2*5000+1 {
				b.Fatal(err)
			}
		}
	})
	b.Run("a step of 200 sessions at once", func(b *testing.B) {
		s := open(b)
		parallel(200, func(i int) { Fill(b, s, fmt.Sprint(i), 1) })
		for n := 1; b.Loop(); n++ {
			parallel(200, func(i int) { AppendStep(b, s, fmt.Sprint(i), n) })
		}
	})
}

// RecordsPerStep is the number of records that [AppendStep] appends.
const RecordsPerStep = 3

// AppendStep appends step n, counted from 0, of a run that calls one tool in
// each step: a response, the start of its call, and a result of 1 KB. Step 0
// begins with an input.
func AppendStep(tb testing.TB, s memory.Store, id string, n int) {
	at := n*RecordsPerStep + 1
	if n == 0 {
		if err := s.Append(tb.Context(), id, memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Find it.")}); err != nil {
			tb.Fatal(err)
		}
	}
	for i, r := range step(tb, n) {
		if err := s.Append(tb.Context(), id, memory.Position{Records: at + i}, r); err != nil {
			tb.Fatal(err)
		}
	}
}

func step(tb testing.TB, n int) []memory.Record {
	call := fmt.Sprintf("toolu_%08d", n)
	resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_%08d","type":"message","role":"assistant","model":"claude-opus-5-5","content":[`+
		`{"type":"thinking","thinking":"","signature":"%s"},{"type":"tool_use","id":"%s","name":"search","input":{"query":"q"},"caller":{"type":"direct"}}],`+
		`"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_read_input_tokens":9000,"output_tokens":50}}`, n, strings.Repeat("Eq", 100), call))
	if err != nil {
		tb.Fatal(err)
	}
	resp.Meta = transport.Meta{RequestID: fmt.Sprintf("req_%08d", n), Attempts: 1, FirstDelta: 5e8, Duration: 9e9}
	return []memory.Record{
		{Kind: memory.KindResponse, Response: resp},
		{Kind: memory.KindStarted, Calls: []string{call}},
		{Kind: memory.KindResult, Block: transport.ToolResult(call, transport.Text(strings.Repeat("a line of the result\n", 50)))},
	}
}

// Fill creates a session of the given number of steps with one append.
func Fill(tb testing.TB, s memory.Store, id string, steps int) {
	records := []memory.Record{{Kind: memory.KindInput, Message: transport.UserText("Find it.")}}
	for n := range steps {
		records = append(records, step(tb, n)...)
	}
	if err := s.Append(tb.Context(), id, memory.Position{}, records...); err != nil {
		tb.Fatal(err)
	}
}

// LoadAllocations checks how many allocations opening a long session takes for each
// record, the log's own included.
func LoadAllocations(t *testing.T, s memory.Store, most float64) {
	const steps = 2000
	Fill(t, s, "long", steps)
	n := testing.AllocsPerRun(3, func() {
		if log, err := memory.Open(t.Context(), s, "long"); err != nil || log.Len() != steps*RecordsPerStep+1 {
			t.Fatal(err)
		}
	}) / (steps*RecordsPerStep + 1)
	t.Logf("%.2f allocations for each record", n)
	if n > most {
		t.Errorf("%.2f allocations for each record of a session that is opened; at most %g are meant to be", n, most)
	}
}
