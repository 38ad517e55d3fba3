package sent

import (
	"slices"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// Lacks is what a model or an endpoint doesn't take inside a conversation, that the
// log may have from one that does.
type Lacks struct {
	System      bool // messages of role system
	ToolChanges bool // tool_addition and tool_removal
	Summaries   bool // the compaction block of a summary on demand
}

// names are what Data.Without calls them.
var names = [...]string{"system", "tool_changes", "summaries"}

// Names are the names of what is lacking.
func (l Lacks) Names() []string {
	var list []string
	for i, is := range []bool{l.System, l.ToolChanges, l.Summaries} {
		if is {
			list = append(list, names[i])
		}
	}
	return list
}

func lacking(list []string) Lacks {
	return Lacks{slices.Contains(list, names[0]), slices.Contains(list, names[1]), slices.Contains(list, names[2])}
}

// A Conversation is a log's messages as an endpoint takes them.
type Conversation struct {
	Messages []transport.Message
	Changed  bool // they are not the log's

	ends []int // how many of Messages the first i+1 of the log have become; nil if one is one
}

// Write makes of a log's messages those that an endpoint takes: what it lacks words
// for stands as a user's text, or is left out if it has none. What the first messages of
// a log become does not depend on those behind them, so the prefix of a request is
// that of the one before.
func Write(messages []transport.Message, lacks Lacks) Conversation {
	return new(Writer).Write(messages, lacks)
}

// A Writer does what [Write] does, for one log again and again. It looks only at the
// messages that have come since. The zero Writer is ready to use.
type Writer struct {
	messages []transport.Message // of the log, as they were the last time
	lacks    Lacks
	written  Conversation
}

// Write is [Write] for messages, a log's. A list that begins at the same address and is
// not shorter is taken for the one of the last time with more behind it: a log only
// adds to a list, and makes a new one where it changes anything else.
func (w *Writer) Write(messages []transport.Message, lacks Lacks) Conversation {
	n := len(w.messages)
	if n == 0 || len(messages) < n || &messages[0] != &w.messages[0] || lacks != w.lacks {
		w.written, n = Conversation{}, 0
	}
	w.messages, w.lacks = messages, lacks
	w.written.add(messages, n, lacks)
	c := w.written
	c.Messages = slices.Clip(c.Messages) // the next time adds to them
	return c
}

// add writes messages from the n-th on, where c are those in front of it.
func (c *Conversation) add(messages []transport.Message, n int, lacks Lacks) {
	if !c.Changed {
		c.Messages = messages
	}
	if lacks == (Lacks{}) {
		return
	}
	for i := n; i < len(messages); i++ {
		m, as := lacks.write(&messages[i], i == 0)
		if as != as1 && !c.Changed {
			c.Changed = true
			c.Messages = slices.Clone(messages[:i])
		}
		if as == asNone && c.ends == nil {
			c.ends = make([]int, i, len(messages))
			for j := range i {
				c.ends[j] = j + 1
			}
		}
		if c.Changed && as != asNone {
			c.Messages = append(c.Messages, m)
		}
		if c.ends != nil {
			c.ends = append(c.ends, len(c.Messages))
		}
	}
}

type written int

const (
	as1     written = iota // as it is
	asOther                // as another message
	asNone                 // not at all
)

func (l Lacks) write(m *transport.Message, first bool) (transport.Message, written) {
	switch {
	case m.Role == transport.RoleSystem && (l.System || l.ToolChanges && changesTools(*m)):
		w := *m
		w.Content = slices.DeleteFunc(slices.Clone(m.Content), func(b transport.Block) bool { return b.Type() != transport.TypeText })
		if l.System {
			w = transport.Message{Role: transport.RoleUser, Content: w.Content}
		}
		if len(w.Content) == 0 && len(w.OutputConfig) == 0 {
			return w, asNone
		}
		return w.Measured(), asOther
	case l.Summaries && first && m.Role == transport.RoleAssistant && len(m.Content) == 1 && m.Content[0].Type() == view.TypeCompaction:
		text := rawjson.GetString(m.Content[0].Raw(), "content")
		if strings.TrimSpace(text) == "" {
			break
		}
		return transport.UserText(text).Measured(), asOther
	}
	return *m, as1
}

func changesTools(m transport.Message) bool {
	return slices.ContainsFunc(m.Content, func(b transport.Block) bool { return b.Type() != transport.TypeText })
}

// Count is how many of Messages the first n of the log have become.
func (c *Conversation) Count(n int) int {
	if c.ends == nil || n <= 0 {
		return n
	}
	return c.ends[min(n, len(c.ends))-1]
}

// InLog is how many messages of the log have become the first n of Messages, with
// those behind them that were left out.
func (c *Conversation) InLog(n int) int {
	if c.ends == nil {
		return n
	}
	i := 0
	for i < len(c.ends) && c.ends[i] <= n {
		i++
	}
	return i
}

// Adjust puts counts of Messages in the place of those of the log's state.
func (c *Conversation) Adjust(s *memory.State) {
	if c.ends == nil {
		return
	}
	s.Messages, s.Sent, s.Before = c.Count(s.Messages), c.Count(s.Sent), c.Count(s.Before)
	s.Requests = slices.Clone(s.Requests)
	for i := range s.Requests {
		s.Requests[i].Messages = c.Count(s.Requests[i].Messages)
	}
}
