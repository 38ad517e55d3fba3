package uistream

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// withAdmin has the user "admin" see all sessions.
func withAdmin(o *serve.Options) {
	o.User = func(r *http.Request) (serve.User, error) {
		id := r.Header.Get("X-User")
		return serve.User{ID: id, All: id == "admin"}, nil
	}
}

// A session that a user gives the chat id of somebody else's is not taken for a branch of
// that chat, by nobody: not by the one who may see all sessions either.
func TestBranchOfAnother(t *testing.T) {
	s := newStage(t, stage.Options{Change: withAdmin})
	ann := newClient(t, s)
	ann.say("hello")
	ann.send(nil)
	bob := newClient(t, s)
	bob.id, bob.user = "trap", "bob"
	bob.say("trap")
	bob.send(func(in *input) { in.Meta = map[string]string{"chat": "chat", "title": "kept"} })
	admin := newClient(t, s)
	admin.user = "admin"
	admin.load()
	if got := told(admin.messages); strings.Contains(got, "trap") || !strings.Contains(got, "hello") {
		t.Errorf("the admin sees another user's session in the place of ann's:\n%s", got)
	}
	for info, err := range s.Store.List(t.Context(), memory.Query{Roots: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if info.ID == "trap" && info.Meta["title"] != "kept" {
			t.Errorf("%v", info.Meta)
		}
	}
}

// Nor does such a session hide the newest branch that the chat's owner has made.
func TestBranchBehindAnotherUsers(t *testing.T) {
	s := newStage(t, stage.Options{})
	ann := newClient(t, s)
	ann.say("hello")
	ann.send(nil)
	ann.load()
	first := ann.messages[1].ID
	ann.messages = ann.messages[:1]
	ann.send(func(in *input) { in.Trigger, in.MessageID = "regenerate-message", first })
	ann.load()
	ann.say("more")
	ann.send(nil)
	bob := newClient(t, s)
	bob.id, bob.user = "trap", "bob"
	bob.say("trap")
	bob.send(func(in *input) { in.Meta = map[string]string{"chat": "chat"} })
	if ann.load(); len(ann.messages) != 4 || !strings.Contains(told(ann.messages), "more") {
		t.Errorf("ann doesn't see her newest branch:\n%s", told(ann.messages))
	}
}

// A branch belongs to the chat's owner, whoever has begun it.
func TestBranchByAnAdministrator(t *testing.T) {
	s := newStage(t, stage.Options{Change: withAdmin})
	ann := newClient(t, s)
	ann.say("hello")
	ann.send(nil)
	admin := newClient(t, s)
	admin.user = "admin"
	admin.load()
	answer := admin.messages[1].ID
	admin.messages = admin.messages[:1]
	admin.send(func(in *input) { in.Trigger, in.MessageID = "regenerate-message", answer })
	var owners []string
	for info, err := range s.Store.List(t.Context(), memory.Query{Roots: true}) {
		if err != nil {
			t.Fatal(err)
		}
		owners = append(owners, info.Meta["user"])
	}
	if strings.Join(owners, " ") != "ann ann" {
		t.Errorf("the sessions belong to %q, want ann's two", owners)
	}
}

// What waits in the inbox of the branch before is nothing of the new one's: a message of
// the same words is answered there.
func TestABranchHasItsOwnInbox(t *testing.T) {
	s := newStage(t, stage.Options{})
	c := newClient(t, s)
	c.say("slow")
	s.Listen(t, "/chat", "ann", c.body(nil), 3)
	for s.Ran("slow") == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := memory.Enqueue(t.Context(), s.Store, "chat", transport.UserText("hello")); err != nil {
		t.Fatal(err)
	}
	c.messages[0].Parts = []Part{{Type: "text", Text: text("hello")}}
	c.send(func(in *input) { in.MessageID = c.messages[0].ID })
	if got := told(c.messages); !strings.Contains(got, "You said: hello") {
		t.Errorf("the message is lost:\n%s", got)
	}
}
