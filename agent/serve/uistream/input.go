package uistream

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/transport"
)

// An input is the body of POST: what DefaultChatTransport sends, and answers.
type input struct {
	ID        string            `json:"id"`
	Messages  []Message         `json:"messages"`
	Trigger   string            `json:"trigger"` // submit-message, regenerate-message
	MessageID string            `json:"messageId"`
	Answers   map[string]answer `json:"answers"`
	Meta      map[string]string `json:"meta"`
}

// An answer is to something that waits without a part of its own.
type answer struct {
	Value    json.RawMessage `json:"value"`   // to a question
	Decline  bool            `json:"decline"` // the question
	Approved *bool           `json:"approved"`
	Reason   string          `json:"reason"`
	Input    json.RawMessage `json:"input"` // other arguments
}

// bad is a problem of what the client sent.
func bad(format string, args ...any) error {
	return &serve.Problem{Type: "bad_message", Title: "The message can't be taken.", Detail: fmt.Sprintf(format, args...), Status: http.StatusUnprocessableEntity}
}

func (in *input) check() error {
	switch {
	case in.ID == "":
		return bad("id is missing: it is that of the chat")
	case in.Trigger != "" && in.Trigger != "submit-message" && in.Trigger != "regenerate-message":
		return bad("trigger is %q; it is submit-message or regenerate-message", in.Trigger)
	case len(in.Messages) == 0:
		return bad("messages is empty")
	}
	if role := in.last().Role; role != "user" && role != "assistant" {
		return bad("the last message is of the role %q; it is of user, or of assistant with decisions and results", role)
	}
	return nil
}

func (in *input) last() *Message { return &in.Messages[len(in.Messages)-1] }

// branches reports whether an answer is to be made again, or another message was
// written in the place of one.
func (in *input) branches() bool {
	return in.Trigger == "regenerate-message" || in.MessageID != "" && in.last().Role == "user"
}

var made = regexp.MustCompile(`^a([0-9]{1,9})$`)

// known is the turn that the client knows last, by the number of its last message of the
// user, 0 if there is none; and what its user has said behind that.
func (in *input) known() (n int, said []Message) {
	for _, m := range in.Messages {
		if g := made.FindStringSubmatch(m.ID); g != nil && m.Role == "assistant" {
			n, _ = strconv.Atoi(g[1])
			said = nil
		} else if m.Role == "user" {
			said = append(said, m)
		}
	}
	return n, said
}

// said is a user's message as the session takes it.
func (m *Message) said() (transport.Message, error) {
	if m.Parts == nil {
		return transport.Message{}, bad("message %s has no parts; clients of the AI SDK have them since version 5", m.ID)
	}
	var blocks []json.RawMessage
	for i, p := range m.Parts {
		var b map[string]any
		switch p.Type {
		case "text":
			if p.Text == nil {
				return transport.Message{}, bad("part %d of the message has no text", i)
			}
			b = map[string]any{"type": "text", "text": *p.Text}
		case "file":
			var err error
			if b, err = p.file(); err != nil {
				return transport.Message{}, bad("part %d of the message: %v", i, err)
			}
		default:
			if strings.HasPrefix(p.Type, "data-") {
				continue // the page's own
			}
			return transport.Message{}, bad("part %d of the message is of type %q; a user's are text and file", i, p.Type)
		}
		raw, err := json.Marshal(b)
		if err != nil {
			return transport.Message{}, err
		}
		blocks = append(blocks, raw)
	}
	return serve.Message("", blocks...)
}

// file is a file as the model takes it.
func (p *Part) file() (map[string]any, error) {
	kind := "document"
	if strings.HasPrefix(p.MediaType, "image") {
		kind = "image"
	}
	b := map[string]any{"type": kind}
	if kind == "document" && p.Filename != "" {
		b["title"] = p.Filename
	}
	head, data, isData := strings.Cut(p.URL, ",")
	typ, isData2 := strings.CutPrefix(head, "data:")
	switch {
	case isData && isData2:
		typ, in64 := strings.CutSuffix(typ, ";base64")
		typ, _, _ = strings.Cut(typ, ";")
		raw := []byte(nil)
		var err error
		if in64 {
			raw, err = base64.StdEncoding.DecodeString(data)
		} else {
			var s string
			s, err = url.PathUnescape(data)
			raw = []byte(s)
		}
		if err != nil {
			return nil, fmt.Errorf("its data URL can't be read: %v", err)
		}
		if strings.HasPrefix(typ, "text/") || typ == "application/json" {
			b["type"], b["source"] = "document", map[string]any{"type": "text", "media_type": "text/plain", "data": string(raw)}
			return b, nil
		}
		b["source"] = map[string]any{"type": "base64", "media_type": typ, "data": base64.StdEncoding.EncodeToString(raw)}
		return b, nil
	case strings.HasPrefix(p.URL, "https://"), strings.HasPrefix(p.URL, "http://"):
		b["source"] = map[string]any{"type": "url", "url": p.URL}
		return b, nil
	}
	return nil, fmt.Errorf("its url must be a data URL, or begin with http:// or https://")
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
