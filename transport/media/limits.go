package media

import (
	"errors"
	"fmt"
)

// The limits of the service, from the pages "Errors", "Vision" and "PDF support" of its
// documentation.
const (
	MaxRequestBytes = 32 << 20 // of a request's body, including base64
	MaxPictureBytes = 10 << 20 // of a picture in base64; half of it on Bedrock and Vertex
	MaxPictureSide  = 8000     // pixels
	MaxManySide     = 2000     // pixels, in a request with more than ManyPictures
	ManyPictures    = 20
	MaxPages        = 600 // of all PDFs in a request, for models with more than 200,000 tokens of context; also the maximum of pictures
	MaxPagesSmall   = 100 // for other models
)

// Errors that the functions of this package wrap.
var (
	ErrDamaged   = errors.New("damaged")              // the file can't be read, or ends early
	ErrEncrypted = errors.New("encrypted")            // the PDF is encrypted
	ErrTooLarge  = errors.New("more than is allowed") // the file exceeds a limit
	ErrFormat    = errors.New("in another format")    // the file has another format
)

// Limits are the limits of one PDF or picture. Zero fields mean the limits that hold
// for every model.
type Limits struct {
	Pages int // of a PDF; 0 means MaxPagesSmall
	Side  int // of a picture, in pixels; 0 means MaxPictureSide
	Bytes int // in base64; 0 means three quarters of MaxRequestBytes for a PDF, MaxPictureBytes for a picture
}

// LimitsFor returns the limits for a model with a context of contextTokens tokens; 0
// means that the size isn't known.
func LimitsFor(contextTokens int) Limits {
	if contextTokens > 200_000 {
		return Limits{Pages: MaxPages}
	}
	return Limits{Pages: MaxPagesSmall}
}

// Check returns an error that wraps [ErrTooLarge] or [ErrEncrypted] if the service
// would refuse the PDF.
func (p PDF) Check(l Limits) error {
	pages, size := l.Pages, l.Bytes
	if pages <= 0 {
		pages = MaxPagesSmall
	}
	if size <= 0 {
		size = MaxRequestBytes / 4 * 3
	}
	switch {
	case p.Encrypted:
		return fmt.Errorf("the PDF is %w, and can't be read without its password", ErrEncrypted)
	case p.Pages > pages:
		return fmt.Errorf("the PDF has %d pages, %w: at most %d", p.Pages, ErrTooLarge, pages)
	case base64Size(p.Bytes) > size:
		return fmt.Errorf("the PDF has %d bytes in base64, %w: at most %d", base64Size(p.Bytes), ErrTooLarge, size)
	}
	return nil
}

// Check returns an error that wraps [ErrTooLarge] if the service would refuse the
// picture.
func (p Picture) Check(l Limits) error {
	side, size := l.Side, l.Bytes
	if side <= 0 {
		side = MaxPictureSide
	}
	if size <= 0 {
		size = MaxPictureBytes
	}
	switch {
	case max(p.Width, p.Height) > side:
		return fmt.Errorf("the picture has %d × %d pixels, %w: at most %d on a side", p.Width, p.Height, ErrTooLarge, side)
	case base64Size(p.Bytes) > size:
		return fmt.Errorf("the picture has %d bytes in base64, %w: at most %d", base64Size(p.Bytes), ErrTooLarge, size)
	}
	return nil
}

func base64Size(n int) int { return (n + 2) / 3 * 4 }
