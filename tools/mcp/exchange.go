package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A sending is what is known of one request: whether it has gone out and whether
// it was answered. What became of a call is judged by this, and never by the
// words of an error.
type sending struct {
	sent     atomic.Bool  // bytes of it have gone out
	answered atomic.Bool  // the server has answered it, with a result or an error
	status   atomic.Int64 // of the HTTP response; 0 if there was none
	bytes    atomic.Int64 // of the answer
}

type sendingKey struct{}

func withSending(ctx context.Context) (context.Context, *sending) {
	s := &sending{}
	return context.WithValue(ctx, sendingKey{}, s), s
}

// sendingOf is never nil.
func sendingOf(ctx context.Context) *sending {
	if s, ok := ctx.Value(sendingKey{}).(*sending); ok {
		return s
	}
	return &sending{}
}

// exchanges are the requests of one connection that wait for an answer. It repairs
// the answers, so that one thing in them which the SDK can't read costs that thing
// and no other.
type exchanges struct {
	log     *slog.Logger
	mu      sync.Mutex
	waiting map[string]*exchange // by the request's id as it stands in JSON
}

type exchange struct {
	ctx    context.Context
	method string
	*sending
}

func newExchanges(log *slog.Logger) *exchanges {
	return &exchanges{log: log, waiting: map[string]*exchange{}}
}

// sends notes a message that is about to go out.
func (x *exchanges) sends(ctx context.Context, raw []byte) *sending {
	s := sendingOf(ctx)
	id, method := rawjson.Get(raw, "id"), rawjson.GetString(raw, "method")
	if len(id) == 0 || method == "" {
		return s
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.waiting) >= 64 {
		for id, e := range x.waiting { // of calls that were given up
			if e.ctx.Err() != nil {
				delete(x.waiting, id)
			}
		}
	}
	x.waiting[string(id)] = &exchange{ctx: ctx, method: method, sending: s}
	return s
}

// received returns a message of the server as the SDK can read it. It is nil for
// what is no message.
func (x *exchanges) received(raw []byte) []byte {
	raw = rawjson.Trim(raw)
	if len(raw) == 0 || raw[0] != '{' || !rawjson.Valid(raw) {
		return nil
	}
	if rawjson.GetString(raw, "method") != "" {
		if _, err := jsonrpc.DecodeMessage(raw); err != nil {
			return nil
		}
		return raw
	}
	id, e := x.answeredBy(raw)
	if e == nil {
		return nil // an answer to nothing
	}
	e.answered.Store(true)
	e.bytes.Add(int64(len(raw)))
	if failure := rawjson.Get(raw, "error"); len(failure) > 0 && !rawjson.IsNull(failure) {
		return response(id, "error", mendError(failure))
	}
	result := rawjson.Get(raw, "result")
	if len(result) == 0 || rawjson.IsNull(result) {
		result = []byte("{}")
	}
	if result[0] != '{' && e.method != "tools/call" {
		return response(id, "error", errorObject("the server's result of "+e.method+" is no object"))
	}
	if err := readableRequests(rawjson.Get(result, "inputRequests")); err != nil && e.method != "tasks/get" {
		return response(id, "error", errorObject(err.Error()))
	}
	switch e.method {
	case "tasks/get", "tasks/update", "tasks/cancel":
		result = append(rawjson.AppendString([]byte(`{"raw":`), string(result)), '}')
	case "tools/list":
		result = mendList(result, x.log)
	case "tools/call":
		result = mendResult(result)
	case "resources/list":
		result = mendItems(result, "resources", &sdk.ListResourcesResult{}, x.log)
	case "resources/templates/list":
		result = mendItems(result, "resourceTemplates", &sdk.ListResourceTemplatesResult{}, x.log)
	case "resources/read":
		result = mendItems(result, "contents", &sdk.ReadResourceResult{}, x.log)
	case "prompts/list":
		result = mendItems(result, "prompts", &sdk.ListPromptsResult{}, x.log)
	case "prompts/get":
		result = mendPrompt(result)
	}
	return response(id, "result", result)
}

// answeredBy takes the request that a message answers. Some servers write the
// number of a request in quotes, and JSON-RPC has null where a server couldn't read
// the id: that is the answer to the one request that waits.
func (x *exchanges) answeredBy(raw []byte) (id string, e *exchange) {
	id = string(rawjson.Get(raw, "id"))
	if e = x.take(id); e != nil {
		return id, e
	}
	if len(id) > 2 && id[0] == '"' {
		id = id[1 : len(id)-1]
		return id, x.take(id)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if (id == "" || id == "null") && len(rawjson.Get(raw, "error")) > 0 && len(x.waiting) == 1 {
		for id, e = range x.waiting {
			delete(x.waiting, id)
			return id, e
		}
	}
	return id, nil
}

func (x *exchanges) take(id string) *exchange {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.waiting[id]
	delete(x.waiting, id)
	return e
}

// tooLong returns the messages that answer the requests which an answer of more
// than most bytes was for: the one with its id, or if that isn't known, all that wait.
func (x *exchanges) tooLong(id string, most int) [][]byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	text := fmt.Sprintf("the server's answer has more than %d bytes and was not read; ask for less at once", most)
	var out [][]byte
	for other, e := range x.waiting {
		if id != "" && id != other {
			continue
		}
		e.answered.Store(true)
		delete(x.waiting, other)
		out = append(out, response(other, "error", errorObject(text)))
	}
	return out
}

func response(id, key string, value []byte) []byte {
	out := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	out = append(append(out, `,"`+key+`":`...), value...)
	return append(out, '}')
}

func errorObject(text string) []byte {
	return append(rawjson.AppendString([]byte(`{"code":-32603,"message":`), text), '}')
}

// mendError makes of what a server gives as its error one that can be read.
func mendError(raw []byte) []byte {
	var e jsonrpc.Error
	if raw[0] == '{' && json.Unmarshal(raw, &e) == nil {
		return raw
	}
	if text := rawjson.GetString(raw, "message"); text != "" {
		return errorObject(text)
	}
	if raw[0] == '"' {
		return errorObject(rawjson.Unquote(raw))
	}
	return errorObject(string(raw))
}
