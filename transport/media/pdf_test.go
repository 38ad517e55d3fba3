package media_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/media"
)

// classic is a PDF whose objects are listed in a table. extra goes into the
// trailer.
func classic(objects []string, extra string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, extra, at)
	return b.String()
}

// tree is a catalog and a tree of pages of two levels.
func tree(nodes, each, said int) []string {
	objects := []string{"<</Type/Catalog/Pages 2 0 R>>", ""}
	var top strings.Builder
	for range nodes {
		fmt.Fprintf(&top, "%d 0 R ", len(objects)+1)
		var kids strings.Builder
		first := len(objects) + 2
		for j := range each {
			fmt.Fprintf(&kids, "%d 0 R ", first+j)
		}
		objects = append(objects, fmt.Sprintf("<</Type/Pages/Parent 2 0 R/Count %d/Kids[%s]>>", each, kids.String()))
		for range each {
			objects = append(objects, "<< /Type /Page /MediaBox [0 0 10 10] /T (a \\) b) /P<AB> >> % note")
		}
	}
	objects[1] = fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", said, top.String())
	return objects
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

// modern is a PDF whose objects stand in a stream, listed by another.
func modern(objects []string, extra string) string {
	var b, head, body strings.Builder
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&head, "%d %d ", i+1, body.Len())
		body.WriteString(o + "\n")
	}
	packed := deflate([]byte(head.String() + body.String()))
	number := len(objects) + 1
	at := b.Len()
	fmt.Fprintf(&b, "%d 0 obj\n<</Type/ObjStm/N %d/First %d/Length %d/Filter/FlateDecode>>\nstream\n%s\nendstream\nendobj\n", number, len(objects), head.Len(), len(packed), packed)
	rows := []byte{2, 0, 0, 0, 0, 0, 0, 0} // predicted by the row above
	previous := make([]byte, 7)
	put := func(kind byte, a uint32, c uint16) {
		row := make([]byte, 7)
		row[0] = kind
		binary.BigEndian.PutUint32(row[1:], a)
		binary.BigEndian.PutUint16(row[5:], c)
		rows = append(rows, 2)
		for i := range row {
			rows = append(rows, row[i]-previous[i])
		}
		previous = row
	}
	for i := range objects {
		put(2, uint32(number), uint16(i))
	}
	put(1, uint32(at), 0)
	table := deflate(rows)
	start := b.Len()
	fmt.Fprintf(&b, "%d 0 obj\n<</Type/XRef/Size %d/W[1 4 2]/Root 1 0 R/Length %d/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 7>>%s>>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		number+1, number+1, len(table), extra, table, start)
	return b.String()
}

func TestReadPDF(t *testing.T) {
	small, large := tree(3, 4, 12), tree(30, 25, 750)
	tests := []struct {
		name, data string
		pages      int
		err        error
	}{
		{"a table", classic(small, ""), 12, nil},
		{"streams", modern(small, ""), 12, nil},
		{"many pages", modern(large, ""), 750, nil},
		{"many pages in a table", classic(large, ""), 750, nil},
		{"a count that is too low", classic(tree(3, 4, 1), ""), 12, nil},
		{"a count that is too high", classic(tree(3, 4, 5000), ""), 5000, nil},
		{"blanks before it", "\r\n\r\n" + classic(small, ""), 12, nil},
		{"a table in the wrong place", strings.Replace(classic(small, ""), "startxref\n", "startxref\n1", 1), 12, nil},
		{"a broken table", strings.Replace(classic(small, ""), "0000000000 65535 f", "000000x000 65535 f", 1), 12, nil},
		{"streams whose table is lost", strings.Replace(modern(small, ""), "startxref\n", "startxref\n9", 1), 12, nil},
		{"a changed file", changed(classic(small, "")), 13, nil},
		{"pages in a circle", classic([]string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[2 0 R 2 0 R 3 0 R]>>", "<</Type/Page>>"}, ""), 1, nil},
		{"one page a thousand times", classic([]string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[" + strings.Repeat("3 0 R ", 1000) + "]>>", "<</Type/Page>>"}, ""), 1000, nil},
		{"cut off", classic(small, "")[:600], 0, media.ErrDamaged},
		{"cut off streams", modern(small, "")[:300], 0, media.ErrDamaged},
		{"nothing in it", "%PDF-1.4\n%%EOF", 0, media.ErrDamaged},
		{"no pages", classic([]string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]>>"}, ""), 0, media.ErrDamaged},
		{"no PDF", "<html>", 0, media.ErrFormat},
		{"nothing", "", 0, media.ErrFormat},
		{"nested without an end", "%PDF-1.4\n1 0 obj" + strings.Repeat("<</A[", 100_000) + "\ntrailer<</Root 1 0 R>>%%EOF", 0, media.ErrDamaged},
		{"references in a circle", classic([]string{"<</Type/Catalog/Pages 2 0 R>>", "3 0 R", "2 0 R"}, ""), 0, media.ErrDamaged},
		{"many trailers", "%PDF-1.4\n" + strings.Repeat("trailer<</A(", 100_000) + "startxref\n0\n%%EOF", 0, media.ErrDamaged},
	}
	for _, test := range tests {
		p, err := media.ReadPDF([]byte(test.data))
		if !errors.Is(err, test.err) || err == nil && p.Pages != test.pages {
			t.Errorf("%s: %d pages, %v; want %d, %v", test.name, p.Pages, err, test.pages, test.err)
		}
	}
	for name, data := range map[string]string{"a table": classic(small, "/Encrypt 9 0 R"), "streams": modern(small, "/Encrypt 9 0 R"),
		"a broken table": strings.Replace(classic(small, "/Encrypt 9 0 R"), "startxref\n", "startxref\n9", 1)} {
		p, err := media.ReadPDF([]byte(data))
		if err != nil || !p.Encrypted || !errors.Is(p.Check(media.Limits{}), media.ErrEncrypted) {
			t.Errorf("%s, encrypted: %+v, %v", name, p, err)
		}
	}
}

// changed appends a page to a file as an editor does that keeps what is there.
func changed(data string) string {
	at := len(data)
	var b strings.Builder
	b.WriteString(data)
	fmt.Fprintf(&b, "2 0 obj\n<</Type/Pages/Count 13/Kids[3 0 R 8 0 R 13 0 R 99 0 R]>>\nendobj\n")
	page := b.Len()
	b.WriteString("99 0 obj\n<</Type/Page>>\nendobj\n")
	table := b.Len()
	previous := strings.LastIndex(data, "xref\n0 ")
	fmt.Fprintf(&b, "xref\n2 1\n%010d 00000 n \n99 1\n%010d 00000 n \ntrailer\n<</Size 100/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", at, page, previous, table)
	return b.String()
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"100 pages", media.PDF{Pages: 100}.Check(media.Limits{}), nil},
		{"101 pages", media.PDF{Pages: 101}.Check(media.Limits{}), media.ErrTooLarge},
		{"101 pages on a large model", media.PDF{Pages: 101}.Check(media.LimitsFor(1_000_000)), nil},
		{"601 pages on a large model", media.PDF{Pages: 601}.Check(media.LimitsFor(1_000_000)), media.ErrTooLarge},
		{"200k", media.PDF{Pages: 101}.Check(media.LimitsFor(200_000)), media.ErrTooLarge},
		{"heavy", media.PDF{Pages: 1, Bytes: 20 << 20}.Check(media.Limits{}), media.ErrTooLarge},
		{"a large picture", media.Picture{Width: 8000, Height: 1}.Check(media.Limits{}), nil},
		{"too large a picture", media.Picture{Width: 1, Height: 8001}.Check(media.Limits{}), media.ErrTooLarge},
		{"many pictures", media.Picture{Width: 2001, Height: 1}.Check(media.Limits{Side: media.MaxManySide}), media.ErrTooLarge},
		{"a heavy picture", media.Picture{Width: 1, Height: 1, Bytes: 8 << 20}.Check(media.Limits{}), media.ErrTooLarge},
	}
	for _, test := range tests {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, test.err, test.want)
		}
	}
}

func FuzzReadPDF(f *testing.F) {
	f.Add([]byte(classic(tree(1, 2, 2), "")))
	f.Add([]byte(modern(tree(1, 2, 2), "")))
	f.Add([]byte(changed(classic(tree(3, 4, 12), ""))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := media.ReadPDF(data); err == nil && !p.Encrypted && p.Pages < 1 {
			t.Errorf("%d pages without an error", p.Pages)
		}
	})
}
