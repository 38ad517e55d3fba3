package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// request is a body with n blocks of 1,024 tokens each, marked where marks say:
// by the block's number, with the price of the mark's lifetime.
func request(n int, marks map[int]float64, automatic bool) []byte {
	var blocks []string
	for i := range n {
		mark := ""
		switch marks[i] {
		case priceWrite:
			mark = `,"cache_control":{"type":"ephemeral"}`
		case priceWriteHour:
			mark = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
		}
		text := strings.Repeat(fmt.Sprintf("%03d", i), 4096)[:4096-len(`{"text":"","type":"text"}`)]
		blocks = append(blocks, fmt.Sprintf(`{"type":"text","text":%q%s}`, text, mark))
	}
	top := ""
	if automatic {
		top = `"cache_control":{"type":"ephemeral"},`
	}
	return []byte(`{` + top + `"messages":[{"role":"user","content":[` + strings.Join(blocks, ",") + `]}]}`)
}

func TestBill(t *testing.T) {
	type req struct {
		n         int
		marks     map[int]float64
		automatic bool
	}
	for name, c := range map[string]struct {
		requests []req
		cost     float64 // in blocks
		least    float64
	}{
		"none":             {[]req{{2, nil, false}, {3, nil, false}}, 5, 2*1.25 + 2*0.1 + 1},
		"newest":           {[]req{{2, map[int]float64{1: priceWrite}, false}, {3, map[int]float64{2: priceWrite}, false}}, 2*1.25 + 2*0.1 + 1.25, 2*1.25 + 2*0.1 + 1},
		"automatic":        {[]req{{2, nil, true}, {3, nil, true}}, 2*1.25 + 2*0.1 + 1.25, 2*1.25 + 2*0.1 + 1},
		"an hour, then 5m": {[]req{{3, map[int]float64{0: priceWriteHour, 2: priceWrite}, false}}, 2 + 2*1.25, 3},
		"beyond the look-back": {
			[]req{{1, nil, true}, {21, nil, true}, {42, nil, true}},
			1.25 + (20*1.25 + 1*1.25) + 42*1.25, 1.25 + 0.1 + 20*1.25 + 21*0.1 + 21,
		},
		"within it": {[]req{{1, nil, true}, {20, nil, true}}, 1.25 + 0.1 + 19*1.25, 1.25 + 0.1 + 19},
	} {
		b := newBills()
		for _, r := range c.requests {
			b.add(1, request(r.n, r.marks, r.automatic))
		}
		ratio, _ := b.ratio()
		if want := c.cost / c.least; math.Abs(ratio-want) > 1e-9 {
			t.Errorf("%s: %.4f times the least, want %.4f", name, ratio, want)
		}
	}
}
