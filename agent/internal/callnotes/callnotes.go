// Package callnotes finds what tool calls have noted in a log: what they have asked, the
// calls that they have made, and what they go on from.
package callnotes

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// A Note is the data of a note of a call, with the members that its kind uses.
type Note struct {
	Root      string            `json:"root"`
	Call      string            `json:"call"`
	Key       string            `json:"key,omitempty"` // of the question, or the id of the inner call
	Name      string            `json:"name,omitempty"`
	Data      json.RawMessage   `json:"data,omitempty"`
	Input     json.RawMessage   `json:"input,omitempty"`
	Content   []json.RawMessage `json:"content,omitempty"`
	IsError   bool              `json:"is_error,omitempty"`
	Question  *tools.Question   `json:"question,omitempty"`
	Answer    *tools.Answer     `json:"answer,omitempty"`
	Declined  bool              `json:"declined,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Expired   bool              `json:"expired,omitempty"`
	MediaType string            `json:"media_type,omitempty"`
}

// An Index has the notes of the calls of one response. It reads them as they come, once:
// a call that makes a thousand others looks for each among them. The zero Index is ready,
// and may be used by several goroutines. What it returns must not be modified.
type Index struct {
	mu        sync.Mutex
	record    int // the response's position
	read      int // records of the log that have been looked at
	found     map[place][]*Note
	questions []*Note
}

// A place is where notes are found: each by its kind and call, and one with a Key by that
// too.
type place struct{ kind, call, key string }

// Of are the notes of a kind, such as notes.Answer, and of a call, and those with a key
// only if it isn't empty, oldest first. record is the position in the log of the response
// that has the call.
func (x *Index) Of(log *memory.Log, record int, kind, call, key string) []*Note {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.catchUp(log, record)
	return x.found[place{kind, call, key}]
}

// Resumable reports whether a call, or one that it has made, has asked something, or
// whether it has noted what it goes on from: it may run again.
func (x *Index) Resumable(log *memory.Log, record int, call string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.catchUp(log, record)
	return slices.ContainsFunc(x.found[place{notes.Call, call, ""}], func(n *Note) bool { return n.Name == tools.NoteResumable }) ||
		slices.ContainsFunc(x.questions, func(n *Note) bool { return n.Call == call || strings.HasPrefix(n.Call, call+"/") })
}

func (x *Index) catchUp(log *memory.Log, record int) {
	if x.found == nil || x.record != record {
		x.record, x.read, x.found, x.questions = record, record, make(map[place][]*Note), nil
	}
	for i, r := range log.Records(x.read) {
		x.read = i + 1
		if r.Kind != memory.KindNote {
			continue
		}
		switch r.Note {
		case notes.Call, notes.Question, notes.Answer, notes.Started, notes.Result:
			n := new(Note)
			if json.Unmarshal(r.Data, n) != nil || r.Note == notes.Question && n.Question == nil {
				continue // it is none of a call's
			}
			at := place{r.Note, n.Call, ""}
			x.found[at] = append(x.found[at], n)
			if at.key = n.Key; n.Key != "" {
				x.found[at] = append(x.found[at], n)
			}
			if r.Note == notes.Question {
				x.questions = append(x.questions, n)
			}
		}
	}
}
