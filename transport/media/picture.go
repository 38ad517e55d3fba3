package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // the formats that the service takes
	"image/jpeg"
	"image/png"
	"net/http"
	"slices"
)

// A Picture has the properties of a picture that the service limits.
type Picture struct {
	MediaType     string // detected from the bytes: image/png, image/jpeg, image/gif or image/webp
	Width, Height int    // pixels
	Bytes         int
}

// maxDecoded is the most pixels that are decoded to see whether a picture is
// whole; of larger ones only the beginning is looked at.
const maxDecoded = 16 << 20

// ReadPicture returns the media type and the size of a picture. The error wraps
// [ErrFormat] if data is not a picture that the service accepts, and [ErrDamaged] if
// the picture can't be decoded. ReadPicture decodes a JPEG, a PNG or the first frame of
// a GIF completely if it has up to 16 million pixels and its sides are within the
// limits. A picture of a rare kind that the decoder doesn't support is assumed to be
// undamaged.
func ReadPicture(data []byte) (Picture, error) {
	p, shown, err := readHeader(data)
	if err != nil || shown == nil || max(p.Width, p.Height) > MaxPictureSide || p.Width*p.Height > maxDecoded {
		return p, err
	}
	if _, _, err := image.Decode(bytes.NewReader(shown)); err != nil && !unsupported(err) {
		return p, fmt.Errorf("the picture is %w: it is truncated or can't be decoded", ErrDamaged)
	}
	return p, nil
}

// unsupported reports whether a picture is whole for all that the decoder knows.
func unsupported(err error) bool {
	var ofPNG png.UnsupportedError
	var ofJPEG jpeg.UnsupportedError
	return errors.As(err, &ofPNG) || errors.As(err, &ofJPEG)
}

// readHeader is ReadPicture of the beginning only. shown is what is to be decoded;
// nil if there is no decoder for it.
func readHeader(data []byte) (_ Picture, shown []byte, _ error) {
	p := Picture{MediaType: http.DetectContentType(data), Bytes: len(data)}
	switch {
	case p.MediaType == "image/webp":
		return p, nil, p.readWebP(data)
	case !slices.Contains([]string{"image/png", "image/jpeg", "image/gif"}, p.MediaType):
		return Picture{}, nil, fmt.Errorf("the picture is %w: it is %s; the service accepts PNG, JPEG, GIF and WebP", ErrFormat, p.MediaType)
	}
	shown = critical(data)
	config, format, err := image.DecodeConfig(bytes.NewReader(shown))
	if unsupported(err) {
		return p, nil, nil
	}
	if err != nil || "image/"+format != p.MediaType {
		return p, nil, fmt.Errorf("the picture is %w: its beginning can't be read", ErrDamaged)
	}
	p.Width, p.Height = config.Width, config.Height
	if p.Width <= 0 || p.Height <= 0 {
		return p, nil, fmt.Errorf("the picture is %w: it has no pixels", ErrDamaged)
	}
	return p, shown, nil
}

// readWebP reads the header of a WebP file (RFC 9649), for which the standard
// library has no decoder.
func (p *Picture) readWebP(data []byte) error {
	damaged := fmt.Errorf("the picture is %w: it is truncated or can't be decoded", ErrDamaged)
	if len(data) < 30 {
		return damaged
	}
	whole, first := int64(binary.LittleEndian.Uint32(data[4:])), int64(binary.LittleEndian.Uint32(data[16:]))
	if whole+8 > int64(len(data))+1 || first+12 > whole {
		return damaged
	}
	b := data[20:]
	switch string(data[12:16]) {
	case "VP8 ":
		if b[0]&1 != 0 || !bytes.Equal(b[3:6], []byte{0x9d, 0x01, 0x2a}) { // the first frame needs no other
			return damaged
		}
		p.Width, p.Height = int(binary.LittleEndian.Uint16(b[6:]))&0x3fff, int(binary.LittleEndian.Uint16(b[8:]))&0x3fff
	case "VP8L":
		if b[0] != 0x2f || b[4]>>5 != 0 { // of version 0
			return damaged
		}
		bits := binary.LittleEndian.Uint32(b[1:])
		p.Width, p.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
	case "VP8X":
		p.Width, p.Height = (int(b[4])|int(b[5])<<8|int(b[6])<<16)+1, (int(b[7])|int(b[8])<<8|int(b[9])<<16)+1
	default:
		return damaged
	}
	if p.Width == 0 || p.Height == 0 {
		return damaged
	}
	return nil
}
