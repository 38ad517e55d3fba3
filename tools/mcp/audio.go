package mcp

import (
	"encoding/base64"
	"errors"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Audio is sound in the result of a tool that is served, a [tools.Content]. The Messages
// API has no such block, so an agent's tool should not return it.
type Audio struct {
	Data      []byte
	MediaType string // such as "audio/wav"
}

// Block implements [tools.Content].
func (a Audio) Block() (transport.Block, error) {
	if len(a.Data) == 0 || a.MediaType == "" {
		return transport.Block{}, errors.New("mcp: Audio needs Data and a MediaType")
	}
	raw := rawjson.AppendString([]byte(`{"type":"audio","data":`), base64.StdEncoding.EncodeToString(a.Data))
	raw = append(rawjson.AppendString(append(raw, `,"mimeType":`...), a.MediaType), '}')
	return transport.ParseBlock(raw)
}
