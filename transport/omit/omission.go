package omit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DefaultText is the Text of the omissions that [Find] returns.
const DefaultText = "[left out: the service does not take it any more]"

// An Omission specifies what is left out of requests. The zero Omission leaves out
// nothing.
type Omission struct {
	// Blocks are the places of blocks in the messages. Pictures, documents, uploads to
	// a container, search results and text of users and of tool results may be left
	// out. Of the model's own blocks, only thinking and lists of MCP tools may be left
	// out.
	Blocks []Place `json:"blocks,omitempty"`
	// Containers are ids that are not sent any more.
	Containers []string `json:"containers,omitempty"`
	// MCPServers are the names of servers that are left out of mcp_servers, together
	// with their toolsets and the parts of the messages that concern their tools.
	MCPServers []string `json:"mcp_servers,omitempty"`
	// Text replaces each block of a user, a tool or the system. If it is empty, such
	// blocks are removed, which fails if a message would become empty.
	Text string `json:"text,omitempty"`
}

// IsZero reports whether nothing is left out.
func (o Omission) IsZero() bool {
	return len(o.Blocks) == 0 && len(o.Containers) == 0 && len(o.MCPServers) == 0
}

// A Place is the position of a block in the messages of a request. Its text form is
// that of the service's errors: "messages.4.content.1", or
// "messages.4.content.1.content.0" for a block in the content of a tool_result.
type Place struct {
	Message int // index of the message
	Block   int // index in its content
	// Inner is 0 for the block itself, or 1 and the index of a block in the content of
	// that block, which is a tool_result.
	Inner int
}

// String returns the text form.
func (p Place) String() string {
	s := "messages." + strconv.Itoa(p.Message) + ".content." + strconv.Itoa(p.Block)
	if p.Inner > 0 {
		s += ".content." + strconv.Itoa(p.Inner-1)
	}
	return s
}

// MarshalText returns the text form.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses the text form. It accepts only what MarshalText returns.
func (p *Place) UnmarshalText(text []byte) error {
	var q Place
	parts := strings.Split(string(text), ".")
	var err error
	number := func(s string) (n int) {
		if err == nil {
			n, err = strconv.Atoi(s)
		}
		return n
	}
	if len(parts) >= 4 {
		q.Message, q.Block = number(parts[1]), number(parts[3])
	}
	if len(parts) == 6 {
		q.Inner = number(parts[5]) + 1
	}
	if err != nil || min(q.Message, q.Block) < 0 || len(parts) == 6 && q.Inner < 1 || q.String() != string(text) {
		return fmt.Errorf("%q is not a place in the messages", text)
	}
	*p = q
	return nil
}

// Compare orders places as they stand in a request.
func (p Place) compare(q Place) int {
	return slices.Compare([]int{p.Message, p.Block, p.Inner}, []int{q.Message, q.Block, q.Inner})
}
