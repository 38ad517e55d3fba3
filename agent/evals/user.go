package evals

import (
	"context"
	"fmt"

	"github.com/whorl-go/whorl/agent"
)

// A User is an agent that plays the user. It has a goal, reads the conversation and
// sends messages until it has what it wants or gives up.
type User struct {
	// Agent has the options of the agent that plays the user. It needs a Model. Its
	// System is added to its instructions. Without a Client it uses the tested agent's.
	// A cassette replaces its client as it does the tested agent's.
	Agent agent.Options
	// Goal is what the user wants, and what the user knows.
	Goal string
	// Turns is the maximum number of messages that the user sends after the case's
	// Input; 0 means 5.
	Turns int
}

type saying struct {
	Done bool   `json:"done" jsonschema_description:"Whether the goal is reached, or can't be reached any more"`
	Text string `json:"text" jsonschema_description:"What the user says next; empty if done"`
}

// next is what the user says next.
func (u *User) next(ctx context.Context, a *agent.Agent, o *Outcome, turn int, budget *agent.Budget) (text string, end bool, err error) {
	most := u.Turns
	if most == 0 {
		most = 5
	}
	if turn >= most {
		return "", true, nil
	}
	prompt := "You play a person who talks to an assistant. Say what that person would say next: short, in plain words, and nothing that the person can't know.\n\n" +
		section("goal", u.Goal) + section("conversation", o.Transcript())
	v, res, err := agent.Generate[saying](ctx, a, agent.Input{Prompt: prompt, Budget: budget})
	if res != nil && res.Log != nil {
		bill, _ := agent.BillOf(ctx, res.Log, u.Agent.Models...) // a log in memory: nothing fails
		o.Judging.Add(bill)
	}
	if err == nil && !v.Done && v.Text == "" {
		err = fmt.Errorf("it sent no message, and didn't end the conversation")
	}
	return v.Text, v.Done, err
}
