package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/dialect"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Since revision 2026-07-28 a server that needs a user's answer for a call ends
// the call with its questions and a state, and the client makes the call again
// with the answers. So a question can wait for days, without a connection: it is
// a question of the run's ([tools.Host]). Earlier revisions ask while the call
// runs, which can't wait: such a question is for Options.Ask.

const (
	retryRevision = "2026-07-28"
	maxRounds     = 10 // of questions in one call
	maxAsked      = 16 // questions at once that a server asks while its calls run
	roundNote     = "mcp/input"
)

// offer says in a request what the server may answer it with: a task, and questions
// where there is somebody to ask.
func (c *Client) offer(ctx context.Context, s *session, meta sdk.Meta) {
	if init := s.InitializeResult(); init == nil || init.ProtocolVersion < retryRevision {
		return
	}
	offers := map[string]any{"extensions": map[string]any{tasksExtension: struct{}{}}}
	if _, hosted := tools.HostOf(ctx); hosted || c.options.Ask != nil {
		offers["elicitation"] = map[string]any{"form": struct{}{}, "url": struct{}{}}
	}
	meta[sdk.MetaKeyClientCapabilities] = offers
}

// A round is what a server has asked, as it is noted in the run's log.
type round struct {
	Requests map[string]json.RawMessage `json:"requests,omitempty"` // of elicitation, by the server's ids
	State    string                     `json:"state,omitempty"`
}

// elicited makes a call, and asks what the server wants to know for it. A call
// that runs again goes on with the round that was noted last.
func (c *Client) elicited(ctx context.Context, name string, input json.RawMessage) (*sdk.CallToolResult, error) {
	params := &sdk.CallToolParams{Name: name, Arguments: input}
	host, hosted := tools.HostOf(ctx)
	ask := c.options.Ask
	if hosted {
		ask = host.Ask
	}
	var noted []json.RawMessage
	if hosted {
		if task, err := notedTask(ctx, host); err != nil || task != nil {
			if err != nil {
				return nil, err
			}
			return c.follow(ctx, task, host, ask)
		}
		var err error
		if noted, err = host.Notes(ctx, roundNote); err != nil {
			return nil, err
		}
	}
	for n := 0; n < maxRounds; n++ {
		var r round
		if n < len(noted) {
			if err := json.Unmarshal(noted[n], &r); err != nil {
				return nil, fmt.Errorf("what the server had asked can't be read: %w", err)
			}
		} else {
			result, err := c.once(ctx, params)
			if err != nil {
				return nil, err
			}
			if task := taskOf(result); task != nil {
				if hosted {
					if err := host.Note(context.WithoutCancel(ctx), tools.NoteResumable, task); err != nil {
						return nil, err
					}
				}
				return c.follow(ctx, task, host, ask)
			}
			if !result.NeedsInput() {
				return result, nil
			}
			if r, err = asked(result); err != nil {
				return nil, err
			}
			if len(r.Requests) > 0 && ask == nil {
				return nil, fmt.Errorf("the server asks the user, but there is no one to ask: %s", messages(r))
			}
			if hosted {
				raw, err := json.Marshal(r)
				if err == nil {
					err = host.Note(ctx, roundNote, raw)
				}
				if err != nil {
					return nil, err
				}
			}
		}
		params.RequestState, params.InputResponses = r.State, sdk.InputResponseMap{}
		var waiting error
		for _, id := range slices.Sorted(maps.Keys(r.Requests)) {
			answer, err := c.ask(ctx, ask, fmt.Sprintf("%d/%s", n+1, id), r.Requests[id])
			switch {
			case errors.Is(err, tools.ErrWaiting):
				waiting = err
			case err != nil:
				return nil, err
			default:
				params.InputResponses[id] = answer
			}
		}
		if waiting != nil {
			return nil, waiting
		}
	}
	return nil, fmt.Errorf("the server asked %d times in one call, which is the limit", maxRounds)
}

// asked is what a result asks for. What is not offered is an error.
func asked(result *sdk.CallToolResult) (round, error) {
	r := round{State: result.RequestState, Requests: map[string]json.RawMessage{}}
	for id, request := range result.InputRequests {
		e, ok := request.(*sdk.ElicitParams)
		if !ok {
			return r, notOffered(id)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			return r, err
		}
		r.Requests[id] = raw
	}
	return r, nil
}

func notOffered(id string) error {
	return fmt.Errorf("the server makes a request that this client does not support: %q is for a model or for folders", id)
}

// askedRequests is what a task asks for.
func askedRequests(raw []byte) (map[string]json.RawMessage, error) {
	requests := map[string]json.RawMessage{}
	for id, one := range rawjson.Members(raw) {
		params := rawjson.Get(one, "params")
		if rawjson.GetString(one, "method") != "elicitation/create" {
			return nil, notOffered(id)
		}
		if len(params) == 0 || params[0] != '{' {
			return nil, fmt.Errorf("what the server asks as %q can't be read", id)
		}
		requests[id] = json.RawMessage(params)
	}
	return requests, nil
}

func messages(r round) string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(r.Requests)) {
		var e sdk.ElicitParams
		if json.Unmarshal(r.Requests[id], &e) == nil {
			all = append(all, e.Message)
		}
	}
	return strings.Join(all, "; ")
}

// An asker is what answers a question: a run, or Options.Ask.
type asker func(context.Context, tools.Question) (tools.Answer, error)

// askedInCall answers a question that a server asks while its call runs.
func (c *Client) askedInCall(ctx context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
	raw, err := json.Marshal(r.Params)
	if err != nil {
		return nil, err
	}
	if c.asking.Add(1) > maxAsked {
		c.asking.Add(-1)
		c.log.Warn("mcp: a question of the server's was cancelled", "reason", "as many others are open as may be")
		return &sdk.ElicitResult{Action: "cancel"}, nil
	}
	defer c.asking.Add(-1)
	answer, err := c.ask(ctx, c.options.Ask, "question", raw)
	if err != nil && ctx.Err() == nil {
		c.log.Warn("mcp: a question of the server's was cancelled", "reason", c.hide.text(err.Error()))
		return &sdk.ElicitResult{Action: "cancel"}, nil
	}
	return answer, err
}

// ask puts one question of the server's.
func (c *Client) ask(ctx context.Context, ask asker, key string, raw json.RawMessage) (*sdk.ElicitResult, error) {
	var e sdk.ElicitParams
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("what the server asks can't be read: %w", err)
	}
	q := tools.Question{Key: "mcp/" + key, Kind: "elicitation", Prompt: e.Message, Data: raw}
	var schema json.RawMessage
	form := e.URL == ""
	if form {
		var err error
		if schema, err = json.Marshal(e.RequestedSchema); err != nil {
			return nil, err
		}
		if translated, err := dialect.Translate(schema); err == nil {
			q.Schema = withoutDefaulted(translated.Checked)
		}
	} else {
		q.Choices = []tools.Choice{{Value: json.RawMessage("true"), Label: "done"}, {Value: json.RawMessage("false"), Label: "decline"}}
	}
	answer, err := ask(ctx, q)
	switch {
	case errors.Is(err, tools.ErrDeclined):
		return &sdk.ElicitResult{Action: "decline"}, nil
	case errors.Is(err, tools.ErrExpired):
		return &sdk.ElicitResult{Action: "cancel"}, nil
	case err != nil:
		return nil, err
	case !form && string(answer.Value) == "true":
		return &sdk.ElicitResult{Action: "accept"}, nil
	case !form:
		return &sdk.ElicitResult{Action: "decline"}, nil
	}
	if err := q.Check(answer.Value); err != nil {
		return nil, fmt.Errorf("the answer to %q doesn't fit: %w", e.Message, err)
	}
	result := &sdk.ElicitResult{Action: "accept"}
	if err := decode(answer.Value, &result.Content); err != nil {
		return nil, fmt.Errorf("the answer to %q is no object: %w", e.Message, err)
	}
	if result.Content == nil {
		result.Content = map[string]any{}
	}
	for name, property := range rawjson.Members(rawjson.Get(schema, "properties")) {
		if _, has := result.Content[name]; has {
			continue
		}
		if d := rawjson.Get(property, "default"); len(d) > 0 {
			var v any
			if decode(d, &v) == nil {
				result.Content[name] = v
			}
		}
	}
	return result, nil
}

// withoutDefaulted is a schema that doesn't require the properties which have a
// default: what is not answered has that.
func withoutDefaulted(schema json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	var required []string
	if json.Unmarshal(schema, &fields) != nil || json.Unmarshal(fields["required"], &required) != nil {
		return schema
	}
	properties := rawjson.Members(fields["properties"])
	kept := slices.DeleteFunc(required, func(name string) bool {
		for n, p := range properties {
			if n == name && len(rawjson.Get(p, "default")) > 0 {
				return true
			}
		}
		return false
	})
	if kept == nil {
		kept = []string{}
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return schema
	}
	fields["required"] = raw
	if out, err := json.Marshal(fields); err == nil {
		return out
	}
	return schema
}

// decode keeps whole numbers as they are written. The SDK's check of answers knows
// Go's numbers only.
func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	switch v := into.(type) {
	case *any:
		*v = goNumbers(*v)
	case *map[string]any:
		for key, one := range *v {
			(*v)[key] = goNumbers(one)
		}
	}
	return nil
}

func goNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	case map[string]any:
		for key, one := range v {
			v[key] = goNumbers(one)
		}
	case []any:
		for i, one := range v {
			v[i] = goNumbers(one)
		}
	}
	return v
}
