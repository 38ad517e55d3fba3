package media_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/whorl-go/whorl/transport/media"
)

func pictures(t testing.TB) map[string][]byte {
	gray := image.NewGray(image.Rect(0, 0, 60, 40))
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range gray.Pix {
		gray.Pix[i] = byte(noise.Uint32())
	}
	all := map[string][]byte{}
	for kind, encode := range map[string]func(*bytes.Buffer) error{
		"image/png":  func(b *bytes.Buffer) error { return png.Encode(b, gray) },
		"image/jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, gray, nil) },
		"image/gif":  func(b *bytes.Buffer) error { return gif.Encode(b, gray, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		all[kind] = b.Bytes()
	}
	lossless := []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x3b\xc0\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	all["image/webp"] = lossless
	return all
}

func TestReadPicture(t *testing.T) {
	for kind, data := range pictures(t) {
		p, err := media.ReadPicture(data)
		if err != nil || p.MediaType != kind || p.Width != 60 || p.Height != 40 || p.Bytes != len(data) {
			t.Errorf("%s: %+v, %v", kind, p, err)
		}
		if _, err := media.ReadPicture(data[:len(data)*2/3]); !errors.Is(err, media.ErrDamaged) {
			t.Errorf("%s, cut off: %v", kind, err)
		}
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("text"), "BMP": []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00"), "PDF": []byte("%PDF-1.4")} {
		if p, err := media.ReadPicture(data); !errors.Is(err, media.ErrFormat) || p != (media.Picture{}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	at := func(kind string, change func([]byte) []byte) []byte { return change(pictures(t)[kind]) }
	for name, data := range map[string][]byte{
		"a PNG with a wrong byte":       at("image/png", func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b }),
		"a PNG without its last chunk":  at("image/png", func(b []byte) []byte { return b[:len(b)-12] }),
		"a PNG without its last byte":   at("image/png", func(b []byte) []byte { return b[:len(b)-1] }),
		"a PNG of no width":             at("image/png", func(b []byte) []byte { clear(b[16:20]); return b }),
		"the signature of a PNG":        at("image/png", func(b []byte) []byte { return b[:8] }),
		"a JPEG without its end":        at("image/jpeg", func(b []byte) []byte { return b[:len(b)-2] }),
		"the first marker of a JPEG":    at("image/jpeg", func(b []byte) []byte { return b[:3] }),
		"a JPEG of no height":           at("image/jpeg", func(b []byte) []byte { i := bytes.Index(b, []byte{0xff, 0xc0}); clear(b[i+5 : i+7]); return b }),
		"a GIF without its last blocks": at("image/gif", func(b []byte) []byte { return b[:len(b)-20] }),
		"a GIF without pixels":          at("image/gif", func(b []byte) []byte { clear(b[6:10]); return b }),
		"a GIF of no height":            at("image/gif", func(b []byte) []byte { clear(b[8:10]); return b }),
		"the header of a GIF":           at("image/gif", func(b []byte) []byte { return b[:6] }),
	} {
		if p, err := media.ReadPicture(data); !errors.Is(err, media.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestRarePictures takes a kind that the decoder doesn't support for whole, and a palette
// whose transparency is damaged for damaged.
func TestRarePictures(t *testing.T) {
	data := pictures(t)["image/jpeg"]
	data[bytes.Index(data, []byte{0xff, 0xc0})+4] = 12 // bits
	if p, err := media.ReadPicture(data); err != nil || p != (media.Picture{MediaType: "image/jpeg", Bytes: len(data)}) {
		t.Errorf("a JPEG of 12 bits: %+v, %v", p, err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Transparent, color.Black})); err != nil {
		t.Fatal(err)
	}
	if p, err := media.ReadPicture(b.Bytes()); err != nil || p.Width != 3 {
		t.Errorf("a palette: %+v, %v", p, err)
	}
	damaged := bytes.Clone(b.Bytes())
	damaged[bytes.Index(damaged, []byte("tRNS"))+4] ^= 1
	if p, err := media.ReadPicture(damaged); !errors.Is(err, media.ErrDamaged) {
		t.Errorf("a palette with damaged transparency: %+v, %v", p, err)
	}
}

func ExampleReadPDF() {
	data := []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2>>endobj\n3 0 obj<</Type/Page>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF")
	pdf, err := media.ReadPDF(data)
	fmt.Println(pdf.Pages, err, pdf.Check(media.Limits{}))
	// Output: 2 <nil> <nil>
}
