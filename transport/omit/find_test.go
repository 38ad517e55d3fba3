package omit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/omit"
)

// found is what Find returns, in one line.
func found(e *omit.Error) string {
	if e == nil {
		return "nothing"
	}
	s := e.What
	if e.Guessed {
		s += "?"
	}
	for _, p := range e.Omission.Blocks {
		s += " " + strings.ReplaceAll(strings.TrimPrefix(p.String(), "messages."), ".content.", "/")
	}
	for _, list := range [][]string{e.Omission.Containers, e.Omission.MCPServers} {
		if len(list) > 0 {
			s += " " + fmt.Sprint(list)
		}
	}
	if e.Omission.Text != "" {
		s += " text"
	}
	return s
}

// TestFind holds what each kind of refusal leads to.
func TestFind(t *testing.T) {
	const (
		byURL    = `{"type":"image","source":{"type":"url","url":"https://x"}}`
		docURL   = `{"type":"document","source":{"type":"url","url":"https://x"}}`
		upload   = `{"type":"container_upload","file_id":"file_7"}`
		broken   = `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}`
		redacted = `{"type":"redacted_thinking","data":"eA"}`
	)
	user := func(blocks ...string) transport.Message { return message(t, transport.RoleUser, blocks...) }
	model := func(blocks ...string) transport.Message { return message(t, transport.RoleAssistant, blocks...) }
	bad := func(words string) *transport.Error {
		return &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: words}
	}
	coded := func(code, words string) *transport.Error {
		e := bad(words)
		e.Code = code
		return e
	}
	status := func(n int, words string) *transport.Error {
		return &transport.Error{Status: n, Message: words}
	}
	const signature = "Invalid `signature` in `thinking` block"
	const c1 = `"container_1"`
	const servers = `[{"name":"a","url":"https://one.example"},{"name":"b","url":"https://two.example"}]`
	for _, tt := range []struct {
		name     string
		err      error
		r        transport.Request
		messages []transport.Message
		want     string
	}{
		{"a container by its word", bad("Container expired"), transport.Request{Container: []byte(c1)}, nil, "the container container_1 [container_1]"},
		{"a container by its id", bad("container_1 is gone"), transport.Request{Container: []byte(`{"id":"container_1"}`)}, nil, "the container container_1 [container_1]"},
		{"a container by its id alone", bad("c1 is gone"), transport.Request{Container: []byte(`"c1"`)}, nil, "the container c1 [c1]"},
		{"an upload's words aren't the container's", bad("container_upload: no"), transport.Request{Container: []byte(c1)}, nil, "nothing"},
		{"nor are those about its form", bad("container: Input should be a valid string"), transport.Request{Container: []byte(c1)}, nil, "nothing"},
		{"nor those of other things", bad("max_tokens: no"), transport.Request{Container: []byte(c1)}, nil, "nothing"},
		{"no container to leave out", bad("Container expired"), transport.Request{}, nil, "nothing"},
		{"a new container has no id", bad("Container expired"), transport.Request{Container: []byte(`{"skills":[]}`)}, nil, "nothing"},
		{"a failure with a container", status(500, "Internal server error"), transport.Request{Container: []byte(c1)}, nil, "the container container_1? [container_1]"},
		{"a failure that names the container", status(502, "the container failed"), transport.Request{Container: []byte(c1)}, nil, "nothing"},
		{"an overload with a container", status(529, "Overloaded"), transport.Request{Container: []byte(c1)}, nil, "nothing"},
		{"a failure without a container", status(500, "Internal server error"), transport.Request{}, nil, "nothing"},

		{"a server by its name", bad("MCP server 'b' is down"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server b [b] text"},
		{"a server by its index", bad("mcp_servers.1.url: no"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server b [b] text"},
		{"a server by its URL", bad("MCP: https://two.example answers 500"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server b [b] text"},
		{"both servers", bad("MCP: https://two.example and https://one.example"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server a, b [a b] text"},
		{"a server without a name", bad("an MCP connection failed"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server a, b? [a b] text"},
		{"the only server", bad("an MCP connection failed"), transport.Request{MCPServers: []byte(`[{"name":"only"}]`)}, nil, "the MCP server only [only] text"},
		{"no server", bad("an MCP connection failed"), transport.Request{}, nil, "nothing"},
		{"a failing server", status(502, "MCP server b answers nothing"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server b [b] text"},
		{"a failure that isn't a server's", status(502, "mcp: try again"), transport.Request{MCPServers: []byte(servers)}, nil, "nothing"},
		{"a name inside of words, then by itself", bad("MCP: table, then b"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server b [b] text"},
		{"names inside of words only", bad("MCP: tab-b a_b 1b b2 bZ"), transport.Request{MCPServers: []byte(servers)}, nil, "the MCP server a, b? [a b] text"},

		{"a file by its place", bad("messages.0.content.1.document.source: file_id does not exist"), transport.Request{}, []transport.Message{user(picture, picture)}, "the file file_1 0/1 text"},
		{"a file by a code", coded("file_expired", "file_1"), transport.Request{}, []transport.Message{user(words, picture)}, "the file file_1 0/1 text"},
		{"an upload", bad("file not found: file_7"), transport.Request{}, []transport.Message{user(words, upload)}, "the file file_7 0/1 text"},
		{"a file in a result", bad("file not found: file_1"), transport.Request{}, []transport.Message{user(`{"type":"tool_result","tool_use_id":"a","content":[` + words + `,` + picture + `]}`)}, "the file file_1 0/0/1 text"},
		{"two files by their ids", bad("file not found: file_7, file_1"), transport.Request{}, []transport.Message{user(words, upload), user(picture, words)}, "2 blocks with files 0/1 1/0 text"},
		{"an expired file without an id", bad("A file has expired"), transport.Request{}, []transport.Message{user(words, upload), user(picture, words)}, "2 blocks with files? 0/1 1/0 text"},
		{"the only file", bad("A file has expired"), transport.Request{}, []transport.Message{user(words, upload)}, "a block with a file 0/1 text"},
		{"no file has expired", bad("The token has expired"), transport.Request{}, []transport.Message{user(words, upload)}, "nothing"},
		{"a file is spoken of, not gone", bad("file_1 is fine"), transport.Request{}, []transport.Message{user(words, picture)}, "nothing"},
		{"no files", bad("file not found: file_1"), transport.Request{}, []transport.Message{user(words, byURL)}, "nothing"},
		{"pictures of the model stay", bad("file not found: file_1"), transport.Request{}, []transport.Message{model(words, picture)}, "nothing"},

		{"thinking from its place on", bad("messages.1.content.1: " + signature), transport.Request{}, []transport.Message{user(words), model(thinking, thinking), user(words), model(redacted, words)}, "2 blocks of thinking 1/1 3/0 text"},
		{"thinking without a place", bad(signature), transport.Request{}, []transport.Message{user(words), model(thinking, words)}, "a block of thinking 1/0 text"},
		{"thinking that was changed", bad("messages.3.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified"), transport.Request{}, []transport.Message{user(words), model(thinking, words), user(words), model(thinking, words)}, "2 blocks of thinking 1/0 3/0 text"},
		{"thinking of a model that binds it, once", bad(signature), transport.Request{Model: "claude-opus-5-5"}, []transport.Message{user(words), model(thinking, words)}, "a block of thinking 1/0 text"},
		{"no thinking", bad(signature), transport.Request{}, []transport.Message{user(words), model(words)}, "nothing"},
		{"a place behind the thinking", bad("messages.2.content.0: " + signature), transport.Request{}, []transport.Message{user(words), model(thinking, words), user(words)}, "nothing"},

		{"a picture by its place", bad("messages.0.content.1.image.source.base64: Could not process image"), transport.Request{}, []transport.Message{user(byURL, broken)}, "the image at messages.0.content.1 0/1 text"},
		{"an upload by its place", bad("messages.0.content.1: no"), transport.Request{}, []transport.Message{user(words, upload)}, "the container upload at messages.0.content.1 0/1 text"},
		{"a picture's mark", bad("messages.0.content.0.image.cache_control: no"), transport.Request{}, []transport.Message{user(byURL, words)}, "nothing"},
		{"a document's title", bad("messages.0.content.0.document.title: no"), transport.Request{}, []transport.Message{user(docURL, words)}, "nothing"},
		{"a document's context", bad("messages.0.content.0.document.context: no"), transport.Request{}, []transport.Message{user(docURL, words)}, "nothing"},
		{"a document's citations", bad("messages.0.content.0.document.citations.enabled: no"), transport.Request{}, []transport.Message{user(docURL, words)}, "nothing"},
		{"a picture's transformations", bad("messages.0.content.0.image.transformations: no"), transport.Request{}, []transport.Message{user(byURL, words)}, "nothing"},
		{"a place behind the last message", bad("messages.1.content.0.image.source: no"), transport.Request{}, []transport.Message{user(byURL, words)}, "nothing"},
		{"a place behind the last block", bad("messages.0.content.2.image.source: no"), transport.Request{}, []transport.Message{user(byURL, words)}, "nothing"},
		{"a place behind the last block of a result", bad("messages.2.content.0.content.2.image.source: no"), transport.Request{}, request(t).Messages, "nothing"},
		{"a broken picture among others", bad("Could not process image"), transport.Request{}, []transport.Message{user(byURL, broken), model(words), user(byURL)}, "a picture or document from messages.0.content.1 0/1 text"},
		{"the newest, if none is broken", bad("Could not process image"), transport.Request{}, []transport.Message{user(byURL), model(words), user(byURL, docURL), user(byURL)}, "2 pictures and documents from messages.2.content.0? 2/0 3/0 text"},
		{"the first messages are the newest, too", bad("Could not process image"), transport.Request{}, []transport.Message{user(byURL), user(byURL)}, "2 pictures and documents from messages.0.content.0? 0/0 1/0 text"},
		{"sources elsewhere count with their own JSON", status(413, "no"), transport.Request{}, []transport.Message{user(docURL, docURL, docURL)}, "2 pictures and documents? 0/0 0/1 text"},
		{"older ones, if there is no newer", bad("Could not process image"), transport.Request{}, []transport.Message{user(byURL), model(words), user(words)}, "a picture or document from messages.0.content.0 0/0 text"},
		{"a PDF isn't a picture", bad("Could not process PDF"), transport.Request{}, []transport.Message{user(byURL, docURL)}, "a picture or document from messages.0.content.1 0/1 text"},
		{"a password", bad("The PDF is password protected"), transport.Request{}, []transport.Message{user(byURL, docURL)}, "a picture or document from messages.0.content.1 0/1 text"},
		{"what can't be downloaded has a URL", bad("Unable to download the file"), transport.Request{}, []transport.Message{user(picture, docURL, byURL)}, "2 pictures and documents from messages.0.content.1? 0/1 0/2 text"},
		{"a picture by its code alone", coded("image_dimensions_too_large", "no"), transport.Request{}, []transport.Message{user(docURL, byURL)}, "a picture or document from messages.0.content.1 0/1 text"},

		{"thinking behind a picture of a model that binds it", bad("file not found: file_1"), transport.Request{Model: "claude-opus-5-5"}, []transport.Message{user(words), model(thinking, words), user(picture), model(thinking, words)}, "the file file_1 2/0 3/0 text"},
		{"thinking that the request binds", bad("file not found: file_1"), transport.Request{Model: "claude-sonnet-4-5", Thinking: &transport.Thinking{BlockBinding: &transport.BlockBinding{PrefixMismatchBehavior: "error"}}}, []transport.Message{user(picture), model(thinking, words)}, "the file file_1 0/0 1/0 text"},
		{"thinking that it doesn't bind", bad("file not found: file_1"), transport.Request{Model: "claude-sonnet-4-5", Thinking: &transport.Thinking{}}, []transport.Message{user(picture), model(thinking, words)}, "the file file_1 0/0 text"},
		{"a model of the caller's own", bad("file not found: file_1"), transport.Request{Model: "mine"}, []transport.Message{user(picture), model(thinking, words)}, "the file file_1 0/0 1/0 text"},
		{"thinking stays without a container", bad("Container expired"), transport.Request{Model: "claude-opus-5-5", Container: []byte(c1)}, []transport.Message{user(words), model(thinking, words)}, "the container container_1 [container_1]"},
		{"all thinking goes with a server", bad("MCP server b is down"), transport.Request{Model: "claude-opus-5-5", MCPServers: []byte(servers)}, []transport.Message{user(words), model(thinking, words)}, "the MCP server b 1/0 [b] text"},
	} {
		r := tt.r
		r.Messages = tt.messages
		mine := models.Model{ID: "mine"}
		mine.Thinking.Bound = models.Supported
		got := omit.Find(tt.err, &r, mine)
		if s := found(got); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
		}
		if got != nil && got.Err != tt.err {
			t.Errorf("%s: the cause is %v", tt.name, got.Err)
		}
		if again := omit.Find(fmt.Errorf("in a run: %w", error(got)), &r); got != nil && again != got {
			t.Errorf("%s: what was found once is %v", tt.name, again)
		}
	}
}

// TestFindOnAThread counts places from the first message that was sent, or from the
// first of the conversation where only that leads to something.
func TestFindOnAThread(t *testing.T) {
	file := func(n int) string {
		return fmt.Sprintf(`{"type":"image","source":{"type":"file","file_id":"file_%d"}}`, n)
	}
	r := &transport.Request{Thread: &transport.Thread{PreviousMessageID: "msg_1", Held: 2}, Messages: []transport.Message{
		message(t, transport.RoleUser, file(0), words),
		message(t, transport.RoleAssistant, thinking, words),
		message(t, transport.RoleUser, words, file(2)),
		message(t, transport.RoleUser, file(3)),
	}}
	for place, want := range map[string]string{
		"messages.0.content.1": "messages.2.content.1", // as it was sent
		"messages.0.content.0": "messages.0.content.0", // that sent is text
		"messages.1.content.0": "messages.3.content.0", // both could be
		"messages.3.content.0": "messages.3.content.0", // none was sent there
		"messages.2.content.1": "messages.2.content.1",
	} {
		got := omit.Find(&transport.Error{Status: 400, Message: place + ".image.source: no"}, r)
		if got == nil || fmt.Sprint(got.Omission.Blocks) != "["+want+"]" {
			t.Errorf("%s: %s, want %s", place, found(got), want)
		}
	}
	got := omit.Find(&transport.Error{Status: 400, Message: "messages.1.content.0: Invalid `signature` in `thinking` block"}, &transport.Request{Thread: r.Thread, Messages: r.Messages[:3]})
	if found(got) != "a block of thinking 1/0 text" {
		t.Errorf("thinking in front of what was sent: %s", found(got))
	}
}

// TestThinkingOnAThread takes the thinking that was sent for the one that is named.
func TestThinkingOnAThread(t *testing.T) {
	r := &transport.Request{Thread: &transport.Thread{PreviousMessageID: "msg_1", Held: 2}, Messages: []transport.Message{
		message(t, transport.RoleUser, words), message(t, transport.RoleAssistant, words, thinking),
		message(t, transport.RoleUser, words), message(t, transport.RoleAssistant, thinking, words),
	}}
	got := omit.Find(&transport.Error{Status: 400, Message: "messages.1.content.0: Invalid `signature` in `thinking` block"}, r)
	if found(got) != "a block of thinking 3/0 text" {
		t.Errorf("%s", found(got))
	}
}

// TestErrorWords holds that a guess says that it is one.
func TestErrorWords(t *testing.T) {
	cause := errors.New("no")
	for _, tt := range []struct {
		err  omit.Error
		want string
	}{
		{omit.Error{Err: cause, What: "a picture"}, "no; to go on without a picture, append the Omission of this error to the log"},
		{omit.Error{Err: cause, What: "a picture", Guessed: true}, "no; perhaps for a picture: to go on without, append the Omission of this error to the log"},
	} {
		if tt.err.Error() != tt.want || !errors.Is(&tt.err, cause) {
			t.Errorf("%q, want %q", tt.err.Error(), tt.want)
		}
	}
}

// TestOverTakesModels holds that limits are those of the caller's own model, and that
// bound thinking goes with the pictures.
func TestOverTakesModels(t *testing.T) {
	const one = `{"type":"image","source":{"type":"url","url":"https://x"}}`
	r := &transport.Request{Model: "mine", Messages: []transport.Message{
		message(t, transport.RoleUser, one), message(t, transport.RoleAssistant, thinking, words),
		message(t, transport.RoleUser, slices.Repeat([]string{one}, 100)...), message(t, transport.RoleAssistant, thinking, words),
	}}
	if got := omit.Over(r); got != nil {
		t.Errorf("101 pictures for a model that isn't known: %v", got)
	}
	mine := models.Model{ID: "mine"}
	mine.Limits.ContextTokens, mine.Thinking.Bound = 200_000, models.Supported
	got := omit.Over(r, mine)
	if found(got) != "a picture or document 0/0 1/0 3/0 text" {
		t.Fatalf("101 pictures of 100: %s", found(got))
	}
	var refusal *transport.RequestError
	if !errors.As(got, &refusal) || refusal.Field != "messages" || refusal.Model != "mine" || !strings.Contains(refusal.Reason, "101 pictures") {
		t.Errorf("%+v", refusal)
	}
}

// TestTooLargeBySomebodyElse halves what is sent where the service's own limit isn't
// reached, and says that this is a guess.
func TestTooLargeBySomebodyElse(t *testing.T) {
	const empty = `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%s"}}`
	pad := strings.Repeat("A", 40_000)
	r := &transport.Request{Messages: []transport.Message{
		message(t, transport.RoleUser, fmt.Sprintf(empty, pad)), message(t, transport.RoleUser, fmt.Sprintf(empty, pad)),
		message(t, transport.RoleUser, fmt.Sprintf(empty, pad), words),
	}}
	for _, err := range []error{
		&transport.Error{Status: 413, Message: "no"},
		&transport.Error{Status: 400, Type: transport.ErrRequestTooLarge, Message: "no"},
	} {
		if got := found(omit.Find(err, r)); got != "2 pictures and documents? 0/0 1/0 text" {
			t.Errorf("%v: %s", err, got)
		}
	}
	// What else is sent counts: with a long prompt nothing of the pictures can stay.
	r.System = []transport.Block{transport.Text(strings.Repeat("s", 150_000))}
	if got := found(omit.Find(&transport.Error{Status: 413, Message: "no"}, r)); got != "3 pictures and documents? 0/0 1/0 2/0 text" {
		t.Errorf("with a long prompt: %s", got)
	}
	r.System = nil
	r.Tools = []transport.ToolDefinition{tool(t, `{"name":"f","description":"`+strings.Repeat("d", 150_000)+`","input_schema":{"type":"object"}}`)}
	if got := found(omit.Find(&transport.Error{Status: 413, Message: "no"}, r)); got != "3 pictures and documents? 0/0 1/0 2/0 text" {
		t.Errorf("with long tools: %s", got)
	}
}
