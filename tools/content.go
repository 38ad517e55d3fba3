package tools

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
)

// An Image is a picture for the model to look at: Data, or a URL that the
// service fetches, or the id of a file at the service. Exactly one of them.
type Image struct {
	Data      []byte // JPEG, PNG, GIF or WebP
	MediaType string // of Data, for instance "image/png"; empty means it is detected
	URL       string
	FileID    string
}

// Block makes the image block.
func (i Image) Block() (transport.Block, error) {
	src, err := sourceOf("image", i.Data, i.URL, i.FileID)
	if err != nil {
		return transport.Block{}, err
	}
	if src.Type == "base64" {
		src.MediaType = i.MediaType
		if src.MediaType == "" {
			src.MediaType = http.DetectContentType(i.Data)
		}
		if !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, src.MediaType) {
			return transport.Block{}, fmt.Errorf("image: the service takes JPEG, PNG, GIF and WebP, not %s", src.MediaType)
		}
	}
	var w objectWriter
	w.text("type", transport.TypeImage)
	w.value("source", src, true)
	return w.block()
}

// A Document is a text or a PDF for the model to read: Text, or Data with a
// PDF, or a URL that the service fetches, or the id of a file at the service.
// Exactly one of them.
type Document struct {
	Text   string
	Data   []byte
	URL    string
	FileID string

	Title   string
	Context string // about the document; the model sees it but doesn't cite it
	// Citations lets the model cite the document. The service wants it on all
	// documents and search results of a request or on none.
	Citations bool
}

// Block makes the document block.
func (d Document) Block() (transport.Block, error) {
	var src source
	if d.Text != "" {
		if len(d.Data) > 0 || d.URL != "" || d.FileID != "" {
			return transport.Block{}, errors.New("document: Text together with another source")
		}
		src = source{Type: "text", MediaType: "text/plain", Data: d.Text}
	} else {
		var err error
		if src, err = sourceOf("document", d.Data, d.URL, d.FileID); err != nil {
			return transport.Block{}, err
		}
		if src.Type == "base64" {
			if src.MediaType = http.DetectContentType(d.Data); src.MediaType != "application/pdf" {
				return transport.Block{}, fmt.Errorf("document: Data must be a PDF, not %s; give text as Text", src.MediaType)
			}
		}
	}
	var w objectWriter
	w.text("type", transport.TypeDocument)
	w.value("source", src, true)
	w.text("title", d.Title)
	w.text("context", d.Context)
	if d.Citations {
		w.raw("citations", []byte(`{"enabled":true}`))
	}
	return w.block()
}

// A SearchResult is a passage with a source, which the model can cite.
type SearchResult struct {
	Source    string   // where it is from: a URL, a path
	Title     string   // required
	Texts     []string // the passages; what is blank is left out
	Citations bool     // on all documents and search results of a request or on none
}

// Block makes the search_result block.
func (s SearchResult) Block() (transport.Block, error) {
	if s.Source == "" || s.Title == "" {
		return transport.Block{}, errors.New("search result: Source and Title must not be empty")
	}
	type text struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	content := []text{}
	for _, t := range s.Texts {
		if strings.TrimSpace(t) != "" {
			content = append(content, text{"text", t})
		}
	}
	var w objectWriter
	w.text("type", transport.TypeSearchResult)
	w.text("source", s.Source)
	w.text("title", s.Title)
	w.value("content", content, true)
	if s.Citations {
		w.raw("citations", []byte(`{"enabled":true}`))
	}
	return w.block()
}

type source struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type,omitempty"`
	Data      string `json:"data,omitempty"`
	URL       string `json:"url,omitempty"`
	FileID    string `json:"file_id,omitempty"`
}

func sourceOf(what string, data []byte, url, fileID string) (source, error) {
	var found []source
	if len(data) > 0 {
		found = append(found, source{Type: "base64", Data: base64.StdEncoding.EncodeToString(data)})
	}
	if url != "" {
		found = append(found, source{Type: "url", URL: url})
	}
	if fileID != "" {
		found = append(found, source{Type: "file", FileID: fileID})
	}
	if len(found) != 1 {
		return source{}, fmt.Errorf("%s: %d sources given; give exactly one", what, len(found))
	}
	return found[0], nil
}
