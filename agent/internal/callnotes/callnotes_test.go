package callnotes

import (
	"testing"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// An index has the notes that are in the log when it is asked, of the response that it is
// asked about, and leaves out what no call has written.
func TestIndex(t *testing.T) {
	log := memory.NewLog()
	note := func(kind, data string) {
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: kind, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}); err != nil {
		t.Fatal(err)
	}
	var x Index
	keys := func(record int, kind, call, key string) (all string) {
		for _, n := range x.Of(log, record, kind, call, key) {
			all += n.Key + n.Name + " "
		}
		return all
	}
	if got := keys(0, notes.Started, "0-a", ""); got != "" {
		t.Errorf("an empty log has %q", got)
	}
	note(notes.Started, `{"root":"0-a","call":"0-a","key":"1","name":"f"}`)
	note(notes.Started, `{"root":"0-a","call":"0-a","key":"2","name":"g"}`)
	note(notes.Started, `{"root":"0-b","call":"0-b","key":"1","name":"h"}`)
	note(notes.Result, `{"root":"0-a","call":"0-a","key":"1"}`)
	note(notes.Question, `{"root":"0-a","call":"0-a","key":"3"}`)
	note(notes.Question, `not JSON`)
	for _, tt := range []struct{ kind, call, key, want string }{
		{notes.Started, "0-a", "", "1f 2g "},
		{notes.Started, "0-a", "2", "2g "},
		{notes.Started, "0-b", "1", "1h "},
		{notes.Started, "0-c", "", ""},
		{notes.Result, "0-a", "1", "1 "},
		{notes.Question, "0-a", "", ""},
	} {
		if got := keys(0, tt.kind, tt.call, tt.key); got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
	for i, tt := range []struct {
		kind, data string
		a, c       bool
	}{
		{notes.Call, `{"root":"0-a","call":"0-a","name":"other"}`, false, false},
		{notes.Question, `{"root":"0-a","call":"0-a/1","key":"1","question":{"prompt":"Which?"}}`, true, false},
		{notes.Call, `{"root":"0-c","call":"0-c","name":"resumable"}`, true, true},
	} {
		note(tt.kind, tt.data)
		if a, c := x.Resumable(log, 0, "0-a"), x.Resumable(log, 0, "0-c"); a != tt.a || c != tt.c || x.Resumable(log, 0, "0") {
			t.Errorf("%d: resumable: %v, %v", i, a, c)
		}
	}
	if got := keys(2, notes.Started, "0-a", ""); got != "2g " {
		t.Errorf("behind record 2: %q", got)
	}
	if got := keys(0, notes.Started, "0-a", ""); got != "1f 2g " {
		t.Errorf("once more from the beginning: %q", got)
	}
}
