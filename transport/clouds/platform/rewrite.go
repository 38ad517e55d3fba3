package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// An Opening is the beginning of the body of a request to messages, as package transport
// writes it: the model, then max_tokens, then stream.
type Opening struct {
	Model     string
	MaxTokens int
	Stream    bool
}

// openingSize bounds the opening, in bytes: the model's id is nearly all of it.
const openingSize = 8 << 10

// Reopen replaces the opening of a request's body, and leaves the bytes after it as they
// are, without reading them. edit returns the members that replace model and stream;
// max_tokens remains.
func Reopen(req *http.Request, edit func(Opening) (members []byte, err error)) error {
	if req.GetBody == nil {
		return errNotOurs
	}
	open := req.GetBody
	body, err := open()
	if err != nil {
		return err
	}
	head := make([]byte, min(openingSize, max(req.ContentLength, 0)))
	n, err := io.ReadFull(body, head)
	body.Close()
	if err != nil && err != io.ErrUnexpectedEOF {
		return err
	}
	o, size, err := readOpening(head[:n])
	if err != nil {
		return err
	}
	members, err := edit(o)
	if err != nil {
		return err
	}
	first := append([]byte{'{'}, members...)
	first = append(first, `,"max_tokens":`...)
	first = strconv.AppendInt(first, int64(o.MaxTokens), 10)
	req.GetBody = func() (io.ReadCloser, error) {
		rest, err := open()
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, rest, int64(size)); err != nil {
			rest.Close()
			return nil, err
		}
		return &joined{Reader: io.MultiReader(bytes.NewReader(first), rest), Closer: rest}, nil
	}
	req.ContentLength += int64(len(first) - size)
	if req.Body != nil {
		req.Body.Close()
	}
	req.Body, err = req.GetBody()
	return err
}

type joined struct {
	io.Reader
	io.Closer
}

// readOpening reads the members up to the first that isn't part of the opening.
// size is how many bytes they have, the brace in front included.
func readOpening(head []byte) (o Opening, size int, err error) {
	rest, ok := bytes.CutPrefix(head, []byte(`{"model":`))
	if !ok {
		return o, 0, errNotOurs
	}
	dec := json.NewDecoder(bytes.NewReader(rest))
	if err := dec.Decode(&o.Model); err != nil {
		return o, 0, fmt.Errorf("%w: %w", errNotOurs, err)
	}
	rest = rest[dec.InputOffset():]
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"max_tokens":`)); !ok {
		return o, 0, errNotOurs
	}
	digits := 0
	for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
		digits++
	}
	if o.MaxTokens, err = strconv.Atoi(string(rest[:digits])); err != nil || digits == len(rest) {
		return o, 0, errNotOurs
	}
	rest = rest[digits:]
	if after, ok := bytes.CutPrefix(rest, []byte(`,"stream":true`)); ok {
		o.Stream, rest = true, after
	}
	return o, len(head) - len(rest), nil
}

// Betas removes the values of anthropic-beta from a request's header and returns them.
func Betas(h http.Header) []string {
	var betas []string
	for _, v := range h.Values("Anthropic-Beta") {
		for b := range strings.SplitSeq(v, ",") {
			if b = strings.TrimSpace(b); b != "" && !slices.Contains(betas, b) {
				betas = append(betas, b)
			}
		}
	}
	h.Del("Anthropic-Beta")
	return betas
}

// Quote returns s as a JSON string.
func Quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Member returns a member of a JSON object: the name and the value.
func Member(name string, value []byte) []byte {
	return append(append(Quote(name), ':'), value...)
}

// Strings returns list as a JSON array.
func Strings(list []string) []byte {
	out := []byte{'['}
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, Quote(s)...)
	}
	return append(out, ']')
}

// Prepend inserts members before the first member of a request's body, which is an object
// with at least one member.
func Prepend(req *http.Request, members []byte) error {
	if req.GetBody == nil {
		return errNotOurs
	}
	open := req.GetBody
	first := append(append([]byte{'{'}, members...), ',')
	req.GetBody = func() (io.ReadCloser, error) {
		rest, err := open()
		if err != nil {
			return nil, err
		}
		var brace [1]byte
		if _, err := io.ReadFull(rest, brace[:]); err != nil || brace[0] != '{' {
			rest.Close()
			return nil, errNotOurs
		}
		return &joined{Reader: io.MultiReader(bytes.NewReader(first), rest), Closer: rest}, nil
	}
	req.ContentLength += int64(len(first) - 1)
	if req.Body != nil {
		req.Body.Close()
	}
	var err error
	req.Body, err = req.GetBody()
	return err
}
