package simulator

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"sync"

	"github.com/whorl-go/whorl/transport"
)

// maxBody is the most bytes of a request body (wire §1.5).
const maxBody = 32 << 20

// readBody reads a request's body and headers.
func (s *Server) readBody(w http.ResponseWriter, req *http.Request, r *request) ([]byte, *Refusal) {
	if req.ContentLength > maxBody {
		return nil, &Refusal{Status: http.StatusRequestEntityTooLarge, Type: transport.ErrRequestTooLarge, Message: "Request exceeds the maximum size"}
	}
	var why *Refusal
	if s.isComet() && req.Header.Get("Anthropic-Version") == "" {
		r.version = version2023
	} else if r.version, why = readVersion(req.Header); why != nil {
		return nil, why
	}
	if r.betas, why = readBetas(req.Header, s.opts.UnknownBetas || s.isComet()); why != nil {
		return nil, why
	}
	r.userProfile = req.Header.Get("Anthropic-User-Profile-Id")
	var body []byte
	var err error
	if n := int(req.ContentLength); n >= 0 {
		body = takeBuffer(n)
		_, err = io.ReadFull(req.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	}
	if err != nil {
		return nil, refuse("The request body could not be read: %v", err)
	}
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		if body, why = decompress(encoding, body); why != nil {
			return nil, why
		}
	}
	if len(body) > maxBody {
		return nil, &Refusal{Status: http.StatusRequestEntityTooLarge, Type: transport.ErrRequestTooLarge, Message: "Request exceeds the maximum size"}
	}
	if s.isComet() {
		return fromComet(body), nil
	}
	return body, nil
}

// decompress reads a body that came compressed (wire §1.5).
func decompress(encoding string, body []byte) ([]byte, *Refusal) {
	if encoding != "gzip" {
		why := refuse("Content-Encoding: %s is not supported", encoding)
		why.Code = "request_body_encoding_unsupported"
		return nil, why
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(r, maxBody+1))
	}
	if err != nil {
		why := refuse("Content-Encoding: the body is not valid gzip: %v", err)
		why.Code = "request_body_encoding_invalid"
		return nil, why
	}
	return body, nil
}

var buffers sync.Pool

func takeBuffer(n int) []byte {
	if b, ok := buffers.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n, n+n/4)
}

func giveBuffer(b []byte) { buffers.Put(&b) }
