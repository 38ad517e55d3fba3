package simulator

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// The versions of the API that are served (wire §1.11).
const (
	version2023 = "2023-06-01"
	version2026 = "2026-10-21"
)

// readVersion reads the anthropic-version header. One that came twice is refused
// like one that doesn't exist, in words that several gateways' users have reported
// (github.com/decolua/9router#1227, github.com/directus-labs/extensions#285).
func readVersion(h http.Header) (string, *Refusal) {
	switch v := strings.Join(h.Values("Anthropic-Version"), ", "); v {
	case "":
		return "", refuse("anthropic-version: header is required")
	case version2023, version2026:
		return v, nil
	default:
		return "", refuse("anthropic-version: %q is not a valid version", v)
	}
}

// checkVersion refuses what version 2026-10-21 has taken away and the tables of
// shapes don't know of: documents in assistant messages, and citations in what the
// user says (wire §1.11). Both refusals name all places; their words are
// guesses (wire G5, G6).
func (r *request) checkVersion() *Refusal {
	if r.version < version2026 {
		return nil
	}
	var documents, cited []string
	for i, m := range r.recent() {
		for j := range m.blocks {
			path := fmt.Sprintf("messages.%d.content.%d", i, j)
			switch b := &m.blocks[j]; m.role {
			case transport.RoleAssistant:
				if b.typ == transport.TypeDocument {
					documents = append(documents, path)
				}
			case transport.RoleUser:
				for _, inner := range b.citing {
					cited = append(cited, path+inner)
				}
			}
		}
	}
	switch {
	case documents != nil:
		return refuse("%s: `document` blocks are not permitted in `assistant` messages", strings.Join(documents, ", "))
	case cited != nil:
		return refuse("%s: `citations` are not permitted on `text` blocks in `user` messages", strings.Join(cited, ", "))
	}
	return nil
}

// citingTexts lists where texts with citations stand in a block, as paths behind
// the block's own: in itself, in a search result, and in one in a tool's result.
func citingTexts(b *block) []string {
	var list []string
	texts := func(path string, content []byte) {
		i := 0
		for e := range rawjson.Elements(content) {
			if citesAnything(e) {
				list = append(list, fmt.Sprintf("%s.content.%d", path, i))
			}
			i++
		}
	}
	switch b.typ {
	case transport.TypeText:
		if citesAnything(b.raw) {
			list = append(list, "")
		}
	case transport.TypeSearchResult:
		texts("", rawjson.Get(b.raw, "content"))
	case transport.TypeToolResult:
		i := 0
		for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
			if rawjson.GetString(e, "type") == string(transport.TypeSearchResult) {
				texts(fmt.Sprintf(".content.%d", i), rawjson.Get(e, "content"))
			}
			i++
		}
	}
	return list
}

// citesAnything reports whether a text block has citations: a list that isn't empty.
func citesAnything(raw []byte) bool {
	for range rawjson.Elements(rawjson.Get(raw, "citations")) {
		return true
	}
	return false
}
