package blob

import (
	"errors"
	"slices"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// fill puts payloads back into a record, in the place of their names. What it makes
// isn't parsed again: it is JSON with base64 in the place of strings.
func fill(r memory.Record, get func(name string) (memory.Blob, error)) (memory.Record, error) {
	if len(r.Aside) == 0 {
		return r, nil
	}
	payloads := make([]rawjson.Payload, len(r.Aside))
	for i, name := range r.Aside {
		b, err := get(name)
		if err == nil {
			err = check(b)
		}
		if err != nil {
			return r, &LostError{Name: name, Err: err}
		}
		payloads[i] = rawjson.Payload{Name: name, Data: b.Data[1:]}
	}
	r.Aside = nil
	r.Block = r.Block.Embed(payloads)
	if len(r.Message.Content) > 0 {
		content := slices.Clone(r.Message.Content)
		for i, b := range content {
			content[i] = b.Embed(payloads)
		}
		r.Message.Content = content
	}
	if r.Response != nil {
		raw := r.Response.Raw()
		if text := rawjson.Embed(raw, payloads); len(text) != len(raw) {
			resp, err := transport.ParseResponse(text) // whose blocks are parts of it
			if err != nil {
				return r, err
			}
			resp.Cut, resp.Meta = r.Response.Cut, r.Response.Meta
			r.Response = resp
		}
	}
	r.Data = rawjson.Embed(r.Data, payloads)
	if r.Decision != nil {
		d := *r.Decision
		d.Input = rawjson.Embed(d.Input, payloads)
		r.Decision = &d
	}
	if slices.ContainsFunc(payloads, func(p rawjson.Payload) bool { return p.Places == 0 }) {
		return r, errors.New("the place of a payload is missing")
	}
	return r, nil
}
