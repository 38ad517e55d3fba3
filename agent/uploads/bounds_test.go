package uploads

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
)

// numbered numbers its uploads, and lets each live an hour less than the one before.
type numbered struct {
	uploads []anthropic.Upload
	sizes   []int
	end     time.Time
	err     error
}

func (n *numbered) UploadFile(_ context.Context, u anthropic.Upload) (anthropic.File, error) {
	data, err := io.ReadAll(u.Content)
	if err = errors.Join(err, n.err); err != nil {
		return anthropic.File{}, err
	}
	n.uploads, n.sizes = append(n.uploads, u), append(n.sizes, len(data))
	f := anthropic.File{ID: fmt.Sprint("file_", len(n.uploads))}
	if !n.end.IsZero() {
		f.ExpiresAt = n.end.Add(-time.Duration(len(n.uploads)) * time.Hour)
	}
	return f, nil
}

// of is a picture or document of so many bytes.
func of(typ, mediaType string, size int) string {
	data := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", size)))
	return fmt.Sprintf(`{"type":%q,"source":{"type":"base64","media_type":%q,"data":%q}}`, typ, mediaType, data)
}

func block(t *testing.T, text string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRenewedBefore(t *testing.T) {
	end := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for in, want := range map[time.Duration]time.Duration{0: time.Hour, 10 * time.Minute: time.Minute, 10 * time.Hour: time.Hour, 48 * time.Hour: time.Hour} {
		f := New(nil, &Options{ExpiresIn: in})
		if got := f.renewed(Ref{ID: "f", ExpiresAt: end}); !got.Equal(end.Add(-want)) {
			t.Errorf("of %v: %v before its end, want %v", in, end.Sub(got), want)
		}
		if got := f.renewed(Ref{ID: "f"}); !got.IsZero() {
			t.Errorf("one that doesn't expire: %v", got)
		}
	}
}

// What has MinBytes is uploaded, what has less stays; a result's pictures and documents
// count each by themselves.
func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		text  string
		sizes string
	}{
		{of("image", "image/png", 99), "[]"},
		{of("image", "image/png", 100), "[100]"},
		{of("document", "application/pdf", 100), "[100]"},
		{of("image", "image/png", 3000), "[3000]"},
		{`{"type":"tool_result","tool_use_id":"a","content":[` + of("image", "image/png", 60) + `,` + of("image", "image/png", 60) + `]}`, "[]"},
		{`{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"x"}, ` + of("image", "image/png", 60) + `,` + of("document", "application/pdf", 101) + `, ` + of("image", "image/png", 102) + `]}`, "[101 102]"},
	} {
		to := new(numbered)
		f := New(to, &Options{MinBytes: 100})
		if _, err := f.block(t.Context(), block(t, tt.text), "p", nil); err != nil || fmt.Sprint(to.sizes) != tt.sizes {
			t.Errorf("%.60s: %v, want %s, %v", tt.text, to.sizes, tt.sizes, err)
		}
		to.err = errors.New("no room")
		var failed *UploadError
		if _, err := New(to, &Options{MinBytes: 100}).block(t.Context(), block(t, tt.text), "p", nil); tt.sizes != "[]" != errors.As(err, &failed) {
			t.Errorf("%.60s: %v", tt.text, err)
		} else if failed != nil && failed.Place != "p" && failed.Place != "p.content.2" {
			t.Errorf("%.60s: at %s", tt.text, failed.Place)
		}
	}
}

// A block is made again before the first of its files ends; and what is remembered of
// blocks is bounded.
func TestBlocksAreRemembered(t *testing.T) {
	to := &numbered{end: time.Now().Add(24 * time.Hour)}
	f := New(to, &Options{MinBytes: 100, ExpiresIn: 24 * time.Hour})
	b := block(t, `{"type":"tool_result","tool_use_id":"a","content":[`+of("image", "image/png", 101)+`,`+of("image", "image/png", 102)+`,`+of("image", "image/png", 103)+`]}`)
	done, err := f.block(t.Context(), b, "p", nil)
	if err != nil || len(done.uses) != 3 || !done.until.Equal(to.end.Add(-4*time.Hour)) {
		t.Errorf("%+v, %v, want until %v", done.uses, done.until, to.end.Add(-4*time.Hour))
	}
	for _, u := range to.uploads {
		if u.ExpiresIn != 24*time.Hour || u.MimeType != "image/png" || !strings.HasSuffix(u.Filename, ".png") || len(u.Filename) != 20 {
			t.Errorf("uploaded as %+v", u)
		}
	}
	again, err := f.block(t.Context(), b, "p", nil)
	if err != nil || len(to.uploads) != 3 || string(again.block.Raw()) != string(done.block.Raw()) {
		t.Errorf("%d uploads, %v", len(to.uploads), err)
	}
	if again, err = f.block(t.Context(), b, "p", []use{done.uses[1]}); err != nil || len(to.uploads) != 4 || again.uses[1].id != "file_4" || again.uses[0] != done.uses[0] {
		t.Errorf("one is stale: %+v, %d uploads, %v", again.uses, len(to.uploads), err)
	}
	text := `{"type":"text","text":"` + strings.Repeat("x", 200) + `"}`
	var keep []transport.Block
	for range 2 * maxReplaced {
		b := block(t, text)
		keep = append(keep, b)
		if _, err := f.block(t.Context(), b, "p", nil); err != nil || len(f.blocks) > maxReplaced {
			t.Fatalf("%d blocks are remembered, %v", len(f.blocks), err)
		}
	}
	_ = keep
}

// An index that was damaged has nothing; one that can't be read says so. Nobody else reads
// what is in it.
func TestFolderIndex(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	index, key := Folder(root), "sha256:"+strings.Repeat("0", 64)
	path := filepath.Join(dir, strings.ReplaceAll(key, ":", "-")+".json")
	want := Ref{ID: "file_1", ExpiresAt: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	if _, ok, err := index.Get(t.Context(), key); ok || err != nil {
		t.Errorf("empty: %v, %v", ok, err)
	}
	if err := index.Put(t.Context(), key, want); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := index.Get(t.Context(), key); got != want || !ok || err != nil {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v, %v", info, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("in the folder: %v, %v", list, err)
	}
	for _, damaged := range []string{"", "{", `{"id":""}`, `{}`} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := index.Get(t.Context(), key); got != (Ref{}) || ok || err != nil {
			t.Errorf("%q: %+v, %v, %v", damaged, got, ok, err)
		}
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := index.Get(t.Context(), key); ok || err == nil {
		t.Errorf("a folder in its place: %v, %v", ok, err)
	}
	if err := index.Put(t.Context(), key, want); err == nil {
		t.Error("put in the place of a folder")
	}
}
