package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A batch is a set of requests that are answered later (wire §12.2). The
// simulator answers them when their time has come and somebody asks.
type batch struct {
	id              string
	account         uint64
	header          http.Header
	created, due    time.Time
	canceled, ended time.Time
	items           []batchItem

	once    sync.Once
	results []byte
	counts  batchCounts
}

type batchItem struct {
	CustomID string          `json:"custom_id"`
	Params   json.RawMessage `json:"params"`
}

type batchCounts struct {
	Processing int `json:"processing"`
	Succeeded  int `json:"succeeded"`
	Errored    int `json:"errored"`
	Canceled   int `json:"canceled"`
	Expired    int `json:"expired"`
}

// batchObject is a batch as the service shows it.
type batchObject struct {
	ID                string      `json:"id"`
	Type              string      `json:"type"`
	ProcessingStatus  string      `json:"processing_status"`
	RequestCounts     batchCounts `json:"request_counts"`
	CreatedAt         time.Time   `json:"created_at"`
	ExpiresAt         time.Time   `json:"expires_at"`
	EndedAt           *time.Time  `json:"ended_at"`
	ArchivedAt        *time.Time  `json:"archived_at"`
	CancelInitiatedAt *time.Time  `json:"cancel_initiated_at"`
	ResultsURL        *string     `json:"results_url"`
}

var customID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// maxBatch is the most bytes of a batch (wire §1.5).
const maxBatch = 256 << 20

// serveBatches answers the paths under /v1/messages/batches.
func (s *Server) serveBatches(w http.ResponseWriter, req *http.Request, account uint64, rest string) *Refusal {
	id, part, _ := strings.Cut(rest, "/")
	if id == "" {
		switch req.Method {
		case http.MethodPost:
			return s.createBatch(w, req, account)
		case http.MethodGet:
			return s.listBatches(w, req, account)
		}
		return notFound("Not found")
	}
	s.mu.Lock()
	b := s.batches[id]
	s.mu.Unlock()
	if b == nil || b.account != account {
		return notFound("Message Batch %s not found.", id)
	}
	switch {
	case req.Method == http.MethodGet && part == "":
		writeJSON(w, s.show(b, req))
	case req.Method == http.MethodGet && part == "results":
		if !s.settled(b) {
			return notFound("Message Batch %s has no available results.", id)
		}
		w.Header().Set("Content-Type", "application/x-jsonl")
		w.Write(b.results)
	case req.Method == http.MethodPost && part == "cancel":
		s.mu.Lock()
		if b.canceled.IsZero() {
			b.canceled = s.now()
		}
		s.mu.Unlock()
		writeJSON(w, s.show(b, req))
	case req.Method == http.MethodDelete && part == "":
		if !s.settled(b) {
			return refuse("Message Batch %s is still in progress; cancel it first.", id)
		}
		s.mu.Lock()
		delete(s.batches, id)
		s.mu.Unlock()
		writeJSON(w, map[string]string{"id": id, "type": "message_batch_deleted"})
	default:
		return notFound("Not found")
	}
	return nil
}

func (s *Server) createBatch(w http.ResponseWriter, req *http.Request, account uint64) *Refusal {
	if req.Header.Get(FaultHeader) != "" {
		fault, why := s.fault(req)
		if why != nil {
			return why
		}
		if done, why := fault.before(w, req, ""); done {
			return why
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBatch))
	if err != nil {
		return &Refusal{Status: http.StatusRequestEntityTooLarge, Type: "request_too_large", Message: "Request exceeds the maximum size"}
	}
	if _, why := readVersion(req.Header); why != nil {
		return why
	}
	if _, why := readBetas(req.Header, s.opts.UnknownBetas); why != nil {
		return why
	}
	if !wellFormed(body) {
		return notJSON(body)
	}
	for key := range rawjson.Members(body) {
		if key != "requests" {
			return refuse("%s: Extra inputs are not permitted", key)
		}
	}
	b := &batch{account: account, header: req.Header.Clone(), created: s.now()}
	seen := map[string]bool{}
	i := 0
	for e := range rawjson.Elements(rawjson.Get(body, "requests")) {
		var item batchItem
		if err := json.Unmarshal(e, &item); err != nil || item.Params == nil {
			return refuse("requests.%d.params: Field required", i)
		}
		if !customID.MatchString(item.CustomID) {
			return refuse("requests.%d.custom_id: String should match pattern '%s'", i, customID)
		}
		if seen[item.CustomID] {
			return refuse("requests: custom_id must be unique within a batch; found %s more than once", item.CustomID)
		}
		seen[item.CustomID] = true
		b.items = append(b.items, item)
		i++
	}
	if len(b.items) == 0 || len(b.items) > 100_000 {
		return refuse("requests: List should have 1 to 100000 items after validation, not %d", len(b.items))
	}
	b.id = s.newID("msgbatch_")
	b.due = b.created.Add(s.opts.BatchTime)
	s.mu.Lock()
	s.batches[b.id] = b
	s.mu.Unlock()
	writeJSON(w, s.show(b, req))
	return nil
}

func (s *Server) listBatches(w http.ResponseWriter, req *http.Request, account uint64) *Refusal {
	s.mu.Lock()
	var list []*batch
	for _, b := range s.batches {
		if b.account == account {
			list = append(list, b)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b *batch) int { return cmp.Or(b.created.Compare(a.created), strings.Compare(a.id, b.id)) })
	objects := make([]batchObject, len(list))
	for i, b := range list {
		objects[i] = s.show(b, req)
	}
	page, why := cutPage(objects, req.URL.Query(), 1000, func(b batchObject) string { return b.ID })
	if why == nil {
		writeJSON(w, page)
	}
	return why
}

// settled reports whether the batch has ended, and ends it if its time has come.
func (s *Server) settled(b *batch) bool {
	s.mu.Lock()
	canceled := !b.canceled.IsZero()
	s.mu.Unlock()
	if now := s.now(); canceled || !now.Before(b.due) {
		b.once.Do(func() { s.process(b, canceled) })
		return true
	}
	return false
}

// process answers the items, or marks them as canceled.
func (s *Server) process(b *batch, canceled bool) {
	var out bytes.Buffer
	for _, item := range b.items {
		out.WriteString(`{"custom_id":` + quote(item.CustomID) + `,"result":`)
		if canceled {
			b.counts.Canceled++
			out.WriteString(`{"type":"canceled"}}` + "\n")
			continue
		}
		status, body := s.answerItem(b, item.Params)
		if status == http.StatusOK {
			b.counts.Succeeded++
			out.WriteString(`{"type":"succeeded","message":` + string(body) + "}}\n")
		} else {
			b.counts.Errored++
			out.WriteString(`{"type":"errored","error":` + string(body) + "}}\n")
		}
	}
	b.results = out.Bytes()
	b.ended = s.now()
}

// answerItem runs one request of a batch.
func (s *Server) answerItem(b *batch, params []byte) (int, []byte) {
	w := &memoryWriter{header: http.Header{}, status: http.StatusOK}
	req, err := http.NewRequest(http.MethodPost, "/v1/messages", bytes.NewReader(params))
	if err != nil {
		panic(err) // the URL is fine
	}
	req.Header = b.header.Clone()
	ex := Exchange{}
	id := s.newID("req_")
	for _, name := range []string{"stream", "speed", "fallbacks", "thread"} { // threads: wire §15
		if v := rawjson.Get(params, name); !rawjson.IsNull(v) && string(v) != "false" {
			refuse("%s: not supported in a batch", name).write(w, id)
			return w.status, w.body.Bytes()
		}
	}
	if string(rawjson.Get(params, "max_tokens")) == "0" {
		refuse("max_tokens: 0 is not supported in a batch").write(w, id)
		return w.status, w.body.Bytes()
	}
	r := &request{account: b.account, batch: true}
	if why := s.answerMessages(w, req, r, &ex); why != nil {
		why.write(w, id)
	}
	return w.status, w.body.Bytes()
}

// show makes the batch's object.
func (s *Server) show(b *batch, req *http.Request) batchObject {
	o := batchObject{ID: b.id, Type: "message_batch", ProcessingStatus: "in_progress", CreatedAt: b.created.UTC(), ExpiresAt: b.created.Add(24 * time.Hour).UTC()}
	ended := s.settled(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.canceled.IsZero() {
		at := b.canceled.UTC()
		o.CancelInitiatedAt = &at
	}
	if !ended {
		o.RequestCounts.Processing = len(b.items)
		return o
	}
	o.ProcessingStatus = "ended"
	o.RequestCounts = b.counts
	at := b.ended.UTC()
	url := "http://" + req.Host + "/v1/messages/batches/" + b.id + "/results"
	o.EndedAt, o.ResultsURL = &at, &url
	return o
}

// A memoryWriter is a ResponseWriter that keeps what is written.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) WriteHeader(status int)      { w.status = status }
func (w *memoryWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
