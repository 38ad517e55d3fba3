package blocktype

import (
	"bytes"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

var textOpening = []byte(`{"type":"text","text":"`)

// IsBlank reports whether the text of a text block is empty or only white space.
// It looks at the beginning first, which nearly always tells: that of a block as it
// is mostly written, or of a long one.
func IsBlank(raw []byte) bool {
	text, ok := bytes.CutPrefix(raw, textOpening)
	if !ok && len(raw) >= 4096 {
		_, text, ok = bytes.Cut(raw[:256], []byte(`"text":"`))
	}
	if !ok {
		text = nil
	}
	for len(text) > 0 && text[0] == ' ' {
		text = text[1:]
	}
	if len(text) > 0 && text[0] > ' ' && text[0] < 0x80 && text[0] != '\\' && text[0] != '"' {
		return false
	}
	return strings.TrimSpace(rawjson.GetString(raw, "text")) == ""
}
