package uistream

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A turn is what a user says, and all that comes of it up to what is said next: messages
// of the user, and one of the assistant.
type turn struct {
	n      int // the number of its last message of the user, counted from 1
	record int // what is told of it begins behind that record
	calls  int // calls behind that record are of it, too; 0 is record
	end    int // the records before the next turn, or all
	before int // the responses of the session before it
	last   int // those up to its end
	said   []entry

	id  string          // of the assistant's message, if it isn't made of n
	has map[string]bool // calls whose results the client has
}

// An entry is a message of the user's.
type entry struct {
	n       int // its number among them, counted from 1
	record  int // 0 if it waits in the inbox
	message transport.Message
}

func (t *turn) callsFrom() int {
	if t.calls > 0 {
		return t.calls
	}
	return t.record
}

func (t *turn) name() string {
	if t.id != "" {
		return t.id
	}
	return fmt.Sprintf("a%d", t.n)
}

// turnsOf are the turns of the first records of a log.
func turnsOf(log *memory.Log, records int) []turn {
	var list []turn
	responses, n := 0, 0
	for i, r := range log.Records(0) {
		if i >= records {
			break
		}
		switch r.Kind {
		case memory.KindResponse:
			responses++
			if at := len(list); at > 0 {
				list[at-1].last = responses
			}
		case memory.KindInput:
			if r.Message.Role != transport.RoleUser {
				continue
			}
			n++
			e := entry{n, i + 1, r.Message}
			if at := len(list); at > 0 {
				if t := &list[at-1]; t.last == t.before { // nothing was answered
					t.said, t.n, t.record = append(t.said, e), n, i+1
					continue
				}
				list[at-1].end = i
			}
			list = append(list, turn{n: n, record: i + 1, end: records, before: responses, last: responses, said: []entry{e}})
		}
	}
	return list
}

// messages are what the turns of a log come to.
func messages(ctx context.Context, h *serve.Handler, stored map[string]bool, log *memory.Log, turns []turn) []Message {
	list := []Message{}
	for i := range turns {
		t := &turns[i]
		for _, e := range t.said {
			list = append(list, Message{ID: fmt.Sprintf("u%d", e.n), Role: "user", Parts: partsOf(e.message.Content)})
		}
		if m := t.answer(ctx, h, stored, log); len(m.Parts) > 0 {
			list = append(list, m)
		}
	}
	return list
}

// answer is the assistant's message of a turn.
func (t *turn) answer(ctx context.Context, h *serve.Handler, stored map[string]bool, log *memory.Log) Message {
	m := Message{ID: t.name(), Role: "assistant", Parts: []Part{}}
	w := newWriter(m.apply)
	tree := newTree(h, w)
	tree.Look(stored)
	tellLog(ctx, flow.New(w, t.before), tree, log, t.record, t.end)
	tree.Rest(ctx)
	tree.End(unfinishedBelow(ctx, h))
	m.Metadata = metadata(log.ID(), w)
	return m
}

// partsOf are a user's blocks as parts.
func partsOf(blocks []transport.Block) []Part {
	list := []Part{}
	for _, b := range blocks {
		switch b.Type() {
		case "text":
			list = append(list, Part{Type: "text", Text: text(rawjson.GetString(b.Raw(), "text"))})
		case "image", "document":
			if f := fileOf(b.Raw()); f.URL != "" {
				list = append(list, f)
			}
		}
	}
	return list
}

// fileOf is a picture or a document as a part; it has no URL if it is a file of the
// service's.
func fileOf(raw json.RawMessage) Part {
	from := rawjson.Get(raw, "source")
	p := Part{Type: "file", Filename: rawjson.GetString(raw, "title"), MediaType: rawjson.GetString(from, "media_type")}
	switch rawjson.GetString(from, "type") {
	case "base64":
		p.URL = "data:" + p.MediaType + ";base64," + rawjson.GetString(from, "data")
	case "text":
		p.MediaType = "text/plain"
		p.URL = "data:text/plain;base64," + encode(rawjson.GetString(from, "data"))
	case "url":
		p.URL = rawjson.GetString(from, "url")
		if p.MediaType = "image"; rawjson.GetString(raw, "type") == "document" {
			p.MediaType = "application/pdf"
		}
	}
	return p
}

// entries are the messages of a session's inbox, behind n that are in the log.
func entries(waits []memory.Record, n int) []entry {
	var list []entry
	for _, r := range waits {
		n++
		list = append(list, entry{n, 0, r.Message})
	}
	return list
}
