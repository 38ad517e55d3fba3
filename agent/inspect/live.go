package inspect

import (
	"context"
	"maps"

	"github.com/whorl-go/whorl/agent/feed"
)

// A liveView is what a page has not seen yet of a response that is written, and of
// what running tools report.
type liveView struct {
	Record int `json:"n"` // that the response will be
	// Writing is true while a response streams. When it is over its record has come.
	Writing bool `json:"writing"`
	// Fresh is true if the blocks start over.
	Fresh    bool              `json:"fresh,omitempty"`
	Blocks   []liveBlockView   `json:"blocks,omitempty"`
	Progress map[string]string `json:"progress"`
}

type liveBlockView struct {
	Index int    `json:"i"`
	Type  string `json:"type"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"`
	Add   string `json:"add"` // to its text, or to the arguments
}

// A liveReader is a page's place in a feed.
type liveReader struct {
	watcher  *feed.Watcher
	begun    bool // the page knows what there is: it may have come back with what streamed before
	record   int
	writing  bool
	blocks   []liveBlockView // of the response, without their texts
	progress map[string]string
}

// latest is what came since it was last asked; ok is false if nothing did.
func (r *liveReader) latest(ctx context.Context) (v liveView, ok bool) {
	items, err := r.watcher.Read(ctx)
	if err != nil || len(items) == 0 && r.begun {
		return v, false
	}
	r.begun = true
	at := make(map[int]int) // where in the view the blocks are
	put := func(block int, add string) {
		if block < 0 || block >= len(r.blocks) {
			return
		}
		i, ok := at[block]
		if !ok {
			i, at[block] = len(v.Blocks), len(v.Blocks)
			v.Blocks = append(v.Blocks, r.blocks[block])
		}
		v.Blocks[i].Add += add
	}
	for _, item := range items {
		switch item.Kind {
		case feed.Begin:
			r.record, r.writing, r.blocks = item.At.Records, true, nil
			v.Fresh, v.Blocks = true, nil
			clear(at)
		case feed.Over:
			r.writing, r.blocks = false, nil
			v.Blocks = nil
			clear(at)
		case feed.Block:
			r.blocks = append(r.blocks, liveBlockView{Index: item.Block, Type: string(item.Type), Name: item.Name, ID: item.ID})
			put(item.Block, "")
		case feed.Delta:
			put(item.Block, item.Text)
		case feed.Progress:
			if r.progress == nil {
				r.progress = make(map[string]string)
			}
			if r.progress[item.ID] = item.Text; item.Text == "" {
				delete(r.progress, item.ID)
			}
		case feed.End:
			r.progress = nil
		}
	}
	v.Record, v.Writing, v.Progress = r.record, r.writing, maps.Clone(r.progress)
	return v, true
}
