package transport

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
)

// What the service takes of one picture (wire §1.5, §7.9). In a conversation
// one that it refuses makes every later request fail, so it is refused here.
const (
	maxImageBytes  = 10 << 20 // in base64
	maxImagePixels = 8000     // on a side
)

// checkPicture returns the media type of a picture's bytes, by what they are and
// not by what they are said to be. It reads no more than the picture's header.
func checkPicture(data []byte, said string) (mediaType string, err error) {
	if n := base64.StdEncoding.EncodedLen(len(data)); n > maxImageBytes {
		return "", fmt.Errorf("it has %d bytes in base64, and the service takes %d; make it smaller", n, maxImageBytes)
	}
	mediaType = http.DetectContentType(data)
	var size image.Config
	switch mediaType {
	case "image/png":
		size, err = png.DecodeConfig(bytes.NewReader(data))
	case "image/jpeg":
		size, err = jpeg.DecodeConfig(bytes.NewReader(data))
	case "image/gif":
		size, err = gif.DecodeConfig(bytes.NewReader(data))
	case "image/webp":
	default:
		if said == "" {
			said = mediaType
		}
		return "", fmt.Errorf("the service takes JPEG, PNG, GIF and WebP, not %s", said)
	}
	var pngOther png.UnsupportedError
	var jpegOther jpeg.UnsupportedError
	switch {
	case errors.As(err, &pngOther), errors.As(err, &jpegOther): // perhaps the service can read it
	case err != nil:
		return "", fmt.Errorf("it can't be read as %s: %w", mediaType, err)
	case max(size.Width, size.Height) > maxImagePixels:
		return "", fmt.Errorf("it has %d × %d pixels, and the service takes %d on a side; make it smaller", size.Width, size.Height, maxImagePixels)
	}
	return mediaType, nil
}
