package sqlstore

import (
	"fmt"
	"hash/crc32"
	"testing"
)

// Rows that are read together are those that are there, or none.
func TestCut(t *testing.T) {
	sum := func(s string) uint32 { return crc32.Checksum([]byte(s), castagnoli) }
	good := fmt.Sprintf("7 %d 2 8 %d 0 9 %d 3", sum("{}"), sum(""), sum("abc"))
	rows := cut([]byte(good), []byte("{}abc"), 7, 3)
	if len(rows) != 3 || string(rows[0].Data) != "{}" || string(rows[2].Data) != "abc" || rows[2].Sum != sum("abc") {
		t.Errorf("they are %v", rows)
	}
	if cap(rows[0].Data) != 2 {
		t.Error("an append to one row would change the next")
	}
	for name, c := range map[string]struct{ index, data string }{
		"a gap":            {fmt.Sprintf("7 %d 2 9 %d 3", sum("{}"), sum("abc")), "{}abc"},
		"another order":    {fmt.Sprintf("8 %d 3 7 %d 2", sum("abc"), sum("{}")), "abc{}"},
		"changed data":     {good, "{}abd"},
		"too little data":  {good, "{}ab"},
		"too much data":    {good, "{}abcd"},
		"a size below 0":   {fmt.Sprintf("7 %d -1", sum("")), ""},
		"half of an index": {good[:len(good)-1], "{}abc"},
		"words":            {"seven 0 0", ""},
		"a huge size":      {"7 0 9223372036854775807", "{}"},
	} {
		if rows := cut([]byte(c.index), []byte(c.data), 7, 3); rows != nil {
			t.Errorf("%s: they are %v", name, rows)
		}
	}
	if rows := cut(nil, nil, 7, 3); len(rows) != 0 {
		t.Errorf("of nothing: %v", rows)
	}
}
