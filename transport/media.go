package transport

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An Image is a picture for the model to look at: Data, or a URL that the
// service fetches, or the id of a file at the service. Exactly one of them.
type Image struct {
	Data      []byte // JPEG, PNG, GIF or WebP
	MediaType string // may be empty: the type is detected from Data
	URL       string
	FileID    string
}

// Block makes the image block. It fails, with an error of package media, for a
// picture that no model takes: see media.ReadPicture and media.Limits.
func (i Image) Block() (Block, error) {
	w := blockWriter{raw: []byte(`{"type":"image"`)}
	mediaType := ""
	if len(i.Data) > 0 {
		p, err := media.ReadPicture(i.Data)
		if err == nil {
			err = p.Check(media.Limits{})
		}
		if err != nil {
			return Block{}, fmt.Errorf("image: %w", err)
		}
		mediaType = p.MediaType
	}
	if err := w.source(mediaType, i.Data, i.URL, i.FileID); err != nil {
		return Block{}, fmt.Errorf("image: %w", err)
	}
	return w.block(TypeImage), nil
}

// A Document is something for the model to read: Text, or Data with a PDF, or
// Blocks of text and images, or a URL that the service fetches, or the id of a
// file at the service. Exactly one of them.
type Document struct {
	Text   string
	Data   []byte
	Blocks []Block
	URL    string
	FileID string

	Title   string // at most 500 characters
	Context string // about the document; the model sees it but doesn't cite it
	// Citations lets the model cite the document. The service wants it on all
	// documents and search results of a request or on none.
	Citations bool
}

const maxTitle = 500

// Block makes the document block. It fails, with an error of package media, for a
// PDF that no model takes: see media.ReadPDF and media.Limits.
func (d Document) Block() (Block, error) {
	if n := utf8.RuneCountInString(d.Title); n > maxTitle {
		return Block{}, fmt.Errorf("document: the title has %d characters; at most %d are taken", n, maxTitle)
	}
	w := blockWriter{raw: []byte(`{"type":"document"`)}
	switch other := len(d.Data) > 0 || d.URL != "" || d.FileID != ""; {
	case d.Text != "" && (other || len(d.Blocks) > 0), len(d.Blocks) > 0 && other:
		return Block{}, errors.New("document: Text or Blocks together with another source")
	case d.Text != "":
		w.raw = append(w.raw, `,"source":{"type":"text","media_type":"text/plain"`...)
		w.text("data", d.Text)
		w.raw = append(w.raw, '}')
	case len(d.Blocks) > 0:
		w.raw = append(w.raw, `,"source":{"type":"content"`...)
		w.blocks("content", d.Blocks)
		w.raw = append(w.raw, '}')
	default:
		mediaType := "application/pdf"
		if found := http.DetectContentType(d.Data); len(d.Data) > 0 && found != mediaType {
			return Block{}, fmt.Errorf("document: Data must be a PDF, not %s; give text as Text", found)
		}
		if len(d.Data) > 0 {
			p, err := media.ReadPDF(d.Data)
			if err == nil {
				err = p.Check(media.Limits{Pages: media.MaxPages})
			}
			if err != nil {
				return Block{}, fmt.Errorf("document: %w", err)
			}
		}
		if err := w.source(mediaType, d.Data, d.URL, d.FileID); err != nil {
			return Block{}, fmt.Errorf("document: %w", err)
		}
	}
	w.text("title", d.Title)
	w.text("context", d.Context)
	w.citations(d.Citations)
	return w.block(TypeDocument), nil
}

// A SearchResult is a passage with a source, which the model can cite.
type SearchResult struct {
	Source    string   // where it is from: a URL, a path
	Title     string   // required
	Texts     []string // the passages; what is blank is left out
	Citations bool     // on all documents and search results of a request or on none
}

// Block makes the search_result block.
func (s SearchResult) Block() (Block, error) {
	if s.Source == "" || s.Title == "" {
		return Block{}, errors.New("search result: Source and Title must not be empty")
	}
	var texts []Block
	for _, t := range s.Texts {
		if strings.TrimSpace(t) != "" {
			texts = append(texts, Text(t))
		}
	}
	w := blockWriter{raw: []byte(`{"type":"search_result"`)}
	w.text("source", s.Source)
	w.text("title", s.Title)
	w.blocks("content", texts)
	w.citations(s.Citations)
	return w.block(TypeSearchResult), nil
}

// SystemText makes a message of role system for a place inside a conversation. Set
// its ClearAt to have the service forget it.
func SystemText(text string) Message {
	return Message{Role: RoleSystem, Content: []Block{Text(text)}}
}

// A blockWriter writes an object that has begun with its type.
type blockWriter struct{ raw []byte }

func (w *blockWriter) text(key, s string) {
	if s != "" {
		w.raw = rawjson.AppendString(appendKey(w.raw, key), s)
	}
}

func (w *blockWriter) blocks(key string, blocks []Block) {
	w.raw = append(appendKey(w.raw, key), '[')
	for i, b := range blocks {
		if i > 0 {
			w.raw = append(w.raw, ',')
		}
		w.raw = append(w.raw, b.raw...)
	}
	w.raw = append(w.raw, ']')
}

func (w *blockWriter) citations(enabled bool) {
	if enabled {
		w.raw = append(w.raw, `,"citations":{"enabled":true}`...)
	}
}

// source writes the one source that is given.
func (w *blockWriter) source(mediaType string, data []byte, url, fileID string) error {
	n := 0
	for _, given := range []bool{len(data) > 0, url != "", fileID != ""} {
		if given {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("%d sources given; give exactly one", n)
	}
	w.raw = append(w.raw, `,"source":{"type":"`...)
	switch {
	case url != "":
		w.raw = append(w.raw, `url"`...)
		w.text("url", url)
	case fileID != "":
		w.raw = append(w.raw, `file"`...)
		w.text("file_id", fileID)
	default:
		w.raw = append(w.raw, `base64"`...)
		w.text("media_type", mediaType)
		w.raw = append(appendKey(w.raw, "data"), '"')
		w.raw = append(base64.StdEncoding.AppendEncode(w.raw, data), '"')
	}
	w.raw = append(w.raw, '}')
	return nil
}

func (w *blockWriter) block(typ BlockType) Block { return Block{raw: append(w.raw, '}'), typ: typ} }
