package media_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/media"
)

// TestLimitsExactly holds that what is at a limit passes, and one more doesn't.
func TestLimitsExactly(t *testing.T) {
	const picture, pdf = media.MaxPictureBytes / 4 * 3, media.MaxRequestBytes / 4 * 3 / 4 * 3
	for name, err := range map[string]error{
		"a picture":                 media.Picture{Width: 1, Height: 1, Bytes: picture}.Check(media.Limits{}),
		"a tall picture":            media.Picture{Width: 1, Height: 8000}.Check(media.Limits{}),
		"a picture of 8 in base64":  media.Picture{Width: 1, Height: 1, Bytes: 6}.Check(media.Limits{Bytes: 8}),
		"a PDF":                     media.PDF{Pages: 1, Bytes: pdf}.Check(media.Limits{}),
		"a PDF of 8 in base64":      media.PDF{Pages: 1, Bytes: 4}.Check(media.Limits{Bytes: 8}),
		"600 pages":                 media.PDF{Pages: 600}.Check(media.LimitsFor(200_001)),
		"a picture of a lower side": media.Picture{Width: 5, Height: 5}.Check(media.Limits{Side: 5}),
	} {
		if err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"a picture":                 media.Picture{Width: 1, Height: 1, Bytes: picture + 1}.Check(media.Limits{}),
		"a wide picture":            media.Picture{Width: 8001, Height: 1}.Check(media.Limits{}),
		"a picture of 8 in base64":  media.Picture{Width: 1, Height: 1, Bytes: 7}.Check(media.Limits{Bytes: 8}),
		"a PDF":                     media.PDF{Pages: 1, Bytes: pdf + 1}.Check(media.Limits{}),
		"a PDF of 8 in base64":      media.PDF{Pages: 1, Bytes: 7}.Check(media.Limits{Bytes: 8}),
		"a picture of a lower side": media.Picture{Width: 5, Height: 6}.Check(media.Limits{Side: 5}),
	} {
		if !errors.Is(err, media.ErrTooLarge) {
			t.Errorf("%s over the limit: %v", name, err)
		}
	}
}

// TestWebP reads the three kinds of headers.
func TestWebP(t *testing.T) {
	riff := func(size int, chunk string, rest ...byte) []byte {
		data := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(size))...)
		return append(append(append(data, "WEBP"+chunk+"\x0a\x00\x00\x00"...), rest...), 0)[:30]
	}
	lossy := []byte{0, 0, 0, 0x9d, 0x01, 0x2a, 0x3c, 0x40, 0x28, 0x80}
	extended := []byte{0, 0, 0, 0, 0x3b, 1, 0, 0x27, 0, 1}
	lossless := []byte{0x2f, 0x3b, 0xc0, 0x09, 0, 0, 0, 0, 0, 0}
	for name, tt := range map[string]struct {
		data          []byte
		width, height int
	}{
		"lossy":             {riff(22, "VP8 ", lossy...), 60, 40},
		"lossless":          {riff(22, "VP8L", lossless...), 60, 40},
		"extended":          {riff(22, "VP8X", extended...), 316, 65576},
		"without a padding": {riff(23, "VP8X", extended...), 316, 65576},
		"lossy and wide":    {riff(22, "VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0x01, 0), 16383, 1},
		"lossy and tall":    {riff(22, "VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 0xff, 0xff), 1, 16383},
		"lossless and wide": {riff(22, "VP8L", 0x2f, 0xff, 0x3f, 0, 0, 0, 0, 0, 0, 0), 16384, 1},
		"lossless and tall": {riff(22, "VP8L", 0x2f, 0, 0xc0, 0xff, 0x0f, 0, 0, 0, 0, 0), 1, 16384},
		"extended and wide": {riff(22, "VP8X", 0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0), 1 << 24, 1},
		"extended and tall": {riff(22, "VP8X", 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff), 1, 1 << 24},
	} {
		p, err := media.ReadPicture(tt.data)
		if err != nil || p != (media.Picture{MediaType: "image/webp", Width: tt.width, Height: tt.height, Bytes: 30}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for name, data := range map[string][]byte{
		"cut off":          riff(24, "VP8X", extended...),
		"short":            riff(21, "VP8X", extended...)[:29],
		"no start code":    riff(22, "VP8 ", extended...),
		"no signature":     riff(22, "VP8L", extended...),
		"an unknown chunk": riff(22, "VP8Y", extended...),
		"a long chunk":     riff(21, "VP8X", extended...),
		"no key frame":     riff(22, "VP8 ", 1, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0),
		"no width":         riff(22, "VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, 0, 0x40, 1, 0),
		"no height":        riff(22, "VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 0, 0x40),
		"a later version":  riff(22, "VP8L", 0x2f, 0x3b, 0xc0, 0x09, 0x20, 0, 0, 0, 0, 0),
	} {
		if p, err := media.ReadPicture(data); !errors.Is(err, media.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestDecodedPictures holds that a picture with up to 16 million pixels is decoded, and
// a larger one isn't.
func TestDecodedPictures(t *testing.T) {
	for _, tt := range []struct {
		width, height uint32
		err           error
	}{{4096, 4096, media.ErrDamaged}, {4097, 4096, nil}, {1, 8000, media.ErrDamaged}, {1, 8001, nil}} {
		data := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
		data = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(data, tt.width), tt.height)
		data = append(data, 8, 0, 0, 0, 0)
		data = binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(data[12:]))
		p, err := media.ReadPicture(data)
		if !errors.Is(err, tt.err) || p.Width != int(tt.width) || p.Height != int(tt.height) {
			t.Errorf("the beginning of %d × %d: %+v, %v", tt.width, tt.height, p, err)
		}
	}
}

// TestCheckBlock holds which blocks the service would refuse.
func TestCheckBlock(t *testing.T) {
	source := func(typ, mediaType string, data []byte) string {
		return fmt.Sprintf(`{"type":%q,"source":{"type":"base64","media_type":%q,"data":%q}}`, typ, mediaType, base64.StdEncoding.EncodeToString(data))
	}
	png := pictures(t)["image/png"]
	pdf := []byte(classic(tree(1, 3, 3), ""))
	for name, tt := range map[string]struct {
		block string
		l     media.Limits
		err   error
	}{
		"a picture":                  {source("image", "image/png", png), media.Limits{}, nil},
		"a picture at its side":      {source("image", "image/png", png), media.Limits{Side: 60}, nil},
		"a picture over its side":    {source("image", "image/png", png), media.Limits{Side: 59}, media.ErrTooLarge},
		"a picture of another type":  {source("image", "image/jpeg", png), media.Limits{}, media.ErrFormat},
		"a picture that is cut off":  {source("image", "image/png", png[:len(png)-30]), media.Limits{}, media.ErrDamaged},
		"a PDF":                      {source("document", "application/pdf", pdf), media.Limits{Pages: 3}, nil},
		"a PDF with too many pages":  {source("document", "application/pdf", pdf), media.Limits{Pages: 2}, media.ErrTooLarge},
		"a PDF that is none":         {source("document", "application/pdf", png), media.Limits{}, media.ErrFormat},
		"no base64":                  {`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"!"}}`, media.Limits{}, media.ErrDamaged},
		"a URL":                      {`{"type":"image","source":{"type":"url","url":"https://x"}}`, media.Limits{}, nil},
		"text":                       {`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"!"}}`, media.Limits{}, nil},
		"the second of a result":     {`{"type":"tool_result","content":[` + source("image", "image/png", png) + `,` + source("image", "image/gif", png) + `]}`, media.Limits{}, media.ErrFormat},
		"the content of a document":  {`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"},` + source("image", "image/gif", png) + `]}}`, media.Limits{}, media.ErrFormat},
		"a result of text":           {`{"type":"tool_result","content":"text"}`, media.Limits{}, nil},
		"a picture in another block": {strings.Replace(source("image", "image/gif", png), "image", "fallback", 1), media.Limits{}, nil},
	} {
		if err := media.CheckBlock([]byte(tt.block), tt.l); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		}
	}
	// A picture whose header is good is read to its end where it is added.
	half := source("image", "image/png", png[:len(png)-30])
	for _, block := range []string{half, `{"type":"tool_result","content":[` + half + `]}`} {
		var added media.Total
		if err := added.Add([]byte(block)); !errors.Is(err, media.ErrDamaged) || added.Pictures != 1 || added.LongSide != 60 {
			t.Errorf("half a picture: %+v, %v", added, err)
		}
	}
	// What can't be read counts nevertheless: it is sent with every request.
	for _, block := range []string{source("image", "image/png", []byte("nonsense")), source("document", "application/pdf", []byte("nonsense"))} {
		var added, counted media.Total
		err := added.Add([]byte(block))
		counted.Count([]byte(block))
		if !errors.Is(err, media.ErrFormat) || added.Bytes != 12 || added != counted || added.Pictures != strings.Count(block, `"image"`) || added.LongSide != 0 {
			t.Errorf("%s: added %+v (%v), counted %+v", block, added, err, counted)
		}
	}
}

// TestRewrittenPDFs reads files that were changed, and files whose tables are lost.
func TestRewrittenPDFs(t *testing.T) {
	small := tree(3, 4, 12)
	p, err := media.ReadPDF([]byte(changed(classic(small, "/Encrypt 9 0 R"))))
	if err != nil || !p.Encrypted || p.Pages != 0 {
		t.Errorf("an encrypted file that was changed: %+v, %v", p, err)
	}
	lost := strings.ReplaceAll(changed(classic(small, "")), "startxref\n", "startxref\n9")
	if p, err := media.ReadPDF([]byte(lost)); err != nil || p.Pages != 13 {
		t.Errorf("a changed file without tables: %+v, %v", p, err)
	}
	for name, data := range map[string]string{"a table": classic(small, "/Encrypt 9 0 R"), "streams": modern(small, "/Encrypt 9 0 R")} {
		lost := strings.Replace(data, "startxref\n", "startxref\n9", 1)
		if p, err := media.ReadPDF([]byte(lost)); err != nil || !p.Encrypted {
			t.Errorf("an encrypted file of %s that is lost: %+v, %v", name, p, err)
		}
	}
	// Of two streams with an object the later one has it as it is, whichever is read first.
	stream := func(number int, objects string) string {
		return fmt.Sprintf("%d 0 obj\n<</Type/ObjStm/N 2/First 10/Length %d>>\nstream\n%-10s%s\nendstream\nendobj\n", number, 10+len(objects), fmt.Sprint("1 0 2 ", strings.Index(objects, "<</Type/Pages")), objects)
	}
	for number := 10; number < 30; number++ {
		older, newer := stream(number, "<</Type/Catalog/Pages 2 0 R>> <</Type/Pages/Count 3>>"), stream(40-number, "<</Type/Catalog/Pages 2 0 R>> <</Type/Pages/Count 5>>")
		if number == 20 {
			continue
		}
		if p, err := media.ReadPDF([]byte("%PDF-1.7\n" + older + newer + "startxref\n9\n%%EOF")); err != nil || p.Pages != 5 {
			t.Fatalf("streams %d and %d: %+v, %v", number, 40-number, p, err)
		}
	}
	// Reading costs no more than the size of a file warrants.
	large := "<</Type/Page/T(" + strings.Repeat("x", 20_000) + ")>>"
	dear := classic([]string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[" + strings.Repeat("3 0 R ", 300) + "]>>", large}, "")
	if p, err := media.ReadPDF([]byte(dear)); !errors.Is(err, media.ErrDamaged) {
		t.Errorf("a large page 300 times: %+v, %v", p, err)
	}
	if p, err := media.ReadPDF([]byte(strings.Repeat(" ", 1019) + classic(small, ""))); err != nil || p.Pages != 12 {
		t.Errorf("the beginning at the last place: %+v, %v", p, err)
	}
	if _, err := media.ReadPDF([]byte(strings.Repeat(" ", 1020) + classic(small, ""))); !errors.Is(err, media.ErrFormat) {
		t.Errorf("the beginning too late: %v", err)
	}
}
