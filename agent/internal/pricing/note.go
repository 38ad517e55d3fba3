package pricing

import (
	"bytes"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// endpoint is the member of a note's data that names the endpoint which answered.
const endpoint = "whorl_endpoint"

// NoteData is a response as the data of a note: its own JSON, and behind it the
// endpoint that answered, if several could have, so that the note has its price.
func NoteData(resp *transport.Response) []byte {
	raw := bytes.TrimRight(resp.Raw(), " \t\r\n")
	if resp.Meta.Endpoint == "" || len(raw) < 2 || raw[len(raw)-1] != '}' {
		return resp.Raw()
	}
	out := bytes.TrimRight(bytes.Clone(raw[:len(raw)-1]), " \t\r\n")
	if out[len(out)-1] != '{' {
		out = append(out, ',')
	}
	out = append(out, `"`+endpoint+`":`...)
	return append(rawjson.AppendString(out, resp.Meta.Endpoint), '}')
}

// OfNote is the response that NoteData has written.
func OfNote(data []byte) (*transport.Response, error) {
	resp, err := transport.ParseResponse(data)
	if err == nil {
		resp.Meta.Endpoint = rawjson.GetString(data, endpoint)
	}
	return resp, err
}
