package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"
	"weak"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A payload is a picture or document.
type payload struct {
	key       string
	mediaType string
	data      []byte
}

func (p payload) upload(expires time.Duration) anthropic.Upload {
	name := strings.TrimPrefix(p.key, "sha256:")[:16]
	if ext, _ := mime.ExtensionsByType(p.mediaType); len(ext) > 0 {
		name += ext[0]
	}
	return anthropic.Upload{Filename: name, MimeType: p.mediaType, Content: bytes.NewReader(p.data), ExpiresIn: expires}
}

func contains(text, id string) bool { return id != "" && strings.Contains(text, id) }

// replace returns the request with files in the place of what is big enough, and
// which files it uses. Those that are stale are uploaded again. The request itself is
// not changed.
func (f *Files) replace(ctx context.Context, req *transport.Request, stale []use) (*transport.Request, []use, error) {
	out := req
	var used []use
	for i, m := range req.Messages {
		if m.Role != transport.RoleUser {
			continue
		}
		var content []transport.Block
		for j, b := range m.Content {
			done, err := f.block(ctx, b, fmt.Sprintf("messages.%d.content.%d", i, j), stale)
			if err != nil {
				return nil, nil, err
			}
			if len(done.uses) == 0 {
				continue
			}
			used = append(used, done.uses...)
			if content == nil {
				content = slices.Clone(m.Content)
			}
			content[j] = done.block
		}
		if content == nil {
			continue
		}
		if out == req {
			sent := *req
			sent.Messages = slices.Clone(req.Messages)
			out = &sent
		}
		out.Messages[i] = transport.Message{Role: m.Role, Content: content, ClearAt: m.ClearAt, OutputConfig: m.OutputConfig, Extra: m.Extra}
	}
	return out, used, nil
}

// A replaced block is one with files in the place of base64; it has no uses if there
// was nothing to replace.
type replaced struct {
	block transport.Block
	uses  []use
	until time.Time // when it has to be made again; zero means never
}

// maxReplaced is how many blocks are remembered.
const maxReplaced = 4096

// block replaces what is in a block. A block is the same bytes in each request of a
// log, and is looked at once: by the place of its bytes, which it doesn't keep alive.
func (f *Files) block(ctx context.Context, b transport.Block, place string, stale []use) (replaced, error) {
	raw := b.Raw()
	if base64.StdEncoding.DecodedLen(len(raw)) < f.opts.MinBytes {
		return replaced{}, nil
	}
	key := weak.Make(&raw[0])
	f.mu.Lock()
	done, ok := f.blocks[key]
	f.mu.Unlock()
	if ok && (done.until.IsZero() || time.Now().Before(done.until)) && !slices.ContainsFunc(done.uses, func(u use) bool { return slices.Contains(stale, u) }) {
		return done, nil
	}
	done = replaced{}
	out, err := f.rewrite(ctx, b, place, stale, &done)
	if err == nil && out != nil {
		done.block, err = transport.ParseBlock(out)
	}
	if err != nil {
		return replaced{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blocks == nil || len(f.blocks) >= maxReplaced {
		f.blocks = make(map[weak.Pointer[byte]]replaced)
	}
	f.blocks[key] = done
	return done, nil
}

// rewrite is the text of a block with files in it; nil if there is nothing to replace.
func (f *Files) rewrite(ctx context.Context, b transport.Block, place string, stale []use, done *replaced) ([]byte, error) {
	raw := b.Raw()
	switch b.Type() {
	case transport.TypeImage, transport.TypeDocument:
		return f.source(ctx, raw, place, stale, done)
	case transport.TypeToolResult:
	default:
		return nil, nil
	}
	var failed error
	out := rawjson.Rewrite(nil, raw, func(dst, key, value []byte) []byte {
		if string(key) != "content" || len(value) == 0 || value[0] != '[' {
			return append(dst, value...)
		}
		at, i := 0, 0 // up to at the list is written
		for e := range rawjson.Elements(value) {
			first := at + bytes.Index(value[at:], e) // an element is a part of the list
			with := []byte(nil)
			if typ := transport.BlockType(rawjson.GetString(e, "type")); failed == nil && (typ == transport.TypeImage || typ == transport.TypeDocument) {
				with, failed = f.source(ctx, e, fmt.Sprintf("%s.content.%d", place, i), stale, done)
			}
			if with == nil {
				with = e
			}
			dst = append(append(dst, value[at:first]...), with...)
			at = first + len(e)
			i++
		}
		return append(dst, value[at:]...)
	})
	if failed != nil || len(done.uses) == 0 {
		return nil, failed
	}
	return out, nil
}

// source is a picture or document with a file as its source; nil if it stays as it is.
func (f *Files) source(ctx context.Context, raw []byte, place string, stale []use, done *replaced) ([]byte, error) {
	source := rawjson.Get(raw, "source")
	if len(source) == 0 || source[0] != '{' || rawjson.GetString(source, "type") != "base64" {
		return nil, nil
	}
	text := rawjson.GetString(source, "data")
	if base64.StdEncoding.DecodedLen(len(text)) < f.opts.MinBytes {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) < f.opts.MinBytes {
		return nil, nil // the service says what is wrong with it
	}
	sum := sha256.Sum256(data)
	p := payload{"sha256:" + hex.EncodeToString(sum[:]), rawjson.GetString(source, "media_type"), data}
	ref, err := f.file(ctx, p, stale)
	if err != nil {
		return nil, &UploadError{Place: place, Key: p.key, Err: err}
	}
	done.uses = append(done.uses, use{p.key, ref.ID})
	if end := f.renewed(ref); !end.IsZero() && (done.until.IsZero() || end.Before(done.until)) {
		done.until = end
	}
	return rawjson.Rewrite(nil, raw, func(dst, key, value []byte) []byte {
		if string(key) != "source" {
			return append(dst, value...)
		}
		dst = append(dst, `{"type":"file","file_id":`...)
		return append(rawjson.AppendString(dst, ref.ID), '}')
	}), nil
}
