package media

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"reflect"
	"runtime"
	"testing"
)

func packed(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads the stream of an object with a dictionary's entries.
func read(f *file, entries string, data []byte, end string) []byte {
	f.data = fmt.Appendf(nil, "5 0 obj <</Length %d %s>> stream\n%s%s", len(data), entries, data, end)
	_, got := f.streamAt(&lexer{f.data, 0}, 5)
	return got
}

// TestInflationIsBounded holds that all streams of a file become no more than its
// budget, and that no more is inflated than that.
func TestInflationIsBounded(t *testing.T) {
	f := &file{budget: 150}
	hundred := bytes.Repeat([]byte("x"), 100)
	if got := read(f, "/Filter/FlateDecode", packed(t, hundred), ""); !bytes.Equal(got, hundred) || f.budget != 50 {
		t.Errorf("100 of 150 bytes: %d, budget %d", len(got), f.budget)
	}
	if got := read(f, "/Filter/FlateDecode", packed(t, hundred[:50]), ""); len(got) != 50 || f.budget != 0 {
		t.Errorf("50 of 50 bytes: %d, budget %d", len(got), f.budget)
	}
	if got := read(f, "/Filter/FlateDecode", packed(t, hundred[:1]), ""); got != nil || f.budget != 0 {
		t.Errorf("1 of 0 bytes: %d, budget %d", len(got), f.budget)
	}
	bomb := packed(t, make([]byte, 32<<20))
	f = &file{budget: 1000}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := read(f, "/Filter/FlateDecode", bomb, "")
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; got != nil || f.budget != 0 || used > 8<<20 {
		t.Errorf("32 MB of 1000 bytes: %d bytes came, %d were allocated, budget %d", len(got), used, f.budget)
	}
}

// TestStreamAt holds how streams are stored.
func TestStreamAt(t *testing.T) {
	plain := []byte("some data")
	flat := packed(t, plain)
	for entries, want := range map[string]string{
		"/Filter/FlateDecode":               "some data",
		"/Filter/Fl":                        "some data",
		"/Filter[/FlateDecode]":             "some data",
		"/Filter[/FlateDecode/FlateDecode]": "",
		"/Filter/LZWDecode":                 "",
		"/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 8>>":     "ome data",
		"/Filter[/FlateDecode]/DecodeParms[<</Predictor 15/Columns 8>>]": "ome data",
		"/Filter/FlateDecode/DecodeParms<</Predictor 2/Columns 8>>":      "some data",
		"/Filter/FlateDecode/Length 99999":                               "some data",
	} {
		if got := read(&file{budget: 1000}, entries, flat, "\nendstream"); string(got) != want {
			t.Errorf("%s: %q, want %q", entries, got, want)
		}
	}
	for text, want := range map[string]string{
		"5 0 obj<</Length 3>>stream\r\nabcdendstream":   "abc",
		"5 0 obj<</Length 3>>stream\nabcdendstream":     "abc",
		"5 0 obj<</Length 99>>stream\nabcdendstream":    "abcd",
		"5 0 obj<</Length -1>>stream\nabcdendstream":    "abcd",
		"5 0 obj<</Length 4>>stream\nabcd":              "abcd",
		"5 0 obj<<>>stream\nabcd":                       "abcd",
		"6 0 obj<</Length 3>>stream\nabcdendstream":     "",
		"5 0 obj<</Length 3>>endobj stream\nabcd":       "",
		"5 0 objects<</Length 3>>stream\nabcdendstream": "",
	} {
		f := &file{data: []byte(text), budget: 1000}
		if _, got := f.streamAt(&lexer{f.data, 0}, 5); string(got) != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestUnpredict undoes each of the predictors.
func TestUnpredict(t *testing.T) {
	rows := []byte{0, 1, 2, 3, 1, 1, 1, 1, 2, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1, 2, 1}
	want := []byte{1, 2, 3, 1, 2, 3, 2, 3, 4, 2, 3, 4, 3, 4, 5, 4}
	for _, tt := range []struct {
		parms dict
		want  []byte
	}{
		{dict{"Predictor": 10, "Columns": 3}, want},
		{dict{"Predictor": 15, "Columns": 3, "Colors": 1}, want},
		{dict{"Predictor": 9, "Columns": 3}, rows},
		{nil, rows},
		{dict{"Predictor": 10, "Columns": 3, "Colors": 3}, nil},
		{dict{"Predictor": 10, "Columns": 1<<16 + 1}, nil},
		{dict{"Predictor": 10}, []byte{1, 4, 1, 1, 2, 1, 1, 1, 2, 1, 2}},
	} {
		if got := unpredict(rows, tt.parms); !bytes.Equal(got, tt.want) {
			t.Errorf("%v: %v, want %v", tt.parms, got, tt.want)
		}
	}
	for in, want := range map[[3]byte]byte{{1, 2, 3}: 1, {5, 1, 5}: 1, {10, 20, 15}: 15, {4, 1, 3}: 1, {1, 4, 3}: 1, {7, 7, 7}: 7} {
		if got := paeth(in[0], in[1], in[2]); got != want {
			t.Errorf("paeth of %v: %d, want %d", in, got, want)
		}
	}
}

// TestTableStream reads tables with and without a column of kinds.
func TestTableStream(t *testing.T) {
	for _, tt := range []struct {
		entries, data string
		want          map[int]place
	}{
		{"/W[0 1 1]/Index[3 2 9 1]", "\x0a\x00\x14\x00\x1e\x00", map[int]place{3: {offset: 10}, 4: {offset: 20}, 9: {offset: 30}}},
		{"/W[1 2 1]/Size 3", "\x00\x00\x01\x00\x01\x01\x02\x00\x02\x00\x07\x04", map[int]place{1: {offset: 258}, 2: {stream: 7, index: 4}}},
		{"/W[1 2 1]/Size 1", "\x01\x00\x09\x00\x01\x01\x02\x00", map[int]place{0: {offset: 9}}},
		{"/W[1 2 1]/Size 9", "\x01\x00\x09\x00\x01\x01", map[int]place{0: {offset: 9}}},
		{"/W[1 9 1]/Size 1", "\x01\x00\x09\x00\x01\x01\x02\x00\x00\x00\x00", nil},
		{"/W[0 0 0]/Size 1", "abc", nil},
		{"/W[1 1]/Size 1", "abc", nil},
	} {
		f := &file{objects: map[int]place{}}
		f.data = fmt.Appendf(nil, "5 0 obj<</Type/XRef/Length %d%s>>stream\n%sendstream", len(tt.data), tt.entries, tt.data)
		d := f.readTableStream(&lexer{f.data, 0})
		if (d == nil) != (tt.want == nil) || len(f.objects) != len(tt.want) || len(tt.want) > 0 && !reflect.DeepEqual(f.objects, tt.want) {
			t.Errorf("%s: %v, want %v", tt.entries, f.objects, tt.want)
		}
	}
}

// TestLexer holds how objects are read.
func TestLexer(t *testing.T) {
	for text, want := range map[string]any{
		"12 0 R":                      ref(12),
		"12 0":                        12,
		"-7":                          -7,
		"1.5":                         0,
		" % note\n /Name/Next":        name("Name"),
		"true]":                       keyword("true"),
		"(a(b)\\)c) 5":                litstring{},
		"<41> 5":                      litstring{},
		"<41":                         nil,
		"":                            nil,
		"[1 2 R 3 0 R 4]":             array{ref(1), ref(3), 4},
		"[(a(b)\\)c) <41> 5]":         array{litstring{}, litstring{}, 5},
		"<</A 1 0 R/B[1 2 3]/A 7>> 5": dict{"A": ref(1), "B": array{1, 2, 3}},
		"<</A/B/C<</D 1>>/E 2>>":      dict{"A": name("B"), "C": dict{"D": 1}, "E": 2},
		"<</A>>":                      dict{},
		"<</A 1 endobj /B 2>>":        dict{"A": 1},
		"<</A[1 2 endobj":             dict{"A": array{1, 2}},
	} {
		if got := (&lexer{[]byte(text), 0}).object(0); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, want %#v", text, got, want)
		}
	}
}

// TestLoadDamaged reads tables that name what isn't there: an object behind the end, in
// a stream that is none or has fewer, or where another one stands.
func TestLoadDamaged(t *testing.T) {
	const stream = "2 0 obj<</N 2/First 8/Length 12>>stream\n1 0 3 99null"
	for name, tt := range map[string]struct {
		data string
		at   place
	}{
		"behind the end":              {stream, place{offset: len(stream)}},
		"far behind the end":          {stream, place{offset: 1 << 40}},
		"another object":              {stream, place{offset: 0}},
		"no object":                   {stream, place{offset: 5}},
		"an index too high":           {stream, place{stream: 2, index: 2}},
		"behind the end of a stream":  {stream, place{stream: 2, index: 1}},
		"no stream":                   {"2 0 obj<</N 2/First 8>>endobj", place{stream: 2}},
		"a stream that isn't there":   {stream, place{stream: 7}},
		"a short stream":              {"2 0 obj<</N 2/First 80/Length 12>>stream\n1 0 3 99null", place{stream: 2}},
		"a stream that begins before": {"2 0 obj<</N 2/First -8/Length 12>>stream\n1 0 3 99null", place{stream: 2}},
		"a stream of streams":         {"2 0 obj<</N 1/First 4/Length 8>>stream\n2 0 null", place{stream: 1}},
	} {
		f := &file{data: []byte(tt.data), objects: map[int]place{1: tt.at, 2: {offset: 0}}, streams: map[int][]byte{}, budget: 1000}
		if got := f.load(1); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	far := &file{data: []byte(stream), objects: map[int]place{1: {stream: 2}, 2: {offset: 1 << 40}}, streams: map[int][]byte{}, budget: 1000}
	if got := far.load(1); got != nil {
		t.Errorf("a stream behind the end: %v", got)
	}
	f := &file{data: []byte(stream), objects: map[int]place{1: {stream: 2}, 2: {offset: 0}}, streams: map[int][]byte{}, budget: 1000}
	if got := f.load(1); got != keyword("null") {
		t.Errorf("a good one: %v", got)
	}
}
