package simulator

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// A file is an uploaded file's object (wire §12.4).
type file struct {
	ID           string     `json:"id"`
	Type         string     `json:"type"`
	Filename     string     `json:"filename"`
	MimeType     string     `json:"mime_type"`
	SizeBytes    int64      `json:"size_bytes"`
	CreatedAt    time.Time  `json:"created_at"`
	ExpiresAt    *time.Time `json:"expires_at"`
	Downloadable bool       `json:"downloadable"`

	account uint64
}

// maxFile is the most bytes of a file (wire §1.5).
const maxFile = 500 << 20

// serveFiles answers the paths under /v1/files. The bytes are counted and
// forgotten: nothing reads them, and uploaded files can't be downloaded.
func (s *Server) serveFiles(w http.ResponseWriter, req *http.Request, account uint64, id string) *Refusal {
	id, part, _ := strings.Cut(id, "/")
	if id == "" {
		switch req.Method {
		case http.MethodPost:
			return s.upload(w, req, account)
		case http.MethodGet:
			return s.listFiles(w, req, account)
		}
		return notFound("Not found")
	}
	f, why := s.findFile(account, id)
	if why != nil {
		return why
	}
	switch {
	case req.Method == http.MethodGet && part == "content":
		why := refuse("File '%s' is not downloadable", id)
		why.Code = "file_not_downloadable"
		return why
	case req.Method == http.MethodGet && part == "":
		writeJSON(w, f)
	case req.Method == http.MethodDelete && part == "":
		s.mu.Lock()
		delete(s.files, id)
		s.mu.Unlock()
		writeJSON(w, map[string]string{"id": id, "type": "file_deleted"})
	default:
		return notFound("Not found")
	}
	return nil
}

func (s *Server) upload(w http.ResponseWriter, req *http.Request, account uint64) *Refusal {
	reader, err := req.MultipartReader()
	if err != nil {
		return refuse("file: Field required")
	}
	found := false
	f := &file{Type: "file", CreatedAt: s.now().UTC().Truncate(time.Second), account: account}
	for {
		part, err := reader.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return refuse("The request body could not be read: %v", err)
		}
		switch part.FormName() {
		case "file":
			found, f.Filename = true, part.FileName()
			f.MimeType, _, _ = mime.ParseMediaType(part.Header.Get("Content-Type"))
			if f.MimeType == "" {
				f.MimeType = "application/octet-stream"
			}
			if f.SizeBytes, err = io.Copy(io.Discard, io.LimitReader(part, maxFile+1)); err != nil {
				return refuse("The request body could not be read: %v", err)
			}
		case "expires_in_seconds":
			var seconds int
			if _, err := fmt.Fscan(io.LimitReader(part, 20), &seconds); err != nil || seconds < 1 {
				return refuse("expires_in_seconds: Input should be greater than 0")
			}
			at := f.CreatedAt.Add(time.Duration(seconds) * time.Second)
			f.ExpiresAt = &at
		}
	}
	switch {
	case !found:
		return refuse("file: Field required")
	case f.Filename == "": // the words are a guess (wire G78)
		return refuse("file: filename should have at least 1 character")
	case len(f.Filename) > 500:
		return refuse("file: filename should have at most 500 characters")
	case f.SizeBytes > maxFile:
		return &Refusal{Status: http.StatusRequestEntityTooLarge, Type: transport.ErrRequestTooLarge, Message: "Request exceeds the maximum size"}
	}
	f.ID = s.newID("file_")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[f.ID] = f
	writeJSON(w, f)
	return nil
}

func (s *Server) listFiles(w http.ResponseWriter, req *http.Request, account uint64) *Refusal {
	s.mu.Lock()
	var list []*file
	for _, f := range s.files {
		if f.account == account {
			list = append(list, f)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b *file) int { return strings.Compare(a.ID, b.ID) })
	query := req.URL.Query()
	if page := query.Get("page"); page != "" {
		query.Set("after_id", page)
	}
	page, why := cutPage(list, query, 1000, func(f *file) string { return f.ID })
	if why != nil {
		return why
	}
	var next *string
	if page.HasMore {
		next = page.LastID
	}
	writeJSON(w, map[string]any{"data": page.Data, "next_page": next, "has_more": page.HasMore, "first_id": page.FirstID, "last_id": page.LastID})
	return nil
}

// checkFiles refuses references to files that the account doesn't have.
func (s *Server) checkFiles(r *request) *Refusal {
	if s.opts.Foreign {
		return nil
	}
	files := r.known().files
	for _, id := range files { // they may have expired
		if _, why := s.findFile(r.account, id); why != nil {
			return why
		}
	}
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.files = files
		}
		for j := range m.blocks {
			for id := range fileIDs(&m.blocks[j]) {
				if _, why := s.findFile(r.account, id); why != nil {
					return why
				}
				if !slices.Contains(files, id) {
					files = append(files[:len(files):len(files)], id)
				}
			}
		}
	}
	return nil
}

// fileIDs yields the files that a block names, itself or in a tool's result.
func fileIDs(b *block) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch b.typ {
		case view.TypeContainerUpload:
			yield(rawjson.GetString(b.raw, "file_id"))
		case transport.TypeImage, transport.TypeDocument:
			if id := sourceFile(b.raw); id != "" {
				yield(id)
			}
		case transport.TypeToolResult:
			if !bytes.Contains(b.raw, []byte(`"file_id"`)) {
				return
			}
			for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
				if id := sourceFile(e); id != "" && !yield(id) {
					return
				}
			}
		}
	}
}

func sourceFile(raw []byte) string {
	return rawjson.GetString(rawjson.Get(raw, "source"), "file_id")
}

// findFile finds a file of the account that has not expired.
func (s *Server) findFile(account uint64, id string) (*file, *Refusal) {
	s.mu.Lock()
	f := s.files[id]
	s.mu.Unlock()
	if f == nil || f.account != account {
		return nil, notFound("File not found: %s", id)
	}
	if f.ExpiresAt != nil && s.now().After(*f.ExpiresAt) {
		why := notFound("File '%s' has expired", id)
		why.Code = "file_expired"
		return nil, why
	}
	return f, nil
}
