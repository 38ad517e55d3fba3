package media_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
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
	broken := pictures(t)["image/png"]
	broken[len(broken)/2] ^= 0xff
	if _, err := media.ReadPicture(broken); !errors.Is(err, media.ErrDamaged) {
		t.Errorf("a PNG with a wrong byte: %v", err)
	}
}

func ExampleReadPDF() {
	data := []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2>>endobj\n3 0 obj<</Type/Page>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF")
	pdf, err := media.ReadPDF(data)
	fmt.Println(pdf.Pages, err, pdf.Check(media.Limits{}))
	// Output: 2 <nil> <nil>
}
