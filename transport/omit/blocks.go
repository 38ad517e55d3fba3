package omit

import (
	"iter"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// all yields the pictures, documents and uploads of the request in order, those in
// results of tools included.
func (f *finder) all() iter.Seq2[Place, []byte] {
	return func(yield func(Place, []byte) bool) {
		for i, m := range f.request.Messages {
			if m.Role != transport.RoleUser {
				continue
			}
			for j, b := range m.Content {
				p := Place{Message: i, Block: j}
				if isMedium(string(b.Type())) && !yield(p, b.Raw()) {
					return
				}
				if b.Type() != transport.TypeToolResult {
					continue
				}
				for e := range rawjson.Elements(rawjson.Get(b.Raw(), "content")) {
					if p.Inner++; isMedium(rawjson.GetString(e, "type")) && !yield(p, e) {
						return
					}
				}
			}
		}
	}
}

// at is the block at a place.
func (f *finder) at(p Place) ([]byte, bool) {
	if p.Message >= len(f.request.Messages) || p.Block >= len(f.request.Messages[p.Message].Content) {
		return nil, false
	}
	raw := f.request.Messages[p.Message].Content[p.Block].Raw()
	if p.Inner == 0 {
		return raw, true
	}
	k := 0
	for e := range rawjson.Elements(rawjson.Get(raw, "content")) {
		if k++; k == p.Inner {
			return e, true
		}
	}
	return nil, false
}

// fileID is the file that a block shows, or "".
func fileID(b []byte) string {
	if rawjson.GetString(b, "type") == string(view.TypeContainerUpload) {
		return rawjson.GetString(b, "file_id")
	}
	return rawjson.GetString(rawjson.Get(b, "source"), "file_id")
}
