package taint

import (
	"encoding/json"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Labels specify what a text or a conversation may contain. The zero Labels mean
// neither.
type Labels struct {
	// Untrusted means that strangers may have written some of the text.
	Untrusted bool `json:"untrusted,omitempty"`
	// Private means that some of the text must not be disclosed to everybody.
	Private bool `json:"private,omitempty"`
}

// With returns the union of l and m.
func (l Labels) With(m Labels) Labels {
	return Labels{Untrusted: l.Untrusted || m.Untrusted, Private: l.Private || m.Private}
}

// Has reports whether l has all of m.
func (l Labels) Has(m Labels) bool { return l.With(m) == l }

// IsZero reports whether no label is set.
func (l Labels) IsZero() bool { return l == Labels{} }

// String returns "untrusted", "private", "untrusted, private" or the empty string.
func (l Labels) String() string {
	switch {
	case l.Untrusted && l.Private:
		return "untrusted, private"
	case l.Untrusted:
		return "untrusted"
	case l.Private:
		return "private"
	}
	return ""
}

// A Source is a record that added labels.
type Source struct {
	Labels
	// Record is the record's position in the log.
	Record int `json:"record"`
	// Tool is the tool's name, or the type of a server tool's result; Call is the
	// call's id. Both may be empty.
	Tool string `json:"tool,omitempty"`
	Call string `json:"call,omitempty"`
}

// NoteName is the name of the notes that [Note] makes.
const NoteName = "taint"

// note is the data of such a record.
type note struct {
	Labels
	Tool string `json:"tool,omitempty"`
	Call string `json:"call_id,omitempty"`
}

// Note returns a record that adds labels to a log, from its position on. tool and call
// specify where the labels come from, and may be empty.
func Note(l Labels, tool, call string) memory.Record {
	data, err := json.Marshal(note{l, tool, call})
	if err != nil { // of strings and bools there is none
		panic(err)
	}
	return memory.Record{Kind: memory.KindNote, Note: NoteName, Data: data}
}

// Of returns the labels of a conversation.
func Of(log *memory.Log) Labels {
	var all Labels
	for _, r := range log.Records(0) {
		all = all.With(of(r).Labels)
	}
	return all
}

// Sources returns the records of a log that added labels, in order.
func Sources(log *memory.Log) []Source {
	var list []Source
	for i, r := range log.Records(0) {
		if s := of(r); !s.IsZero() {
			s.Record = i
			list = append(list, s)
		}
	}
	return list
}

// of is what a record brings.
func of(r memory.Record) Source {
	switch {
	case r.Kind == memory.KindNote && r.Note == NoteName:
		var n note
		if json.Unmarshal(r.Data, &n) != nil { // somebody has changed it: nothing is taken for granted
			n = note{Labels: Labels{Untrusted: true, Private: true}}
		}
		return Source{Labels: n.Labels, Tool: n.Tool, Call: n.Call}
	case r.Kind == memory.KindResponse && r.Response != nil:
		var s Source
		for _, b := range r.Response.Content {
			l := ofServer(b.Type())
			if s.Tool == "" && !l.IsZero() {
				s.Tool = string(b.Type())
			}
			s.Labels = s.With(l)
		}
		return s
	}
	return Source{}
}

// ofServer are the labels of a block of a response. The results of server tools
// stand in it: what they read is the web, or what an MCP server has. A container of
// the service has no network, so what code in it prints is not more than it was
// given. A result of an unknown type may hold anything.
func ofServer(typ transport.BlockType) Labels {
	switch {
	case !strings.HasSuffix(string(typ), "_tool_result"):
		return Labels{}
	case strings.Contains(string(typ), "code_execution"), typ == "tool_search_tool_result", typ == "advisor_tool_result":
		return Labels{}
	case typ == "web_search_tool_result", typ == "web_fetch_tool_result":
		return Labels{Untrusted: true}
	}
	return Labels{Untrusted: true, Private: true}
}
