package blob

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// PayloadType is the media type of the blobs that hold payloads. Their data is the letter
// b followed by the bytes that a record had as base64. The letter keeps them apart from
// the blob of a tool that has stored the same bytes, which is listed and exported on its
// own.
const PayloadType = "application/vnd.whorl.payload"

// formBase64 says that a payload stood in the record as base64 with padding.
const formBase64 = 'b'

// hollow takes the payloads of at least so many bytes of base64 out of a record. It
// returns the record as it is if it has none.
func hollow(r memory.Record, least int) (memory.Record, []memory.Blob, error) {
	if r.Kind == memory.KindSealed || len(r.Aside) > 0 {
		return r, nil, nil
	}
	var blobs []memory.Blob
	out, err := rewrite(r, func(text []byte) ([]byte, error) {
		text, found := cutPayloads(text, least)
		blobs = append(blobs, found...)
		return text, nil
	})
	if err != nil || len(blobs) == 0 {
		return r, nil, err
	}
	for _, b := range blobs {
		if !slices.Contains(out.Aside, b.Name) {
			out.Aside = append(out.Aside, b.Name)
		}
	}
	// Its own text may have the name of a payload as a string, too. Such a record
	// stays whole.
	marks := 0
	if _, err := rewrite(out, func(text []byte) ([]byte, error) {
		for _, name := range out.Aside {
			marks += bytes.Count(text, quoted(name))
		}
		return text, nil
	}); err != nil || marks != len(blobs) {
		return r, nil, err
	}
	return out, blobs, nil
}

func quoted(name string) []byte { return []byte(`"` + name + `"`) }

// cutPayloads puts the names of payloads in their places. It returns text itself if
// there are none.
func cutPayloads(text []byte, least int) ([]byte, []memory.Blob) {
	var out []byte
	var blobs []memory.Blob
	done := 0 // so much of the text is in out
	for i := 0; len(text)-i > least; {
		open := bytes.IndexByte(text[i:], '"')
		if open < 0 {
			break
		}
		first := i + open + 1
		end := endOfString(text, first)
		i = end + 1
		if end-first < least {
			continue
		}
		b, ok := payload(text[first:end])
		if !ok {
			continue
		}
		out = append(append(out, text[done:first]...), b.Name...)
		done = end
		blobs = append(blobs, b)
	}
	if len(blobs) == 0 {
		return text, nil
	}
	return append(out, text[done:]...), blobs
}

// endOfString is the place of the quote that ends the string whose first byte is at
// i; it is the end of a text that isn't JSON.
func endOfString(text []byte, i int) int {
	for {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return len(text)
		}
		end := i + n
		slashes := 0
		for end-slashes > i && text[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		i = end + 1
	}
}

// payload is the blob of a string, if that is base64 which encoding its bytes gives
// again.
func payload(s []byte) (memory.Blob, bool) {
	if len(s)%4 != 0 {
		return memory.Blob{}, false
	}
	if _, err := encoding.Decode(make([]byte, 48), s[:min(len(s)-4, 64)]); err != nil {
		return memory.Blob{}, false // a text, which is not worth room for its bytes
	}
	data := make([]byte, 1, 1+encoding.DecodedLen(len(s)))
	data[0] = formBase64
	data, ok := decode(data, s)
	if !ok {
		return memory.Blob{}, false
	}
	return memory.Blob{MediaType: PayloadType, Data: data}.Named(), true
}

// check fails for what payload has not made.
func check(b memory.Blob) error {
	if len(b.Data) == 0 || b.Data[0] != formBase64 {
		return fmt.Errorf("it is in a form that this version of the library doesn't know: %w", memory.ErrCorrupt)
	}
	return nil
}

// rewrite has f look at each piece of JSON in a record that may be big, and makes
// a record of what it returns.
func rewrite(r memory.Record, f func(text []byte) ([]byte, error)) (memory.Record, error) {
	var err error
	apply := func(text []byte) (changed []byte, ok bool) {
		if err != nil || len(text) == 0 {
			return text, false
		}
		var out []byte
		if out, err = f(text); err != nil {
			return text, false
		}
		return out, len(out) != len(text)
	}
	block := func(b transport.Block) transport.Block {
		if text, ok := apply(b.Raw()); ok {
			b, err = transport.ParseBlock(text)
		}
		return b
	}
	if !r.Block.IsZero() {
		r.Block = block(r.Block)
	}
	cloned := false
	for i, b := range r.Message.Content {
		text, ok := apply(b.Raw())
		if !ok {
			continue
		}
		if !cloned {
			r.Message.Content, cloned = slices.Clone(r.Message.Content), true
		}
		r.Message.Content[i], err = transport.ParseBlock(text)
	}
	if r.Response != nil {
		if text, ok := apply(r.Response.Raw()); ok {
			var resp *transport.Response
			if resp, err = transport.ParseResponse(text); err == nil {
				resp.Cut, resp.Meta = r.Response.Cut, r.Response.Meta
				r.Response = resp
			}
		}
	}
	if text, ok := apply(r.Data); ok {
		r.Data = text
	}
	if r.Decision != nil {
		if text, ok := apply(r.Decision.Input); ok {
			d := *r.Decision
			d.Input = text
			r.Decision = &d
		}
	}
	return r, err
}
