package serve_test

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
)

// However often somebody looks, a response begins behind the message that it answers and
// the results that it follows on.
func TestAResponseBeginsBehindItsMessage(t *testing.T) {
	var f *feed.Feed
	s := stage.Start(t, stage.Options{Change: func(o *serve.Options) {
		f = &feed.Feed{Store: o.Store}
		o.Feed = f
	}})
	begun := 0
	for i := range 40 {
		id := fmt.Sprint("s", i)
		eventsOf(t, s, "/agent/messages/"+id, `{"text":"hello"}`)
		w := f.Open(id, feed.Options{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			eventsOf(t, s, "/agent/messages/"+id, `{"text":"steps"}`)
		}()
		writing, ended := false, 0
		for ended < 1 {
			items, err := w.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range items {
				switch {
				case it.Kind == feed.Begin:
					writing = true
					begun++
				case it.Kind == feed.Over:
					writing = false
				case it.Kind == feed.End:
					ended++
				case it.Kind == feed.Record && writing && (it.Record.Kind == memory.KindInput || it.Record.Kind == memory.KindResult):
					t.Errorf("session %s: record %d, %s, comes behind the beginning of the response that follows on it", id, it.At.Records, it.Record.Kind)
				}
			}
		}
		<-done
		w.Close()
	}
	if begun == 0 {
		t.Error("no response was seen to begin")
	}
}
