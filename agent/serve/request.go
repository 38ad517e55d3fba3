package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// routes are the requests. docs/serve.md describes them.
func (h *Handler) routes() {
	none := func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, noRequest) }
	bare := make(map[string]bool)
	handle := func(pattern string, f http.HandlerFunc) {
		h.mux.HandleFunc(pattern, f)
		_, path, _ := strings.Cut(pattern, " ")
		// The mux would redirect a path without the slash.
		if path, ok := strings.CutSuffix(path, "/{id...}"); ok && !bare[path] {
			bare[path] = true
			h.mux.HandleFunc(path, none)
		}
	}
	plain := func(pattern string, f func(c *call) (any, error)) {
		handle(pattern, func(w http.ResponseWriter, r *http.Request) {
			c, err := h.call(w, r)
			if err != nil {
				h.fail(w, r, err)
				return
			}
			v, err := f(c)
			switch {
			case err != nil:
				h.fail(w, r, err)
			case v == nil:
				w.WriteHeader(http.StatusNoContent)
			default:
				writeJSON(w, v)
			}
		})
	}
	plain("GET /sessions", h.list)
	plain("POST /sessions", h.create)
	plain("GET /sessions/{id...}", h.show)
	plain("DELETE /sessions/{id...}", h.remove)
	plain("POST /stop/{id...}", func(c *call) (any, error) {
		ok, err := h.stop(c.r.Context(), c.info.ID)
		if err != nil {
			return nil, err
		}
		return stopped{ok}, nil
	})
	plain("POST /decisions/{id...}", h.decide)
	plain("POST /answers/{id...}", h.answer)
	plain("POST /forks/{id...}", h.fork)
	plain("GET /bill/{id...}", h.bill)
	plain("GET /budget", h.budget)
	handle("POST /messages/{id...}", h.say)
	handle("GET /events/{id...}", h.events)
	h.mux.HandleFunc("/", none)
}

// redirects reports whether the mux would redirect a request to another spelling of its
// path, or refuse it in plain text. A redirect names the path without the prefix that
// http.StripPrefix has taken off, so that it leads out of the handler.
func redirects(r *http.Request) bool {
	p := r.URL.EscapedPath()
	clean := path.Clean("/" + p)
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return p != clean || r.RequestURI == "*"
}

// A call is a request of a user.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	user User
	info memory.Info // of the session that the path names; only its ID if there is none
	max  int64
}

// call finds out whose a request is, and whether the session is theirs.
func (h *Handler) call(w http.ResponseWriter, r *http.Request) (*call, error) {
	u, err := h.Whose(r)
	if err != nil {
		return nil, err
	}
	c := &call{w: w, r: r, user: u, max: h.o.MaxBody}
	id := r.PathValue("id")
	switch {
	case id == "" && strings.HasSuffix(r.Pattern, "{id...}"):
		return nil, noRequest
	case id == "":
		return c, nil
	}
	c.info, err = h.owned(r.Context(), u, id)
	return c, err
}

// owned is a session, if it is the user's: a sub-agent's has its caller's metadata.
func (h *Handler) owned(ctx context.Context, u User, id string) (memory.Info, error) {
	info, err := h.o.Store.Info(ctx, id)
	if err != nil {
		return info, err
	}
	if !u.owns(info) {
		return memory.Info{}, memory.ErrNoSession
	}
	return info, nil
}

// owns reports whether a session is there for the user.
func (u User) owns(info memory.Info) bool { return u.All || info.Meta["user"] == u.ID }

// read decodes the body, in which all members have to be known. An empty body is an
// empty object.
func (c *call) read(v any) error { return c.decode(v, true) }

// decode decodes the body; strict, if all of its members have to be known.
func (c *call) decode(v any, strict bool) error {
	if t := c.r.Header.Get("Content-Type"); t != "" {
		if m, _, err := mime.ParseMediaType(t); err != nil || m != "application/json" {
			return problem(http.StatusUnsupportedMediaType, "not_json", "The body's type is not application/json.", "")
		}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.max))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return err
	case err != nil:
		return problem(http.StatusBadRequest, "bad_body", "The body has not come to its end.", "Send it again.")
	}
	return decodeBody(raw, v, strict)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

type stopped struct {
	Stopped bool `json:"stopped"` // false if no process ran it
}

// deepest bounds how far up a session's callers are looked for.
const deepest = 100

// A message is the body of POST /messages/ID.
type message struct {
	Text    string            `json:"text"`
	Content []json.RawMessage `json:"content"` // blocks: text, image, document
	// Idle makes the request fail if the session is running.
	Idle bool `json:"idle"`
	// Meta is that of a session which the message begins.
	Meta map[string]string `json:"meta"`
}

// read makes the user's message of it.
func (m message) read() (transport.Message, error) {
	wrong := func(detail string) (transport.Message, error) {
		return transport.Message{}, problem(http.StatusUnprocessableEntity, "bad_message", "The message can't be taken.", detail)
	}
	msg := transport.Message{Role: transport.RoleUser}
	for i, raw := range m.Content {
		b, err := transport.ParseBlock(raw)
		if err != nil {
			return wrong(err.Error())
		}
		switch b.Type() {
		case "text", "image", "document":
		default:
			return wrong(fmt.Sprintf("content %d is a block of type %q; users send text, image and document", i, b.Type()))
		}
		if problem := checkSource(b.Raw()); problem != "" {
			return wrong(fmt.Sprintf("content %d %s", i, problem))
		}
		if rawjson.Get(b.Raw(), "cache_control") != nil {
			return wrong(fmt.Sprintf("content %d has a cache_control, which is the agent's matter", i))
		}
		msg.Content = append(msg.Content, b)
	}
	if m.Text != "" {
		msg.Content = append(msg.Content, transport.Text(m.Text))
	}
	if len(msg.Content) == 0 {
		return wrong("it has neither text nor content")
	}
	if err := memory.CheckInput(msg); err != nil {
		return wrong(err.Error())
	}
	return msg, nil
}

// checkSource says what is wrong with the place that a picture or a document comes from.
func checkSource(block []byte) string {
	switch from := rawjson.Get(block, "source"); rawjson.GetString(from, "type") {
	case "file": // the files of all users are in one workspace
		return "is a file of the service, which only the program can attach; send the data, or a URL"
	case "url":
		if u, err := url.Parse(rawjson.GetString(from, "url")); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return "has a URL that is none of the web; it must begin with https://"
		}
	case "content":
		for b := range rawjson.Elements(rawjson.Get(from, "content")) {
			if problem := checkSource(b); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// say is POST /messages/ID: it gives the session a message, begins it if need be, and
// has it run on. With "Accept: text/event-stream" the answer is the session's events
// from there on, until the run has ended.
func (h *Handler) say(w http.ResponseWriter, r *http.Request) {
	c, at, run, err := h.take(w, r)
	switch {
	case err != nil:
		h.fail(w, r, err)
	case wantsStream(r):
		h.stream(c, at, run)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		writeJSON(w, map[string]any{"id": c.info.ID, "at": at})
	}
}

func wantsStream(r *http.Request) bool {
	m, _, err := mime.ParseMediaType(r.Header.Get("Accept"))
	return err == nil && m == "text/event-stream"
}
