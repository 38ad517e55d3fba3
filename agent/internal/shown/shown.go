// Package shown knows what a conversation holds of pictures and PDFs, without reading
// them again at each step.
package shown

import (
	"bytes"
	"slices"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
)

// A Sum follows one log. The zero Sum has read nothing.
type Sum struct {
	total    media.Total // of the messages that were read
	messages int
	edits    int
	// results are those of calls that are still open beside others.
	results map[*byte]media.Total
	// plain are the first bytes of results that show nothing, as Plain was told.
	plain []*byte
}

// Plain notes that a new result holds no picture and no PDF, so that it need not
// be searched for them.
func (s *Sum) Plain(result transport.Block) {
	if raw := result.Raw(); len(raw) > 0 {
		s.plain = append(s.plain, &raw[0])
	}
}

// Of is what the next request of the log shows, with the results that are no part of
// its messages yet. response is the position of the newest response.
func (s *Sum) Of(log *memory.Log, response int) media.Total {
	state := log.State()
	if state.Edits != s.edits || state.Messages < s.messages {
		*s = Sum{edits: state.Edits, plain: s.plain}
	}
	messages := log.Messages()
	for _, m := range messages[s.messages:] {
		for _, b := range m.Content {
			if !s.isPlain(b) {
				s.total = s.total.Plus(ofBlock(b))
			}
		}
	}
	s.messages = len(messages)
	total := s.total
	if len(state.Open) == 0 {
		s.results = nil
		clear(s.plain)
		s.plain = s.plain[:0]
		return total
	}
	for _, r := range log.Records(response) {
		if r.Kind == memory.KindResult {
			total = total.Plus(s.result(r.Block))
		}
	}
	return total
}

func (s *Sum) isPlain(b transport.Block) bool {
	raw := b.Raw()
	return len(s.plain) > 0 && len(raw) > 0 && slices.Contains(s.plain, &raw[0])
}

func (s *Sum) result(b transport.Block) media.Total {
	raw := b.Raw()
	if len(raw) == 0 || s.isPlain(b) {
		return media.Total{}
	}
	t, ok := s.results[&raw[0]]
	if !ok {
		t = ofBlock(b)
		if s.results == nil {
			s.results = make(map[*byte]media.Total)
		}
		s.results[&raw[0]] = t
	}
	return t
}

// OfMessage is what one message shows.
func OfMessage(m transport.Message) (t media.Total) {
	for _, b := range m.Content {
		t = t.Plus(ofBlock(b))
	}
	return t
}

func ofBlock(b transport.Block) (t media.Total) {
	switch b.Type() {
	case transport.TypeToolResult:
		if bytes.Contains(b.Raw(), []byte(`"source"`)) { // else there is no need to look at all of a long text
			t.Count(b.Raw())
		}
	case transport.TypeImage, transport.TypeDocument:
		t.Count(b.Raw())
	}
	return t
}
