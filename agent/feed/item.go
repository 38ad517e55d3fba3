package feed

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Kind specifies what an [Item] reports. The comment of each kind names the fields
// that are set.
type Kind string

// The kinds of items.
const (
	// Record reports a record of the session. Fields: Record.
	Record Kind = "record"
	// Begin reports the beginning of a response. Block, Delta and Stop follow, until
	// Over.
	Begin Kind = "begin"
	// Block reports the beginning of a block. Fields: Block, Type, Name, ID.
	Block Kind = "block"
	// Delta reports more text of a block. Fields: Block, Delta, Text.
	Delta Kind = "delta"
	// Stop reports that a block is complete. Fields: Block.
	Stop Kind = "stop"
	// Over reports the end of a response. If the response is kept, its record follows
	// and replaces the pieces; otherwise the pieces are void. A slow watcher may get
	// Over before it has all the pieces.
	Over Kind = "over"
	// Progress reports on a running tool. Only the newest report of a call is kept.
	// Fields: ID, of the call, and Text, which is empty once the call has ended.
	Progress Kind = "progress"
	// State reports that the next action of the session has changed, for instance
	// because the session waits. Fields: Next, Pending.
	State Kind = "state"
	// End reports that a run of the session has ended in this process. Fields: Err.
	End Kind = "end"
)

// An Item is one event that a watcher gets. The items of a session come in order.
type Item struct {
	Kind    Kind
	Session string
	// At is the position after the item. A watcher that returns with it gets what
	// follows.
	At Position

	Record memory.Record // its position in the log is At.Records - 1

	Block int                 // number of the block in the response, from 0
	Type  transport.BlockType // of the block
	Name  string              // of its tool
	ID    string              // of the block, or of the call whose tool reports
	Delta transport.DeltaType // text, thinking or input_json
	Text  string              // the text that is added, or reported

	Next    agent.Action        // what to do next; see [agent.Next]
	Pending []agent.PendingCall // the calls that wait for a decision
	Err     error               // of the run; nil if it ended well
}

// A Position is a position in a session: after a number of records, and within the
// response that is written after them. The zero Position is the beginning.
type Position struct {
	Incarnation string // of the session; empty means any
	Records     int
	Response    string // the response that is being written; empty if there is none
	Offset      int    // how much of the response comes before the position
}

// MarshalText returns the position as one word, which fits the id of a server-sent
// event.
func (p Position) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%d.%s.%s", p.Records, p.Offset, p.Response, p.Incarnation), nil
}

// UnmarshalText parses the output of MarshalText.
func (p *Position) UnmarshalText(text []byte) error {
	parts := strings.SplitN(string(text), ".", 4)
	if len(parts) != 4 {
		return fmt.Errorf("position %.80q: it doesn't have four parts", text)
	}
	records, err := strconv.Atoi(parts[0])
	if err != nil || records < 0 {
		return fmt.Errorf("position %.80q: its number of records is not a number", text)
	}
	offset, err := strconv.Atoi(parts[1])
	if err != nil || offset < 0 {
		return fmt.Errorf("position %.80q: its offset is not a number", text)
	}
	*p = Position{Incarnation: parts[3], Records: records, Response: parts[2], Offset: offset}
	return nil
}
