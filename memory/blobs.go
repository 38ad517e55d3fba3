package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
)

// Blobs keeps bytes beside the records of sessions: pictures, documents, what a
// tool overwrote. The same bytes stand in a store once, however many sessions have
// them; they are gone with the last session that has them.
type Blobs interface {
	// PutBlob gives the session a blob, and returns its name: b.Name if there is one,
	// or else [Blob.Sum]. It may be put again. It fails for a blob that [Blob.Check]
	// refuses.
	PutBlob(ctx context.Context, id string, b Blob) (name string, err error)

	// Blob returns a blob of the session, of its parent or of a parent of that. It
	// fails with [io/fs.ErrNotExist] if there is none of that name, and with [ErrCorrupt] if
	// its bytes were changed.
	Blob(ctx context.Context, id, name string) (Blob, error)

	// Blobs yields the session's own blobs, by name.
	Blobs(ctx context.Context, id string) iter.Seq2[Blob, error]
}

// A Blob is bytes with a media type.
type Blob struct {
	// Name is "sha256:" and the sum of Data in hexadecimal, or "sealed:" and a name by
	// which [github.com/whorl-go/whorl/memory/protect.Encrypted] knows what it has encrypted.
	Name      string
	MediaType string // such as "image/png"
	Data      []byte

	named *named
}

// A named is the data that a name was made for.
type named struct {
	name string
	data []byte
}

// Named returns the blob with [Blob.Sum] as its Name. [Blob.Check] then doesn't add its
// bytes up again, so they must not be modified afterwards.
func (b Blob) Named() Blob {
	b.Name = b.Sum()
	b.named = &named{b.Name, b.Data}
	return b
}

// Sum is the name of the blob's bytes: "sha256:" and 64 hexadecimal digits.
func (b Blob) Sum() string {
	sum := sha256.Sum256(b.Data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Check reports whether the blob's name is one for its bytes. An error matches
// [ErrCorrupt].
func (b Blob) Check() error {
	if n := b.named; n != nil && n.name == b.Name && len(n.data) == len(b.Data) && (len(b.Data) == 0 || &n.data[0] == &b.Data[0]) {
		return nil
	}
	if strings.HasPrefix(b.Name, sealedBlob) || b.Name == b.Sum() {
		return nil
	}
	return fmt.Errorf("blob %q: its bytes are others, or were changed: %w", b.Name, ErrCorrupt)
}

const sealedBlob = "sealed:"
