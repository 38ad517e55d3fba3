package simulator

import (
	"bytes"
	"encoding/base64"
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
	width, height int
	pages         int    // of a PDF
	problem       string // message of a refusal; %s is the block's path
}

// readPictures looks at the base64 sources of a block and of those inside it.
func readPictures(b *block) []picture {
	var list []picture
	switch b.typ {
	case transport.TypeImage, transport.TypeDocument:
		if p, ok := readPicture(b.typ, rawjson.Get(b.raw, "source")); ok {
			list = append(list, p)
		}
	case transport.TypeToolResult:
		i := 0
		for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
			if typ := rawjson.GetString(e, "type"); typ == transport.TypeImage || typ == transport.TypeDocument {
				if p, ok := readPicture(typ, rawjson.Get(e, "source")); ok {
					p.path = "tool_result.content." + strconv.Itoa(i) + "." + p.path
					list = append(list, p)
				}
			}
			i++
		}
	}
	return list
}

const maxImage = 10 << 20 // bytes of base64 (reference §1.5)

func readPicture(typ string, source []byte) (picture, bool) {
	if rawjson.GetString(source, "type") != "base64" {
		return picture{}, false
	}
	data := rawjson.GetString(source, "data")
	p := picture{path: typ + ".source.base64"}
	if typ == transport.TypeDocument {
		p.path = "pdf.source.base64"
		raw, err := base64.StdEncoding.DecodeString(data)
		if err != nil || !bytes.HasPrefix(raw, []byte("%PDF")) {
			p.problem = "messages.%s.data: The PDF specified was not valid."
		}
		p.pages = max(1, bytes.Count(raw, []byte("/Type /Page"))-bytes.Count(raw, []byte("/Type /Pages"))+
			bytes.Count(raw, []byte("/Type/Page"))-bytes.Count(raw, []byte("/Type/Pages")))
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

// checkMedia applies rows 119 to 125 of the reference's table.
func (r *request) checkMedia() *Refusal {
	images, pages := 0, 0
	var last string
	for i, m := range r.messages {
		for j := range m.blocks {
			for k := range m.blocks[j].pictures {
				p := &m.blocks[j].pictures[k]
				path := strconv.Itoa(i) + ".content." + strconv.Itoa(j) + "." + p.path
				if p.problem != "" {
					return refuse("%s", strings.Replace(p.problem, "%s", path, 1))
				}
				if p.pages > 0 {
					pages += p.pages
					last = path
				} else {
					images++
				}
				if max(p.width, p.height) > 8000 {
					return refuse("messages.%s.data: At least one of the image dimensions exceed max allowed size: 8000 pixels", path)
				}
			}
		}
	}
	limit := 600
	if r.model.ContextTokens <= 200_000 {
		limit = 100
	}
	if pages > limit {
		return refuse("messages.%s.data: A maximum of %d PDF pages may be provided.", last, limit)
	}
	if images > limit {
		return refuse("messages: Too many images (%d). The maximum is %d.", images, limit)
	}
	if images <= 20 {
		return nil
	}
	for i, m := range r.messages {
		for j := range m.blocks {
			for k := range m.blocks[j].pictures {
				if p := &m.blocks[j].pictures[k]; max(p.width, p.height) > 2000 {
					return refuse("messages.%d.content.%d.%s.data: At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels", i, j, p.path)
				}
			}
		}
	}
	return nil
}
