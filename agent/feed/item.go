package feed

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Kind specifies what an [Item] reports.
type Kind string

// The kinds of items.
const (
	// Record: a record of the session. Record.
	Record Kind = "record"
	// Begin: a response begins to be written. Block, Delta and Stop follow, until
	// Over.
	Begin Kind = "begin"
	// Block: a block of the response begins. Block, Type, Name, ID.
	Block Kind = "block"
	// Delta: more of a block. Block, Delta, Text.
	Delta Kind = "delta"
	// Stop: a block is complete. Block.
	Stop Kind = "stop"
	// Over: the response is not being written any more. If it stands its record
	// follows, and takes the place of what came of it; else that is void. For one that
	// was too slow to see all of it, it may be over sooner than all has come.
	Over Kind = "over"
	// Progress: a running tool reports. ID, of the call, and Text, which is empty once
	// the call has ended. Only the newest report of a call is kept.
	Progress Kind = "progress"
	// State: what is to be done in the session is another thing now, such as to wait,
	// or not to wait any more. Next, Pending.
	State Kind = "state"
	// End: a run of the session has ended in this process. Err.
	End Kind = "end"
)

// An Item is something that a watcher is told. Items of one session come in order.
type Item struct {
	Kind    Kind
	Session string
	// At is the place behind the item: whoever comes back with it gets what follows.
	At Position

	Record memory.Record // its number is At.Records - 1

	Block int                 // counts the blocks of the response from 0
	Type  transport.BlockType // of the block
	Name  string              // of its tool
	ID    string              // of the block, or of the call that reports
	Delta transport.DeltaType // text, thinking or input_json
	Text  string              // what is added, or reported

	Next    agent.Action        // what is to be done: see [agent.Next]
	Pending []agent.PendingCall // the calls that wait for a decision
	Err     error               // of the run; nil if it ended well
}

// A Position is a place in a session: behind so many records, and so much of the
// response that is written behind them. The zero Position is the beginning.
type Position struct {
	Incarnation string // of the session; empty means whichever is there
	Records     int
	Response    string // which response is being written; empty if none is
	Offset      int    // how much of it is before the place
}

// MarshalText gives the position as one word, such as for the id of a server-sent
// event.
func (p Position) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%d.%s.%s", p.Records, p.Offset, p.Response, p.Incarnation), nil
}

// UnmarshalText reads what MarshalText gave.
func (p *Position) UnmarshalText(text []byte) error {
	parts := strings.SplitN(string(text), ".", 4)
	if len(parts) != 4 {
		return fmt.Errorf("position %.80q: it has not four parts", text)
	}
	records, err := strconv.Atoi(parts[0])
	if err != nil || records < 0 {
		return fmt.Errorf("position %.80q: its number of records is no number", text)
	}
	offset, err := strconv.Atoi(parts[1])
	if err != nil || offset < 0 {
		return fmt.Errorf("position %.80q: its offset is no number", text)
	}
	*p = Position{Incarnation: parts[3], Records: records, Response: parts[2], Offset: offset}
	return nil
}
