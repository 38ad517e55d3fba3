package memory

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
)

// PutBlob implements [Blobs].
func (s *RAM) PutBlob(ctx context.Context, id string, b Blob) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.get(id, Position{})
	if err != nil {
		return "", err
	}
	b.Data = slices.Clone(b.Data)
	if b.Name == "" {
		b = b.Named()
	}
	if err := b.Check(); err != nil {
		return "", fmt.Errorf("session %q: %w", id, err)
	}
	s.putBlob(ses, byItself, b)
	return b.Name, nil
}

// A ramRef is what a session has of a blob.
type ramRef struct {
	mediaType string
	since     int // the position of the record that it was appended with, or byItself
}

const byItself = -1

func (s *RAM) putBlob(ses *ramSession, since int, b Blob) {
	if s.blobs == nil {
		s.blobs = make(map[string][]byte)
	}
	if _, ok := s.blobs[b.Name]; !ok {
		s.blobs[b.Name] = b.Data
	}
	if ses.blobs == nil {
		ses.blobs = make(map[string]ramRef)
	}
	if r, ok := ses.blobs[b.Name]; ok {
		since = min(since, r.since)
	}
	ses.blobs[b.Name] = ramRef{b.MediaType, since}
}

// Blob implements [Blobs].
func (s *RAM) Blob(ctx context.Context, id, name string) (Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.get(id, Position{}); err != nil {
		return Blob{}, err
	}
	for ses := s.sessions[id]; ses != nil; ses = s.sessions[ses.info.Parent] {
		if r, ok := ses.blobs[name]; ok {
			return Blob{Name: name, MediaType: r.mediaType, Data: slices.Clone(s.blobs[name])}, nil
		}
		if ses.info.Parent == "" { // no parent, even if there is a session of that id
			break
		}
	}
	return Blob{}, fmt.Errorf("session %q: blob %q: %w", id, name, fs.ErrNotExist)
}

// Blobs implements [Blobs].
func (s *RAM) Blobs(ctx context.Context, id string) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		s.mu.Lock()
		ses, err := s.get(id, Position{})
		var blobs []Blob
		if err == nil {
			for _, name := range slices.Sorted(maps.Keys(ses.blobs)) {
				blobs = append(blobs, Blob{Name: name, MediaType: ses.blobs[name].mediaType, Data: slices.Clone(s.blobs[name])})
			}
		}
		s.mu.Unlock()
		if err != nil {
			yield(Blob{}, err)
			return
		}
		for _, b := range blobs {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// dropBlobs forgets the blobs that no session has.
func (s *RAM) dropBlobs() {
	used := make(map[string]bool)
	for _, ses := range s.sessions {
		for name := range ses.blobs {
			used[name] = true
		}
	}
	maps.DeleteFunc(s.blobs, func(name string, _ []byte) bool { return !used[name] })
}
