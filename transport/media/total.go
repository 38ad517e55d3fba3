package media

import (
	"encoding/base64"
	"fmt"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Total sums up what the messages of one request hold: the service's limits
// are for all of it, history included.
type Total struct {
	Pages    int // of PDFs
	Pictures int
	Bytes    int // of PDFs and pictures, in base64
	LongSide int // pixels, of the largest picture
}

// Add adds what is in a block, given as its JSON, and in the blocks inside of it. Sources that are a URL or
// the id of a file count as one picture or no page: what is there isn't known. It
// fails for a PDF or a picture that can't be read.
func (t *Total) Add(block []byte) error {
	typ := rawjson.GetString(block, "type")
	source := rawjson.Get(block, "source")
	switch typ {
	case "tool_result":
		return t.addAll(rawjson.Get(block, "content"))
	case "image":
		t.Pictures++
	case "document":
		if rawjson.GetString(source, "type") == "content" {
			return t.addAll(rawjson.Get(source, "content"))
		}
	default:
		return nil
	}
	if rawjson.GetString(source, "type") != "base64" {
		return nil
	}
	text := rawjson.GetString(source, "data")
	t.Bytes += len(text)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("the %s is %w: its base64 can't be read", typ, ErrDamaged)
	}
	if typ == "image" {
		p, err := ReadPicture(data)
		t.LongSide = max(t.LongSide, p.Width, p.Height)
		return err
	}
	p, err := ReadPDF(data)
	if err == nil && p.Encrypted {
		err = p.Check(Limits{})
	}
	t.Pages += p.Pages
	return err
}

func (t *Total) addAll(list []byte) error {
	if len(list) == 0 || list[0] != '[' {
		return nil
	}
	for e := range rawjson.Elements(list) {
		if err := t.Add(e); err != nil {
			return err
		}
	}
	return nil
}

// Check reports an error that wraps ErrTooLarge if a request for a model with a
// context of so many tokens would be refused. 0 means that it isn't known, and
// the lower limits hold.
func (t Total) Check(contextTokens int) error {
	most := MaxPagesSmall
	if contextTokens > 200_000 {
		most = MaxPages
	}
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
