package mcp

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A Prompt is the beginning of a conversation that a server offers to its clients' users.
type Prompt struct {
	Name, Description string
	Arguments         []PromptArgument
	// Messages returns the messages for the arguments. The required arguments are
	// present. It may ask the client's user through [tools.HostOf].
	Messages func(ctx context.Context, arguments map[string]string) ([]transport.Message, error)
	// Complete returns completions for an argument; nil means none. At most 100 of them
	// are sent.
	Complete Completer
}

// A PromptArgument is an argument of a Prompt that the user fills in.
type PromptArgument struct {
	Name, Description string
	Required          bool
}

func (s *served) addPrompt(server *sdk.Server, i int, p Prompt) error {
	if p.Name == "" || p.Messages == nil {
		return fmt.Errorf("mcp: prompt %d (%q) needs a Name and Messages", i, p.Name)
	}
	prompt := &sdk.Prompt{Name: p.Name, Description: p.Description}
	for _, a := range p.Arguments {
		prompt.Arguments = append(prompt.Arguments, &sdk.PromptArgument{Name: a.Name, Description: a.Description, Required: a.Required})
	}
	server.AddPrompt(prompt, s.getPrompt(p))
	return nil
}

func (s *served) getPrompt(p Prompt) sdk.PromptHandler {
	return func(ctx context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
		ctx, done := withRequest(ctx)
		defer done()
		for _, a := range p.Arguments {
			if _, has := r.Params.Arguments[a.Name]; a.Required && !has {
				return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("the argument %q is missing", a.Name)}
			}
		}
		q := &request{session: r.Session, offers: r.ClientCapabilities(), state: r.Params.RequestState, responses: r.Params.InputResponses, principal: principalOf(r.Extra)}
		q.boundTo("prompt", p.Name, sorted(r.Params.Arguments))
		host, err := s.host(q)
		if err != nil {
			return nil, err
		}
		var messages []transport.Message
		err = guarded("the prompt", s.log, func() error {
			var err error
			messages, err = p.Messages(tools.WithCall(ctx, tools.CallInfo{ID: host.state.Key, Key: host.state.Key, Name: p.Name, Host: host}), r.Params.Arguments)
			return err
		})
		if requests, state, sealErr := s.waits(host, err); sealErr != nil {
			return nil, sealErr
		} else if requests != nil {
			return &sdk.GetPromptResult{InputRequests: requests, RequestState: state}, nil
		}
		if unable := host.unable(err); unable != nil {
			return nil, unable
		}
		if err != nil {
			return nil, err
		}
		result := &sdk.GetPromptResult{Description: p.Description, Messages: []*sdk.PromptMessage{}}
		for _, m := range messages {
			for _, b := range m.Content {
				result.Messages = append(result.Messages, &sdk.PromptMessage{Role: sdk.Role(m.Role), Content: contentOf(b)})
			}
		}
		return result, nil
	}
}

// sorted is a map as bytes, the same for the same map.
func sorted(m map[string]string) []byte {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var out []byte
	for _, k := range keys {
		out = fmt.Appendf(out, "%q:%q,", k, m[k])
	}
	return out
}

const maxCompletions = 100 // of one answer, as the specification has it

// completer answers completion/complete; nil if nothing is completed.
func completer(o ServerOptions, log *slog.Logger) func(context.Context, *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
	if !slices.ContainsFunc(o.Prompts, func(p Prompt) bool { return p.Complete != nil }) &&
		!slices.ContainsFunc(o.Resources, func(r Resource) bool { return r.Complete != nil }) {
		return nil
	}
	return func(ctx context.Context, r *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
		var complete Completer
		found := false
		switch ref := r.Params.Ref; ref.Type {
		case "ref/prompt":
			for _, p := range o.Prompts {
				if p.Name == ref.Name {
					complete, found = p.Complete, true
				}
			}
		case "ref/resource":
			for _, one := range o.Resources {
				if one.URI == ref.URI {
					complete, found = one.Complete, true
				}
			}
		}
		if !found {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "what is to be completed is not served here"}
		}
		result := &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{}}}
		if complete == nil {
			return result, nil
		}
		var others map[string]string
		if r.Params.Context != nil {
			others = r.Params.Context.Arguments
		}
		var values []string
		err := guarded("the completion", log, func() (err error) {
			values, err = complete(ctx, r.Params.Argument.Name, r.Params.Argument.Value, others)
			return err
		})
		if err != nil {
			return nil, err
		}
		result.Completion.Total = len(values)
		result.Completion.HasMore = len(values) > maxCompletions
		result.Completion.Values = append(result.Completion.Values, values[:min(len(values), maxCompletions)]...)
		return result, nil
	}
}
