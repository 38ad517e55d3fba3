package transport

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// What a stream brought stays as it was while others are read with the same buffers, and
// is the same in whichever pieces it came.
func TestResponsesOutliveTheirStreams(t *testing.T) {
	type kept struct {
		response  *Response
		raw, text string // as they were
		cut       []string
	}
	parted := message(block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`,
		`{"type":"input_json_delta","partial_json":"{\"a\":\"\ud83d"}`, `{"type":"input_json_delta","partial_json":"\ude00\"}"}`)) // a surrogate pair
	var all []kept
	var errs []*Error
	for i := range 4 {
		for _, err := range ReadStream(strings.NewReader(frames(startEvent, fmt.Sprintf(`{"type":"error","error":{"type":"api_error","message":"no. %d"}}`, i)))) {
			var refused *Error
			if errors.As(err, &refused) {
				errs = append(errs, refused)
			}
		}
		for k, s := range append(slices.Clone(streams), parted) {
			id := fmt.Sprintf("toolu_%d_%d", i, k)
			end := frames(deltaEvent)
			cut := block(9, `{"type":"tool_use","id":"`+id+`","name":"cut","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"a\":\"`+strings.Repeat("x", 10*i)+`"}`)
			if s = strings.Replace(s, end, frames(cut...)+end, 1); !strings.Contains(s, id) {
				t.Fatalf("%q has another end", s)
			}
			var raws []string
			pings := strings.ReplaceAll(s, "\n\n", "\n\n"+frames(`{"type":"ping","padding":"`+strings.Repeat("x", 300)+`"}`)) // over what was read
			for _, r := range []io.Reader{strings.NewReader(s), iotest.OneByteReader(strings.NewReader(pings)), iotest.HalfReader(strings.NewReader(s))} {
				var resp *Response
				for ev, err := range ReadStream(r) {
					if err != nil {
						t.Fatal(err)
					}
					resp = ev.Response
				}
				raws = append(raws, string(resp.Raw()))
				all = append(all, kept{resp, string(resp.Raw()), resp.Model + resp.Text(), []string{id}})
			}
			if raws[0] != raws[1] || raws[0] != raws[2] {
				t.Errorf("in pieces it is another one:\n%s", strings.Join(raws, "\n"))
			}
		}
	}
	for i, k := range all {
		if r := k.response; string(r.Raw()) != k.raw || r.Model+r.Text() != k.text || !slices.Equal(r.Cut, k.cut) {
			t.Errorf("response %d became, with the cut calls %q:\n%s\nand was\n%s", i, r.Cut, r.Raw(), k.raw)
		}
	}
	for i, e := range errs {
		if want := fmt.Sprintf(`{"type":"error","error":{"type":"api_error","message":"no. %d"}}`, i); string(e.Raw) != want {
			t.Errorf("error %d became %s", i, e.Raw)
		}
	}
	if len(errs) != 4 {
		t.Errorf("%d errors", len(errs))
	}
}
