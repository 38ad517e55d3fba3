package uploads

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
)

// An Uploader uploads files. [*anthropic.Client] is one.
type Uploader interface {
	UploadFile(ctx context.Context, u anthropic.Upload) (anthropic.File, error)
}

// Options specify what to upload. Nil and the zero Options suit most programs.
type Options struct {
	// MinBytes is the minimum size, in bytes, of a picture or document to upload; 0 means
	// 65,536.
	MinBytes int
	// ExpiresIn is the time after which the service deletes a file; 0 means never. A
	// file that is still needed is uploaded again before that.
	ExpiresIn time.Duration
	// Index remembers what was uploaded; nil means in memory, for this Files only. Each
	// account of the service needs an Index of its own.
	Index Index
}

const defaultMinBytes = 64 << 10

// Files uploads the pictures and documents of requests, each content once. It is safe for
// concurrent use.
type Files struct {
	to    Uploader
	opts  Options
	index Index

	mu      sync.Mutex
	working map[string]chan struct{} // closed when the upload of a key is over
	blocks  map[weak.Pointer[byte]]replaced
}

// New returns a Files that uploads with to.
func New(to Uploader, opts *Options) *Files {
	f := &Files{to: to, index: new(ram), working: make(map[string]chan struct{})}
	if opts != nil {
		f.opts = *opts
	}
	if f.opts.MinBytes <= 0 {
		f.opts.MinBytes = defaultMinBytes
	}
	if f.opts.Index != nil {
		f.index = f.opts.Index
	}
	return f
}

// A Ref is a file at the service.
type Ref struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero if it doesn't expire
}

// An UploadError reports a picture or document that could not be uploaded. The
// request was not sent.
type UploadError struct {
	Place string // position in the request, such as messages.4.content.1
	Key   string // "sha256:" and the hash of its bytes
	Err   error
}

func (e *UploadError) Error() string {
	return fmt.Sprintf("%s: file %s can't be uploaded: %v", e.Place, e.Key, e.Err)
}

// Unwrap returns the cause.
func (e *UploadError) Unwrap() error { return e.Err }

// Middleware sends requests with files instead of base64. If the service refuses a
// request because a file has expired or is gone, Middleware uploads that file again and
// sends the request again. A request whose files can't be uploaded fails with an
// [*UploadError]. Middleware is a [transport.Middleware].
func (f *Files) Middleware(next transport.StreamFunc) transport.StreamFunc {
	return func(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
		return func(yield func(transport.Event, error) bool) {
			sent, used, err := f.replace(ctx, req, nil)
			for again := false; ; again = true {
				if err != nil {
					yield(transport.Event{}, err)
					return
				}
				begun := false
				var stale []use
				for event, err := range next(ctx, sent) {
					if err != nil && !begun && !again {
						if stale = gone(used, err); len(stale) > 0 {
							break
						}
					}
					begun = true
					if !yield(event, err) || err != nil {
						return
					}
				}
				if len(stale) == 0 {
					return
				}
				sent, used, err = f.replace(ctx, req, stale)
			}
		}
	}
}

// A use is a file in a request.
type use struct{ key, id string }

// gone returns which of the files in a request a refusal says are not there (wire
// §12.4): those that it names or, if it is about a file and names none, all. It returns
// none for a refusal that is about something else, such as a model that is not there, or
// about a file that the caller has put into the request.
func gone(used []use, err error) (list []use) {
	var e *transport.Error
	if !errors.As(err, &e) || e.Code != "file_expired" && e.Status != 404 {
		return nil
	}
	for _, u := range used {
		if contains(e.Message, u.id) {
			list = append(list, u)
		}
	}
	if len(list) > 0 || otherFile.MatchString(e.Message) {
		return list
	}
	if e.Code == "file_expired" || aboutFile.MatchString(e.Message) {
		return used
	}
	return nil
}

var (
	otherFile = regexp.MustCompile(`\bfile_[0-9A-Za-z]{8,}`)                 // an id
	aboutFile = regexp.MustCompile(`(?i)(^|[^\pL_-])files?($|[^\pL_-]|_id)`) // not "inference profile"
)

// file is the file of a content, which is uploaded if there is none, or if it is
// among those that are stale. Of several that need the same one uploads it.
func (f *Files) file(ctx context.Context, p payload, stale []use) (Ref, error) {
	for {
		f.mu.Lock()
		other := f.working[p.key]
		if other == nil {
			f.working[p.key] = make(chan struct{})
		}
		f.mu.Unlock()
		if other == nil {
			break
		}
		select {
		case <-other:
		case <-ctx.Done():
			return Ref{}, ctx.Err()
		}
	}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		close(f.working[p.key])
		delete(f.working, p.key)
	}()
	ref, ok, err := f.index.Get(ctx, p.key)
	if err != nil {
		return Ref{}, err
	}
	end := f.renewed(ref)
	if ok && (end.IsZero() || time.Now().Before(end)) && !slices.Contains(stale, use{p.key, ref.ID}) {
		return ref, nil
	}
	file, err := f.to.UploadFile(ctx, p.upload(f.opts.ExpiresIn))
	if err != nil {
		return Ref{}, err
	}
	ref = Ref{ID: file.ID, ExpiresAt: file.ExpiresAt}
	return ref, f.index.Put(ctx, p.key, ref)
}

// renewed is when a file is uploaded again: before the last tenth of its life, and
// an hour before its end at the most. It is zero for one that doesn't expire.
func (f *Files) renewed(ref Ref) time.Time {
	if ref.ExpiresAt.IsZero() {
		return time.Time{}
	}
	early := time.Hour
	if f.opts.ExpiresIn > 0 {
		early = min(early, f.opts.ExpiresIn/10)
	}
	return ref.ExpiresAt.Add(-early)
}
