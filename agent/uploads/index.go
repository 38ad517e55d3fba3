package uploads

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// An Index remembers which contents are files at the service, for all programs that share
// it. A key is "sha256:" followed by 64 hexadecimal digits.
type Index interface {
	// Get returns the file stored under key; ok is false if there is none.
	Get(ctx context.Context, key string) (ref Ref, ok bool, err error)
	// Put stores the file under key.
	Put(ctx context.Context, key string, ref Ref) error
}

// Folder returns an [Index] of small files in a folder, one for each content.
func Folder(root *os.Root) Index { return folder{root} }

type folder struct{ root *os.Root }

func (f folder) name(key string) string { return strings.ReplaceAll(key, ":", "-") + ".json" }

func (f folder) Get(_ context.Context, key string) (ref Ref, ok bool, err error) {
	raw, err := f.root.ReadFile(f.name(key))
	if errors.Is(err, fs.ErrNotExist) {
		return ref, false, nil
	}
	if err != nil {
		return ref, false, fmt.Errorf("index of uploads: %w", err)
	}
	if json.Unmarshal(raw, &ref) != nil || ref.ID == "" {
		return Ref{}, false, nil // it was damaged: the file is uploaded again
	}
	return ref, true, nil
}

func (f folder) Put(_ context.Context, key string, ref Ref) error {
	raw, err := json.Marshal(ref)
	temp := f.name(key) + "." + rand.Text()
	if err == nil {
		err = f.root.WriteFile(temp, raw, 0o600)
	}
	if err == nil {
		err = f.root.Rename(temp, f.name(key))
	}
	if err != nil {
		return fmt.Errorf("index of uploads: %w", err)
	}
	return nil
}

// ram is an Index in memory.
type ram struct {
	mu   sync.Mutex
	refs map[string]Ref
}

func (r *ram) Get(_ context.Context, key string) (Ref, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, ok := r.refs[key]
	return ref, ok, nil
}

func (r *ram) Put(_ context.Context, key string, ref Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refs == nil {
		r.refs = make(map[string]Ref)
	}
	r.refs[key] = ref
	return nil
}
