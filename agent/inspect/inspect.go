package inspect

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	sentdata "github.com/whorl-go/whorl/agent/internal/sent"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport/models"
)

//go:embed assets
var embedded embed.FS

// Options configure the page. The zero value serves requests from this machine that have
// the token of [Page.URL], and lets the user decide on calls, answer questions and fork
// sessions, but not run them.
type Options struct {
	// Token is the token that requests need: in the first URL as ?token=…, or as a Bearer
	// token. Anyone who has it can see and do everything that the page allows. If it is
	// empty, the token is random and the page serves only this machine. If it is set, the
	// page serves other machines, too: use TLS, and a token that can't be guessed, such
	// as one of [crypto/rand.Text].
	Token string
	// Hosts are the host names, besides localhost, 127.0.0.1 and ::1, that requests may
	// use, without ports, in lower case. With a Token, all names are allowed.
	Hosts []string
	// ReadOnly refuses decisions, answers, forks and runs.
	ReadOnly bool
	// Resume should start a run of a session and return. It is called when the last call
	// or question that waited in the session and in those of its sub-agents is decided or
	// answered, when the user of the page asks for it, and when the user has written a
	// message, which is in the session's inbox. The session may be new, or already
	// running. Nil means that something else resumes sessions.
	Resume func(session string)
	// Feed, if not nil, lets the page show responses while they stream, and reports of
	// running tools, for runs in this process that it is attached to. Without it, the
	// page shows whole records when they are in the store.
	Feed *feed.Feed
	// Models correct and extend the table of prices, as in agent.Options.
	Models []models.Model
	// Poll is the interval at which the store is read for new records while a page is
	// open; 0, or less, means 250 ms.
	Poll time.Duration
	// Reports is a folder of HTML reports of package evals, such as
	// os.DirFS("testdata/evals"), that the page links to. Scripts in them don't run. Nil
	// means none.
	Reports fs.FS
	// Logger logs errors of the store; nil means no logging.
	Logger *slog.Logger
}

const defaultPoll = 250 * time.Millisecond

// A Page is the handler that serves the page; see [Handler].
type Page struct {
	store     memory.Store
	opts      Options
	mux       *http.ServeMux
	assets    fs.FS
	briefs    briefs
	spendings spendings
	key       key
	watches   watches
	guarded   http.Handler
}

// Handler returns the page for the sessions in a store. If it is mounted in an
// [http.ServeMux], it finds out its path by itself.
//
// Every request needs the token, which is in [Page.URL]:
//
//	page := inspect.Handler(store, inspect.Options{})
//	mux.Handle("/debug/agents/", page)
//	fmt.Println("sessions:", page.URL("http://127.0.0.1:8100/debug/agents/"))
func Handler(store memory.Store, opts Options) *Page {
	if opts.Poll <= 0 {
		opts.Poll = defaultPoll
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Page{store: store, opts: opts, mux: http.NewServeMux(), key: newKey(opts.Token)}
	p.assets, _ = fs.Sub(embedded, "assets") // the folder is there: it is compiled in
	p.mux.HandleFunc("GET /{$}", p.page)
	p.mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(p.assets)))
	p.mux.HandleFunc("GET /reports/{$}", p.reports)
	p.mux.HandleFunc("GET /reports/{name}", p.report)
	p.mux.HandleFunc("GET /api/sessions", p.sessions)
	p.mux.HandleFunc("GET /api/sessions/{id}/brief", p.brief)
	p.mux.HandleFunc("GET /api/money", p.money)
	p.mux.HandleFunc("GET /api/sessions/{id}/stream", p.stream)
	p.mux.HandleFunc("GET /api/sessions/{id}/records/{n}/blocks/{block}", p.block)
	p.mux.HandleFunc("GET /api/sessions/{id}/requests/{n}", p.request)
	p.mux.HandleFunc("GET /api/sessions/{id}/log", p.download)
	p.mux.HandleFunc("GET /api/sessions/{id}/waits", p.waits)
	p.mux.HandleFunc("POST /api/messages", p.write)
	p.mux.HandleFunc("POST /api/sessions/{id}/decisions", p.decide)
	p.mux.HandleFunc("POST /api/sessions/{id}/answers", p.answer)
	p.mux.HandleFunc("POST /api/sessions/{id}/fork", p.fork)
	p.mux.HandleFunc("POST /api/sessions/{id}/resume", p.resume)
	p.guarded = p.guard(http.HandlerFunc(p.serve))
	return p
}

// ServeHTTP serves the page to those who have its token.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.guarded.ServeHTTP(w, r) }

// serve takes the path of the mount away, which the outer mux's pattern tells.
func (p *Page) serve(w http.ResponseWriter, r *http.Request) {
	if i := strings.IndexByte(r.Pattern, '/'); i >= 0 {
		prefix := strings.TrimSuffix(r.Pattern[i:], "/")
		if prefix != "" && strings.HasPrefix(r.URL.Path, prefix+"/") {
			http.StripPrefix(prefix, p.mux).ServeHTTP(w, r)
			return
		}
	}
	p.mux.ServeHTTP(w, r)
}

func (p *Page) page(w http.ResponseWriter, r *http.Request) {
	if p.opts.Reports != nil {
		http.ServeFileFS(w, r, p.assets, "index.html")
		return
	}
	index, err := fs.ReadFile(p.assets, "index.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, "index.html", time.Time{}, bytes.NewReader(bytes.Replace(index, []byte(reportsLink), nil, 1)))
}

// A sessionView is a line in the list of sessions.
type sessionView struct {
	ID      string            `json:"id"`
	Title   string            `json:"title"` // the beginning of the first user text
	Records int               `json:"records"`
	Changed int64             `json:"changed"`          // milliseconds since 1970
	Parent  string            `json:"parent,omitempty"` // the session whose run began it
	Origin  string            `json:"origin,omitempty"` // the session that it was forked from
	Meta    map[string]string `json:"meta,omitempty"`
}

// mostSessions bounds the list: those changed last.
const mostSessions = 200

func (p *Page) sessions(w http.ResponseWriter, r *http.Request) {
	list := []sessionView{}
	for info, err := range p.store.List(r.Context(), memory.Query{Limit: mostSessions}) {
		if err != nil {
			p.fail(w, err)
			return
		}
		list = append(list, sessionView{
			ID: info.ID, Title: p.title(r, info.ID), Records: info.Records, Changed: info.Changed.UnixMilli(), Parent: info.Parent, Origin: info.Origin, Meta: info.Meta,
		})
	}
	writeJSON(w, map[string]any{"sessions": list, "full": len(list) == mostSessions, "readOnly": p.opts.ReadOnly, "canResume": p.opts.Resume != nil && !p.opts.ReadOnly})
}

func (p *Page) title(r *http.Request, id string) string {
	for rec, err := range p.store.Load(r.Context(), id, memory.Position{}) {
		if err != nil {
			return ""
		}
		if rec.Kind == memory.KindInput {
			text, _ := clip(strings.Join(strings.Fields(rec.Message.Text()), " "), 100)
			return text
		}
	}
	return ""
}

// block serves a block whole: its text, or its JSON.
func (p *Page) block(w http.ResponseWriter, r *http.Request) {
	n, err1 := strconv.Atoi(r.PathValue("n"))
	i, err2 := strconv.Atoi(r.PathValue("block"))
	if err := errors.Join(err1, err2); err != nil || n < 0 {
		http.Error(w, "no such block", http.StatusNotFound)
		return
	}
	for rec, err := range p.store.Load(r.Context(), r.PathValue("id"), memory.Position{Records: n}) {
		if err != nil {
			p.fail(w, err)
			return
		}
		blocks := blocksOf(&rec)
		if i < 0 || i >= len(blocks) {
			break
		}
		v := viewBlock(blocks[i], noLimit)
		writeJSON(w, v)
		return
	}
	http.Error(w, "no such block", http.StatusNotFound)
}

// request serves the body of the request that brought the response at record n.
func (p *Page) request(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		http.Error(w, "no such record", http.StatusNotFound)
		return
	}
	log, err := memory.Open(r.Context(), p.store, r.PathValue("id"))
	if err != nil {
		p.fail(w, err)
		return
	}
	sent, err := sentdata.Request(log, n)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if !sent.Configured {
		sent.Request.Model = "unknown: the log does not tell"
	}
	body, err := sent.Request.StreamBody()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.FormatInt(body.Len(), 10))
	if _, err := body.WriteTo(w); err != nil {
		p.opts.Logger.Debug("inspect: the page went away", "error", err)
	}
}

func (p *Page) download(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := p.store.Info(r.Context(), id); err != nil {
		p.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="session.jsonl"`)
	if err := transfer.Export(r.Context(), p.store, id, w); err != nil {
		p.opts.Logger.Error("inspect: export", "session", id, "error", err)
	}
}

// fail tells the page what the store said.
func (p *Page) fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, memory.ErrNoSession):
		status = http.StatusNotFound
	case errors.Is(err, memory.ErrConflict), errors.Is(err, memory.ErrReplaced), isUndecided(err):
		status = http.StatusConflict
	}
	p.opts.Logger.Warn("inspect: store", "error", err)
	http.Error(w, err.Error(), status)
}

// isUndecided reports whether a decision was not taken because the call had
// changed or was decided meanwhile.
func isUndecided(err error) bool {
	_, ok := errors.AsType[*agent.DecisionError](err)
	return ok
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	_ = e.Encode(v) // an error means that the page went away
}
