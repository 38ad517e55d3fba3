package simulator

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	_ "image/gif" // the formats that the service takes
	_ "image/jpeg"
	_ "image/png"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A picture is what the checks need to know of an image or a PDF in a block.
type picture struct {
	path          string // of the source inside the block: "image.source.base64"
	inner         string // of the picture's own block inside the block: ".content.0"
	width, height int
	pages         int    // of a PDF
	problem       string // message of a refusal; %s is the block's path
}

// readPictures looks at the base64 sources of a block and of those inside it.
func readPictures(b *block) []picture {
	var list []picture
	switch b.typ {
	case transport.TypeImage, transport.TypeDocument:
		if p, ok := readPicture(string(b.typ), rawjson.Get(b.raw, "source")); ok {
			list = append(list, p)
		}
	case transport.TypeToolResult:
		i := 0
		for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
			if typ := rawjson.GetString(e, "type"); typ == string(transport.TypeImage) || typ == string(transport.TypeDocument) {
				if p, ok := readPicture(typ, rawjson.Get(e, "source")); ok {
					p.inner = ".content." + strconv.Itoa(i)
					p.path = "tool_result" + p.inner + "." + p.path
					list = append(list, p)
				}
			}
			i++
		}
	}
	return list
}

const maxImage = 10 << 20 // bytes of base64 (wire §1.5)

func readPicture(typ string, source []byte) (picture, bool) {
	if rawjson.GetString(source, "type") != "base64" {
		return picture{}, false
	}
	data := rawjson.GetString(source, "data")
	p := picture{path: typ + ".source.base64"}
	if typ == string(transport.TypeDocument) {
		p.path = "pdf.source.base64"
		raw, err := base64.StdEncoding.DecodeString(data)
		read := readPDF(raw)
		switch {
		case err != nil || !read.valid:
			p.problem = "messages.%s.data: The PDF specified was not valid."
		case read.locked: // github.com/anthropics/claude-code#19013
			p.problem = "messages.%s.data: The PDF specified is password protected."
		}
		p.pages = read.pages
		return p, true
	}
	if len(data) > maxImage {
		p.problem = "messages.%s: image exceeds 10 MB maximum: " + strconv.Itoa(len(data)) + " bytes > " + strconv.Itoa(maxImage) + " bytes"
		return p, true
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		p.problem = "Could not process image"
		return p, true
	}
	mediaType := rawjson.GetString(source, "media_type")
	if bytes.HasPrefix(raw, []byte("RIFF")) && len(raw) > 12 && string(raw[8:12]) == "WEBP" {
		if mediaType != "image/webp" {
			p.problem = "messages.%s.data: Image does not match the provided media type " + mediaType
		}
		return p, true
	}
	img, format, err := image.Decode(bytes.NewReader(raw))
	switch {
	case err != nil:
		p.problem = "Could not process image"
	case "image/"+format != mediaType:
		p.problem = "messages.%s.data: Image does not match the provided media type " + mediaType
	default:
		size := img.Bounds().Size()
		p.width, p.height = size.X, size.Y
	}
	return p, true
}

// tokens estimates what the picture costs (750 pixels a token, 1500 tokens a page).
func (p *picture) tokens() int {
	if p.pages > 0 {
		return 1500 * p.pages
	}
	w, h := p.width, p.height
	for w > 1568 || h > 1568 {
		w, h = w/2, h/2
	}
	return max(w*h/750, 1)
}

// checkMedia applies rows 119 to 125 of docs/wire.md §7.
func (r *request) checkMedia() *Refusal {
	known := r.known()
	if why := r.tooLarge(8000, ""); why != nil {
		return why
	}
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.images, r.next.pages, r.next.lastPDF, r.next.maxSide = known.images, known.pages, known.lastPDF, known.maxSide
		}
		for j := range m.blocks {
			for k := range m.blocks[j].pictures {
				p := &m.blocks[j].pictures[k]
				path := strconv.Itoa(i) + ".content." + strconv.Itoa(j) + "." + p.path
				if p.problem != "" {
					return refuse("%s", strings.Replace(p.problem, "%s", path, 1))
				}
				if p.pages > 0 {
					known.pages += p.pages
					known.lastPDF = path
				} else {
					known.images++
				}
				known.maxSide = max(known.maxSide, p.width, p.height)
			}
		}
	}
	limit := 600
	if r.model.Limits.ContextTokens <= 200_000 {
		limit = 100
	}
	if known.pages > limit {
		return refuse("messages.%s.data: A maximum of %d PDF pages may be provided.", known.lastPDF, limit)
	}
	if known.images > limit {
		return refuse("messages: Too many images (%d). The maximum is %d.", known.images, limit)
	}
	if known.images <= 20 {
		return nil
	}
	return r.tooLarge(2000, " for many-image requests")
}

// tooLarge refuses pictures with a side of more than so many pixels. The details
// have the paths of the blocks of all of them (wire §1.12), the message that
// of the first.
func (r *request) tooLarge(most int, when string) *Refusal {
	var paths []string
	first := ""
	from := r.from()
	if r.known().maxSide > most {
		from = 0
	}
	for i, m := range r.messagesFrom(from) {
		for j := range m.blocks {
			for k := range m.blocks[j].pictures {
				p := &m.blocks[j].pictures[k]
				if max(p.width, p.height) <= most {
					continue
				}
				block := fmt.Sprintf("messages.%d.content.%d", i, j)
				if paths == nil {
					first = block + "." + p.path
				}
				paths = append(paths, block+p.inner)
			}
		}
	}
	if paths == nil {
		return nil
	}
	why := coded("image_dimensions_too_large", "%s.data: At least one of the image dimensions exceed max allowed size%s: %d pixels", first, when, most)
	why.Details = map[string]any{"max_side_length_pixels": most, "paths": paths}
	return why
}
