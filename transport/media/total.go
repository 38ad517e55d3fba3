package media

import (
	"encoding/base64"
	"fmt"
	"iter"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Total sums up the PDFs and pictures in the messages of one request. The service's
// limits apply to all of them, including the history.
type Total struct {
	Pages    int // of PDFs
	Pictures int
	Bytes    int // of PDFs and pictures, in base64
	LongSide int // longest side of any picture, in pixels
}

// Add adds the PDFs and pictures in a block, given as its JSON, and in the blocks
// inside it. The size of a source that is a URL or a file's id isn't known: a picture
// counts as one picture, a document as no page. Add fails if a PDF or a picture can't
// be read.
func (t *Total) Add(block []byte) error {
	for typ, source := range sources(block) {
		one, data, err := count(typ, source)
		if err == nil && data != nil && typ == "image" {
			_, err = ReadPicture(data)
		}
		if t.sum(one); err != nil {
			return err
		}
	}
	return nil
}

// Count is like Add, but ignores what can't be read, and reads only the beginning of a
// picture.
func (t *Total) Count(block []byte) {
	for typ, source := range sources(block) {
		one, _, _ := count(typ, source)
		t.sum(one)
	}
}

// Plus returns the sum of two totals.
func (t Total) Plus(u Total) Total {
	t.sum(u)
	return t
}

func (t *Total) sum(u Total) {
	t.Pages += u.Pages
	t.Pictures += u.Pictures
	t.Bytes += u.Bytes
	t.LongSide = max(t.LongSide, u.LongSide)
}

// CheckBlock returns an error if the service would refuse a block because of a picture
// or a PDF in it. block is the block's JSON. l has the limits of one PDF or picture.
func CheckBlock(block []byte, l Limits) error {
	for typ, source := range sources(block) {
		data, err := decode(typ, source)
		switch {
		case err != nil:
		case data == nil:
		case typ == "image":
			var p Picture
			if p, err = ReadPicture(data); err == nil {
				err = p.Check(l)
			}
			if said := rawjson.GetString(source, "media_type"); err == nil && said != p.MediaType {
				err = fmt.Errorf("the picture is %w: it is %s, not %s", ErrFormat, p.MediaType, said)
			}
		default:
			var p PDF
			if p, err = ReadPDF(data); err == nil {
				err = p.Check(l)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sources yields the sources of the pictures and documents in a block, with the type
// of what they are of.
func sources(block []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) { eachSource(block, yield) }
}

func eachSource(block []byte, yield func(string, []byte) bool) bool {
	typ := rawjson.GetString(block, "type")
	var list []byte
	switch typ {
	case "tool_result":
		list = rawjson.Get(block, "content")
	case "image", "document":
		source := rawjson.Get(block, "source")
		if rawjson.GetString(source, "type") != "content" {
			return yield(typ, source)
		}
		list = rawjson.Get(source, "content")
	}
	if len(list) == 0 || list[0] != '[' {
		return true
	}
	for e := range rawjson.Elements(list) {
		if !eachSource(e, yield) {
			return false
		}
	}
	return true
}

// count is what a source counts, and its bytes if it holds them.
func count(typ string, source []byte) (t Total, data []byte, err error) {
	if typ == "image" {
		t.Pictures = 1
	}
	data, err = decode(typ, source)
	if data == nil && err == nil {
		return t, nil, nil
	}
	t.Bytes = len(rawjson.Get(source, "data")) - len(`""`)
	switch {
	case err != nil:
	case typ == "image":
		var p Picture
		p, _, err = readHeader(data)
		t.LongSide = max(p.Width, p.Height)
	default:
		var p PDF
		if p, err = ReadPDF(data); err == nil && p.Encrypted {
			err = p.Check(Limits{})
		}
		t.Pages = p.Pages
	}
	return t, data, err
}

// decode returns the bytes of a source of base64, and nil for another one.
func decode(typ string, source []byte) ([]byte, error) {
	if rawjson.GetString(source, "type") != "base64" {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(rawjson.GetString(source, "data"))
	if err != nil {
		return nil, fmt.Errorf("the %s is %w: its base64 can't be read", typ, ErrDamaged)
	}
	return data, nil
}

// Check returns an error that wraps [ErrTooLarge] if the service would refuse the
// request for a model with a context of contextTokens tokens. 0 means that the size
// isn't known, and the lower limits apply.
func (t Total) Check(contextTokens int) error {
	most := LimitsFor(contextTokens).Pages
	switch {
	case t.Pages > most:
		return fmt.Errorf("the PDFs of the conversation have %d pages, %w: at most %d in one request", t.Pages, ErrTooLarge, most)
	case t.Pictures > most:
		return fmt.Errorf("the conversation has %d pictures, %w: at most %d in one request", t.Pictures, ErrTooLarge, most)
	case t.Pictures > ManyPictures && t.LongSide > MaxManySide:
		return fmt.Errorf("a picture has %d pixels on a side, %w: at most %d where there are more than %d", t.LongSide, ErrTooLarge, MaxManySide, ManyPictures)
	case t.LongSide > MaxPictureSide:
		return fmt.Errorf("a picture has %d pixels on a side, %w: at most %d", t.LongSide, ErrTooLarge, MaxPictureSide)
	case t.Bytes > MaxRequestBytes:
		return fmt.Errorf("PDFs and pictures have %d bytes in base64, %w: at most %d in one request", t.Bytes, ErrTooLarge, MaxRequestBytes)
	}
	return nil
}
