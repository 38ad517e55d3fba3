package anthropic

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A File describes a file that the service stores. Requests refer to it by its ID.
type File struct {
	ID           string    `json:"id"`
	Filename     string    `json:"filename"`
	MimeType     string    `json:"mime_type"`
	SizeBytes    int64     `json:"size_bytes"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at"` // zero if it doesn't expire
	Downloadable bool      `json:"downloadable"`
}

// An Upload is a file to be sent to the service, of at most 500 MB.
type Upload struct {
	Filename string // at most 500 characters
	MimeType string // empty means application/octet-stream
	// Content is read once. A failed upload is retried only if Content is an
	// [io.Seeker] that can seek; a pipe can't.
	Content io.Reader
	// ExpiresIn is the time after which the service deletes the file; 0 means never.
	ExpiresIn time.Duration
}

const filesPath = "/v1/files"

// UploadFile uploads a file.
func (c *Client) UploadFile(ctx context.Context, u Upload) (File, error) {
	if u.Filename == "" || u.Content == nil {
		return File{}, errors.New("anthropic: upload: a file needs a Filename and Content")
	}
	if !isHeaderValue(u.MimeType) {
		return File{}, fmt.Errorf("anthropic: upload %s: MimeType %q can't be sent: it has control characters", u.Filename, u.MimeType)
	}
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	if u.ExpiresIn > 0 {
		_ = w.WriteField("expires_in_seconds", strconv.FormatInt(int64(u.ExpiresIn/time.Second), 10))
	}
	part := make(textproto.MIMEHeader)
	part.Set("Content-Disposition", fmt.Sprintf(`form-data; name="file"; filename="%s"`, quoteEscaper.Replace(u.Filename)))
	part.Set("Content-Type", cmp.Or(u.MimeType, "application/octet-stream"))
	_, _ = w.CreatePart(part)
	tail := "\r\n--" + w.Boundary() + "--\r\n"

	k := &call{method: http.MethodPost, path: filesPath, contentType: w.FormDataContentType(), length: -1, needs: []string{"id"}}
	var start int64
	seeker, ok := u.Content.(io.Seeker)
	if ok {
		var err error
		if start, err = seeker.Seek(0, io.SeekCurrent); err != nil { // a pipe, which an os.File may be
			seeker = nil
		}
	}
	k.once = seeker == nil
	k.body = func() (io.ReadCloser, error) {
		if seeker != nil {
			if _, err := seeker.Seek(start, io.SeekStart); err != nil {
				return nil, err
			}
		}
		return io.NopCloser(io.MultiReader(bytes.NewReader(head.Bytes()), u.Content, strings.NewReader(tail))), nil
	}
	var f File
	err := c.fetch(ctx, k, &f)
	return f, err
}

var quoteEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A")

// File returns the description of a file.
func (c *Client) File(ctx context.Context, id string) (File, error) {
	var f File
	err := c.file(ctx, http.MethodGet, id, &f)
	return f, err
}

// DeleteFile deletes a file.
func (c *Client) DeleteFile(ctx context.Context, id string) error {
	var deleted struct{}
	return c.file(ctx, http.MethodDelete, id, &deleted)
}

func (c *Client) file(ctx context.Context, method, id string, v any) error {
	id, err := pathID("file", id)
	if err != nil {
		return err
	}
	return c.fetch(ctx, &call{method: method, path: filesPath + "/" + id, needs: []string{"id"}}, v)
}

// Files yields the descriptions of the files, newest first.
func (c *Client) Files(ctx context.Context) iter.Seq2[File, error] {
	return list[File](ctx, c, filesPath, "1000")
}

// DownloadFile returns the content of a file that code execution or a skill created;
// uploaded files can't be downloaded. The caller must close the reader.
func (c *Client) DownloadFile(ctx context.Context, id string) (io.ReadCloser, error) {
	id, err := pathID("file", id)
	if err != nil {
		return nil, err
	}
	k := &call{method: http.MethodGet, path: filesPath + "/" + id + "/content"}
	a, err := c.open(ctx, k)
	if err != nil {
		return nil, err
	}
	if err := c.checkDownload(k, a); err != nil {
		a.close()
		return nil, err
	}
	return &download{a}, nil
}

// checkDownload tells the answer of something that doesn't have the endpoint from
// a file: a web page or a short JSON object that reports a failure, from a server
// that names no file. A file may be either, so that in doubt it is one.
func (c *Client) checkDownload(k *call, a *answer) error {
	if a.header.Get("Content-Disposition") != "" || a.header.Get("Request-Id") != "" {
		return nil
	}
	switch formOf(a.body) {
	case formPage:
		if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			return c.unexpected(k, "it is a web page", a.body.head)
		}
	case formJSON:
		const short = 4 << 10
		raw, err := io.ReadAll(io.LimitReader(a.body, short))
		a.body = &headReader{head: raw, src: a.body.src}
		if err != nil || len(raw) == short {
			return err
		}
		if err := c.errorIn(raw); err != nil {
			return err
		}
		if string(rawjson.Get(raw, "success")) == "false" || !rawjson.IsNull(rawjson.Get(rawjson.Get(raw, "Output"), "__type")) {
			return c.unexpected(k, "it reports a failure", raw)
		}
	}
	return nil
}

type download struct{ a *answer }

func (d *download) Read(p []byte) (int, error) { return d.a.body.Read(p) }

func (d *download) Close() error {
	d.a.close()
	return nil
}
