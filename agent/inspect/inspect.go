package inspect

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
)

//go:embed assets
var embedded embed.FS

// Options configure the page. The zero value serves requests from this machine,
// and lets its user decide on calls, and fork sessions, but not run them.
type Options struct {
	// Token, if not empty, opens the page to other machines: whoever has it, in the
	// first URL as ?token=…, or as a Bearer token, may see and do all that the page
	// can. Serve it over TLS then.
	Token string
	// Hosts are names that the page may be reached by besides localhost, 127.0.0.1
	// and ::1, without ports. With a Token all names are taken.
	Hosts []string
	// ReadOnly refuses decisions, forks and runs.
	ReadOnly bool
	// Resume goes on with a session: it is called when the last call that waited has
	// been decided on, and when the user of the page asks for it. It should start the
	// run and return. nil means that something else resumes sessions.
	Resume func(session string)
	// Live, if not nil, shows responses while they stream; see [Live]. Without it the
	// page shows whole records, as they get into the store.
	Live *Live
	// Poll is how often the store is asked for new records while a page is open;
	// 0 means every 250 ms.
	Poll time.Duration
	// Logger is told of what the store refuses; nil for none.
	Logger *slog.Logger
}

const defaultPoll = 250 * time.Millisecond

type handler struct {
	store  memory.Store
	opts   Options
	mux    *http.ServeMux
	assets fs.FS
	briefs briefs
}

// Handler makes the page for the sessions in a store. It finds out by itself
// under which path it is mounted, where a [http.ServeMux] does that.
func Handler(store memory.Store, opts Options) http.Handler {
	opts.Poll = cmp.Or(opts.Poll, defaultPoll)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{store: store, opts: opts, mux: http.NewServeMux()}
	h.assets, _ = fs.Sub(embedded, "assets") // the folder is there: it is compiled in
	h.mux.HandleFunc("GET /{$}", h.page)
	h.mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(h.assets)))
	h.mux.HandleFunc("GET /api/sessions", h.sessions)
	h.mux.HandleFunc("GET /api/sessions/{id}/brief", h.brief)
	h.mux.HandleFunc("GET /api/sessions/{id}/stream", h.stream)
	h.mux.HandleFunc("GET /api/sessions/{id}/records/{n}/blocks/{block}", h.block)
	h.mux.HandleFunc("GET /api/sessions/{id}/requests/{n}", h.request)
	h.mux.HandleFunc("GET /api/sessions/{id}/log", h.download)
	h.mux.HandleFunc("POST /api/sessions/{id}/decisions", h.decide)
	h.mux.HandleFunc("POST /api/sessions/{id}/fork", h.fork)
	h.mux.HandleFunc("POST /api/sessions/{id}/resume", h.resume)
	return h.guard(http.HandlerFunc(h.serve))
}

// serve takes the path of the mount away, which the outer mux's pattern tells.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	if i := strings.IndexByte(r.Pattern, '/'); i >= 0 {
		prefix := strings.TrimSuffix(r.Pattern[i:], "/")
		if prefix != "" && strings.HasPrefix(r.URL.Path, prefix+"/") {
			http.StripPrefix(prefix, h.mux).ServeHTTP(w, r)
			return
		}
	}
	h.mux.ServeHTTP(w, r)
}

func (h *handler) page(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, h.assets, "index.html")
}

// A sessionView is a line in the list of sessions.
type sessionView struct {
	ID      string            `json:"id"`
	Title   string            `json:"title"` // the beginning of the first user text
	Records int               `json:"records"`
	Changed int64             `json:"changed"` // milliseconds since 1970
	Parent  string            `json:"parent,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
}

// mostSessions bounds the list: those changed last.
const mostSessions = 200

func (h *handler) sessions(w http.ResponseWriter, r *http.Request) {
	list := []sessionView{}
	for info, err := range h.store.List(r.Context(), memory.Query{Limit: mostSessions}) {
		if err != nil {
			h.fail(w, err)
			return
		}
		list = append(list, sessionView{
			ID: info.ID, Title: h.title(r, info.ID), Records: info.Records, Changed: info.Changed.UnixMilli(), Parent: info.Origin, Meta: info.Meta,
		})
	}
	writeJSON(w, map[string]any{"sessions": list, "readOnly": h.opts.ReadOnly, "canResume": h.opts.Resume != nil && !h.opts.ReadOnly})
}

func (h *handler) title(r *http.Request, id string) string {
	for rec, err := range h.store.Load(r.Context(), id, memory.Position{}) {
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
func (h *handler) block(w http.ResponseWriter, r *http.Request) {
	n, err1 := strconv.Atoi(r.PathValue("n"))
	i, err2 := strconv.Atoi(r.PathValue("block"))
	if err := errors.Join(err1, err2); err != nil || n < 0 {
		http.Error(w, "no such block", http.StatusNotFound)
		return
	}
	for rec, err := range h.store.Load(r.Context(), r.PathValue("id"), memory.Position{Records: n}) {
		if err != nil {
			h.fail(w, err)
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
func (h *handler) request(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		http.Error(w, "no such record", http.StatusNotFound)
		return
	}
	log, err := memory.Open(r.Context(), h.store, r.PathValue("id"))
	if err != nil {
		h.fail(w, err)
		return
	}
	sent, err := agent.SentRequest(log, n)
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
		h.opts.Logger.Debug("inspect: the page went away", "error", err)
	}
}

func (h *handler) download(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := h.store.Info(r.Context(), id); err != nil {
		h.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="session.jsonl"`)
	if err := transfer.Export(r.Context(), h.store, id, w); err != nil {
		h.opts.Logger.Error("inspect: export", "session", id, "error", err)
	}
}

// fail tells the page what the store said.
func (h *handler) fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, memory.ErrNoSession):
		status = http.StatusNotFound
	case errors.Is(err, memory.ErrConflict):
		status = http.StatusConflict
	}
	h.opts.Logger.Warn("inspect: store", "error", err)
	http.Error(w, err.Error(), status)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	_ = e.Encode(v) // an error means that the page went away
}
