package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/media"
)

// read makes what the model sees of a body. What it is told to be counts only as
// far as the bytes bear it out.
func (p *Page) read(ctx context.Context, body []byte, contentType string, base *url.URL, o Options) error {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = ""
	}
	if pdf := pdfStart(body); pdf != nil && kind != "text/plain" {
		return p.readPDF(pdf, o)
	}
	if picture, _ := media.ReadPicture(body); picture.MediaType != "" && !strings.HasPrefix(kind, "text/") {
		return p.readPicture(body)
	}
	switch {
	case strings.HasSuffix(kind, "/pdf") || strings.HasSuffix(kind, "/x-pdf"):
		return errors.New("the body is labelled as a PDF, but is not one")
	case strings.HasPrefix(kind, "image/") && kind != "image/svg+xml":
		if !strings.Contains("image/png image/jpeg image/jpg image/gif image/webp", kind) {
			return fmt.Errorf("the content has the type %s, which can't be shown", clip(kind))
		}
		return errors.New("the body is labelled as a picture, but is not one")
	case kind == "" || generic[kind]:
		contentType = http.DetectContentType(body)
		kind, _, _ = mime.ParseMediaType(contentType)
		contentType = kind // its charset is a guess
	}
	p.Kind = kind
	switch {
	case kind == "text/html" || kind == "application/xhtml+xml":
		text, err := decode(body, contentType)
		if err != nil {
			return err
		}
		t, err := markdown(ctx, text, base)
		p.Title, p.Text, p.LeftOut, p.Hidden = t.title, t.markdown, t.beside, t.hidden
		return err
	case binary.MatchString(kind), !textual(kind) && !looksTextual(body):
		return fmt.Errorf("the content has the type %s, which can't be shown", clip(kind))
	}
	text, err := decode(body, contentType)
	if err != nil {
		return err
	}
	if strings.ContainsRune(text, 0) {
		return fmt.Errorf("the body is labelled as text (%s), but is not text", clip(kind))
	}
	p.Text = visibleOnly(strings.ReplaceAll(text, "\r\n", "\n"))
	return nil
}

// generic are the types of servers that don't know what they serve.
var generic = map[string]bool{"application/octet-stream": true, "binary/octet-stream": true, "application/x-download": true, "application/force-download": true,
	"application/download": true, "application/unknown": true, "application/x-unknown": true, "content/unknown": true, "unknown/unknown": true, "*/*": true}

// binary are types of which nothing is text, whatever its bytes look like.
var binary = regexp.MustCompile(`^(?:audio|video|font|model|chemical)/|^application/(?:zip|gzip|x-gzip|x-tar|x-bzip2?|x-7z-compressed|x-rar-compressed|vnd\.rar|zstd|wasm|java-archive|msword|vnd\.(?:ms-|openxmlformats|oasis)|x-executable|x-msdownload|x-mach-binary|x-sharedlib|font)`)

// textual tells the types that are text.
func textual(kind string) bool {
	return strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "message/") || kind == "application/json" || kind == "application/xml" || kind == "image/svg+xml" ||
		strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+yaml")
}

// looksTextual goes by the bytes, since there is no end of names for kinds of
// text: YAML, TOML, scripts, SQL, TeX.
func looksTextual(body []byte) bool {
	if len(body) == 0 || !utf8.Valid(body) {
		return false
	}
	for _, b := range body {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' && b != '\f' && b != 0x1b || b == 0x7f {
			return false
		}
	}
	return true
}

// pdfStart is body from the PDF's header on, before which some servers write
// blanks or a byte order mark; nil if it is not a PDF.
func pdfStart(body []byte) []byte {
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(body, " \t\r\n\x00"), []byte("\xef\xbb\xbf")), " \t\r\n\x00")
	if bytes.HasPrefix(trimmed, []byte("%PDF-")) {
		return trimmed
	}
	return nil
}

func (p *Page) readPDF(body []byte, o Options) error {
	p.Kind, p.Data = "application/pdf", body
	pdf, err := media.ReadPDF(body)
	if err != nil {
		return err
	}
	return pdf.Check(media.Limits{Pages: o.MaxPages})
}

func (p *Page) readPicture(body []byte) error {
	picture, err := media.ReadPicture(body)
	if err != nil {
		return err
	}
	p.Kind, p.Data = picture.MediaType, body
	return picture.Check(media.Limits{})
}
