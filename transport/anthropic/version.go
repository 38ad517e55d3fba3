package anthropic

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// Versions of the API, for [Options.Version].
const (
	// APIVersion is the default. The service supports it without an end date, every
	// gateway knows it, and older models accept sampling parameters under it.
	APIVersion = "2023-06-01"
	// APIVersion2026 refuses what docs/wire.md §1.11 lists: sampling parameters for
	// every model, documents in assistant messages, citations in user messages, and
	// system messages with blocks other than text.
	APIVersion2026 = "2026-10-21"
)

// versions are those that a Client can speak.
var versions = []string{APIVersion, APIVersion2026}

// versionOf is the version that the options ask for: by Version, or by a header of
// the program's own.
func versionOf(o *Options, own http.Header) (string, error) {
	values := own.Values("Anthropic-Version")
	v := cmp.Or(o.Version, strings.Join(values, ", "), APIVersion)
	if !slices.Contains(versions, v) {
		return "", fmt.Errorf("anthropic: the API version %q is not known; set Options.Version to %s, or leave it empty for %s", v, strings.Join(versions, " or "), APIVersion)
	}
	if len(values) > 1 || len(values) == 1 && values[0] != v {
		return "", fmt.Errorf("anthropic: Options.Header has the anthropic-version %q beside Options.Version %q; leave it out of the header", values, v)
	}
	return v, nil
}

// checkVersion refuses what the client's version of the API has taken away (wire
// §1.11). whole says that a thread's messages are sent too. The error is a
// [*transport.RequestError].
func (c *Client) checkVersion(r *transport.Request, whole bool) error {
	if c.version < APIVersion2026 {
		return nil
	}
	refused := func(places []string, what, remedy string) error {
		return &transport.RequestError{
			Field:  strings.Join(places, ", "),
			Reason: "API version " + c.version + " takes no " + what + " (docs/wire.md §1.11)",
			Remedy: remedy + ", or use Options.Version " + APIVersion,
			Model:  r.Model,
		}
	}
	if list := sampling(r); list != nil && !whole { // count_tokens isn't sent them
		return refused(list, "sampling parameters, not even at their defaults", "leave them out")
	}
	v := versionCheck{}
	from := 0
	if t := r.Thread; !whole && t != nil && t.PreviousMessageID != "" {
		from = min(max(t.Held, 0), len(r.Messages))
	}
	for i := from; i < len(r.Messages); i++ {
		v.message(i, &r.Messages[i])
	}
	switch {
	case v.documents != nil:
		return refused(v.documents, "document directly in an assistant message", "put it into a message of the user")
	case v.cited != nil:
		return refused(v.cited, "citations on a user's text", "leave them out")
	case v.notText != nil:
		return refused(v.notText, "system message of anything but text and changes of tools", "put it into a message of the user")
	case v.members != nil:
		return refused(v.members, "such member on a message that isn't the system's", "leave it out")
	}
	return nil
}

// sampling lists the sampling parameters that a request has.
func sampling(r *transport.Request) (list []string) {
	for _, p := range []struct {
		name string
		set  bool
	}{{"temperature", r.Temperature != nil}, {"top_p", r.TopP != nil}, {"top_k", r.TopK != nil}} {
		if _, extra := r.Extra[p.name]; p.set || extra {
			list = append(list, p.name)
		}
	}
	return list
}

// A versionCheck gathers the places of what version 2026-10-21 refuses.
type versionCheck struct{ documents, cited, notText, members []string }

func (v *versionCheck) message(i int, m *transport.Message) {
	if m.Role != transport.RoleSystem {
		if m.ClearAt != "" {
			v.members = append(v.members, fmt.Sprintf("messages.%d.clear_at", i))
		}
		if len(m.OutputConfig) > 0 {
			v.members = append(v.members, fmt.Sprintf("messages.%d.output_config", i))
		}
	}
	for j := range m.Content {
		b := &m.Content[j]
		switch t := b.Type(); m.Role {
		case transport.RoleAssistant:
			if t == transport.TypeDocument {
				v.documents = append(v.documents, place(i, j))
			}
		case transport.RoleUser:
			for _, inner := range citing(b) {
				v.cited = append(v.cited, place(i, j)+inner)
			}
		case transport.RoleSystem:
			if t != transport.TypeText && t != view.TypeToolAddition && t != view.TypeToolRemoval {
				v.notText = append(v.notText, place(i, j))
			}
		}
	}
}

func place(i, j int) string { return fmt.Sprintf("messages.%d.content.%d", i, j) }

// citing lists where texts with citations stand in a block of the user, as paths
// behind its own: in itself, in a search result, and in one in a tool's result.
func citing(b *transport.Block) (list []string) {
	raw := b.Raw()
	if !bytes.Contains(raw, []byte(`"citations"`)) { // most blocks, told without reading their JSON
		return nil
	}
	texts := func(path string, content []byte) {
		i := 0
		for e := range rawjson.Elements(content) {
			if cites(e) {
				list = append(list, fmt.Sprintf("%s.content.%d", path, i))
			}
			i++
		}
	}
	switch b.Type() {
	case transport.TypeText:
		if cites(raw) {
			list = append(list, "")
		}
	case transport.TypeSearchResult:
		texts("", rawjson.Get(raw, "content"))
	case transport.TypeToolResult:
		i := 0
		for e := range rawjson.Elements(rawjson.Get(raw, "content")) {
			if rawjson.GetString(e, "type") == string(transport.TypeSearchResult) {
				texts(fmt.Sprintf(".content.%d", i), rawjson.Get(e, "content"))
			}
			i++
		}
	}
	return list
}

// cites reports whether a block has citations: a list that isn't empty.
func cites(block []byte) bool {
	for range rawjson.Elements(rawjson.Get(block, "citations")) {
		return true
	}
	return false
}
