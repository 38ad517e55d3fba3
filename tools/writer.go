package tools

import (
	"encoding/json"
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An objectWriter writes a JSON object, member by member, in the order of the
// calls. Empty members are left out.
type objectWriter struct {
	out []byte
	err error
}

func (w *objectWriter) raw(name string, value []byte) {
	if len(value) == 0 {
		return
	}
	if len(w.out) == 0 {
		w.out = append(w.out, '{')
	} else {
		w.out = append(w.out, ',')
	}
	w.out = rawjson.AppendString(w.out, name)
	w.out = append(w.out, ':')
	w.out = append(w.out, value...)
}

func (w *objectWriter) text(name, value string) {
	if value != "" {
		w.raw(name, rawjson.AppendString(nil, value))
	}
}

func (w *objectWriter) flag(name string, value bool) {
	if value {
		w.raw(name, []byte("true"))
	}
}

func (w *objectWriter) number(name string, value int) {
	if value < 0 {
		w.fail("%s must not be negative", name)
	}
	w.value(name, value, value != 0)
}

// value writes v as JSON if it is wanted.
func (w *objectWriter) value(name string, v any, wanted bool) {
	if !wanted {
		return
	}
	raw, err := rawjson.Marshal(v)
	if err != nil {
		w.fail("%s: %w", name, err)
	}
	w.raw(name, raw)
}

// fail keeps the first thing that is wrong.
func (w *objectWriter) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *objectWriter) cacheControl(c *transport.CacheControl) {
	w.raw("cache_control", cacheControlJSON(c))
}

func cacheControlJSON(c *transport.CacheControl) json.RawMessage {
	switch {
	case c == nil:
		return nil
	case c.TTL == "":
		return json.RawMessage(`{"type":"ephemeral"}`)
	}
	return append(rawjson.AppendString([]byte(`{"type":"ephemeral","ttl":`), string(c.TTL)), '}')
}

// definition returns what was written. The writer must not be used again.
func (w *objectWriter) definition() (transport.ToolDefinition, error) {
	if w.err != nil {
		return transport.ToolDefinition{}, w.err
	}
	return transport.ParseToolDefinition(append(w.out, '}'))
}
