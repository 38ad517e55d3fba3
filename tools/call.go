package tools

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// CallInfo is the information about a call that the agent gives a running tool
// through its context.
type CallInfo struct {
	// ID is the call's id as the response has it. Some endpoints use an id more than
	// once in a session: use Key to tell calls apart.
	ID string
	// Key is unique to the call, and the same when the call runs again after a crash
	// or a wait: an idempotency key. Empty means ID.
	Key string
	// Name is the name that the model called.
	Name string
	// Meta is the metadata of the run, with its user; nil outside of one. It must not
	// be modified.
	Meta map[string]string
	// Progress reports progress; nil if nobody listens.
	Progress func(string)
	// Host is what the tool may ask of the run; nil outside of one.
	Host Host
	// Prepared are the arguments that [Prepare] has checked.
	Prepared Prepared
}

type callKey struct{}

// WithCall returns a context that carries info. The agent calls it; so does a
// test of a tool.
func WithCall(ctx context.Context, info CallInfo) context.Context {
	return context.WithValue(ctx, callKey{}, &info)
}

// CallOf returns what ctx carries of the call it belongs to. Outside of a call
// that is the zero CallInfo.
func CallOf(ctx context.Context) CallInfo {
	if info, ok := ctx.Value(callKey{}).(*CallInfo); ok {
		return *info
	}
	return CallInfo{}
}

// CallID is the id of the call that ctx belongs to, or "" outside of one.
func CallID(ctx context.Context) string { return CallOf(ctx).ID }

// CallKey is an idempotency key of the call that ctx belongs to, or "" outside of
// one. The same call has the same key if it runs again.
func CallKey(ctx context.Context) string {
	info := CallOf(ctx)
	if info.Key != "" {
		return info.Key
	}
	return info.ID
}

// Progress reports to watchers of the run how the call is getting on. It never
// blocks for long and goes nowhere outside a call.
func Progress(ctx context.Context, message string) {
	if info := CallOf(ctx); info.Progress != nil {
		info.Progress(message)
	}
}

// Prepared are arguments that a tool's [Normalizer] has accepted. A decision about
// a call is made on these: they are what the tool is given.
type Prepared struct {
	input json.RawMessage
	by    *FuncTool // has checked input
}

// Input is the normalized arguments.
func (p Prepared) Input() json.RawMessage { return p.input }

// covers reports whether t has checked input already.
func (p Prepared) covers(t *FuncTool, input json.RawMessage) bool {
	return p.by == t && t != nil && bytes.Equal(p.input, input)
}

// Prepare normalizes the arguments of a call of c, once, before anybody judges
// the call. Give the result to [WithCall] and its Input to Call: a tool made by
// [Func] or [Raw] then doesn't check the same bytes again. The error is the
// Normalizer's; for arguments that don't fit it is an [*ArgumentError], and the
// call must not run. Text that is no JSON (see [transport.InvalidJSON]) reaches no
// tool, whatever its Normalizer: it is repaired, or such an error.
func Prepare(c Callable, input json.RawMessage) (Prepared, error) {
	n, ok := As[Normalizer](c)
	by, _ := n.(*FuncTool)
	if by == nil {
		var err error
		if input, err = readInvalid(input, func() json.RawMessage { return definitionMember(c, "input_schema") }, true); err != nil {
			return Prepared{}, notJSON(rawjson.Unquote(definitionMember(c, "name")), err)
		}
	}
	if !ok {
		return Prepared{input: input}, nil
	}
	normal, err := n.Normalize(input)
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{input: normal, by: by}, nil
}

// definitionMember is a member of a tool's definition, or nil.
func definitionMember(t Tool, name string) json.RawMessage {
	d, err := t.Definition()
	if err != nil {
		return nil
	}
	return rawjson.Get(d.Raw(), name)
}
