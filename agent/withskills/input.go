package withskills

import (
	"context"
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/skills"
	"github.com/whorl-go/whorl/transport"
)

// Input returns in with the list of skills before its messages, unless the newest list
// in the conversation is the same. A new conversation begins with the list, and a
// conversation that continues keeps the list it has. If the skills have changed, or a
// compaction has removed the list, the list is appended again. Messages that were sent
// are never changed.
//
// Input returns an input without messages, which resumes a run, unchanged. Input reads
// a session from its store to find the newest list.
func Input(ctx context.Context, set *skills.Set, in agent.Input) (agent.Input, error) {
	if set == nil {
		return in, errors.New("withskills: the set is nil; make one with skills.Open or skills.Load")
	}
	if in.Prompt == "" && len(in.Messages) == 0 {
		return in, nil
	}
	said, err := said(ctx, &in)
	if err != nil {
		return in, fmt.Errorf("look for the list of skills: %w", err)
	}
	said = append(said, in.Messages...)
	list := set.Catalog()
	for i := len(said) - 1; i >= 0; i-- {
		if skills.IsCatalog(said[i]) {
			if said[i].Text() == list.Text() {
				return in, nil
			}
			break
		}
	}
	in.Messages = append([]transport.Message{list}, in.Messages...)
	return in, nil
}

// said is the conversation that the input goes on with. What is wrong with the
// input is for the run to tell.
func said(ctx context.Context, in *agent.Input) ([]transport.Message, error) {
	log := in.Log
	if log == nil && in.Store != nil && in.Session != "" {
		var err error
		if log, err = memory.OpenOrCreate(ctx, in.Store, in.Session, nil); err != nil {
			return nil, err
		}
	}
	if log == nil {
		return nil, nil
	}
	if err := log.Refresh(ctx); err != nil {
		return nil, err
	}
	messages := log.Messages()
	return messages[:len(messages):len(messages)], nil
}
