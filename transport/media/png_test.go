package media_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/png"
	"testing"

	"github.com/whorl-go/whorl/transport/media"
)

// The picture of a well-known MCP server has a color profile whose checksum is
// wrong. Every viewer shows it.
func TestChecksumOfAnAncillaryChunk(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	chunk := append(binary.BigEndian.AppendUint32(nil, 4), "iCCPabcd\x00\x00\x00\x00"...)
	data := append(append(bytes.Clone(b.Bytes()[:33]), chunk...), b.Bytes()[33:]...)
	p, err := media.ReadPicture(data)
	if err != nil || p.Width != 3 || p.Height != 2 || p.Bytes != len(data) {
		t.Errorf("%+v, %v", p, err)
	}
	pixels := bytes.Clone(data)
	pixels[len(pixels)-20] ^= 1 // in IDAT
	for name, bad := range map[string][]byte{"pixels": pixels, "cut off": data[:len(data)-20]} {
		if _, err := media.ReadPicture(bad); !errors.Is(err, media.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
