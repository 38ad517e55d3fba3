package media

import (
	"bytes"
	"testing"
)

// TestUnpredictLargeValues holds that averages don't overflow, and that the corner is
// the one above on the left.
func TestUnpredictLargeValues(t *testing.T) {
	for _, tt := range []struct{ rows, want []byte }{
		{[]byte{0, 200, 250, 3, 10, 10}, []byte{200, 250, 110, 190}},
		{[]byte{0, 10, 50, 4, 5, 0}, []byte{10, 50, 15, 50}},
	} {
		if got := unpredict(tt.rows, dict{"Predictor": 12, "Columns": 2}); !bytes.Equal(got, tt.want) {
			t.Errorf("%v: %v, want %v", tt.rows, got, tt.want)
		}
	}
}

// TestTableOfAPart numbers what stands in streams from the first of the part on.
func TestTableOfAPart(t *testing.T) {
	f := &file{objects: map[int]place{}, data: []byte("5 0 obj<</Type/XRef/Length 6/W[1 1 1]/Index[30 2]>>stream\n\x02\x07\x01\x02\x07\x02endstream")}
	f.readTableStream(&lexer{f.data, 0})
	if len(f.objects) != 2 || f.objects[30] != (place{stream: 7, index: 1}) || f.objects[31] != (place{stream: 7, index: 2}) {
		t.Errorf("%v", f.objects)
	}
}
