package wire_test

import (
	"slices"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// Of the messages, those that a thread holds need no beta value, and all others do.
func TestBetasOfWhatAThreadHolds(t *testing.T) {
	passing := transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("for now")}, ClearAt: "next_user_message"}
	r := &transport.Request{Messages: []transport.Message{passing, transport.UserText("x")}}
	whole := wire.NeededBetas(r)
	for held, needed := range map[int]bool{0: true, 1: false, -1: true, 9: false} {
		r.Thread = &transport.Thread{PreviousMessageID: "msg_1", Held: held}
		got := wire.NeededBetas(r)
		if slices.Contains(got, whole[0]) != needed || len(whole) != 1 {
			t.Errorf("Held %d: %q; of the whole %q", held, got, whole)
		}
	}
}
