package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// AskOptions configure [AskUser]. The zero value suits most.
type AskOptions struct {
	// Name and Description are the tool's; empty means "ask_user" and words that say
	// what it does.
	Name        string
	Description string
	// Deadline is how long a question waits; 0 means for ever. The model is then told
	// Default, a text, or if that is empty that nobody answered in time.
	Deadline time.Duration
	Default  string
}

const askDescription = "Ask the user a question, and wait for the answer. Use it when you can't go on without knowing what the user wants; ask everything that belongs together at once. " +
	"With choices the user picks one of them, or several if you say so, or answers in own words."

// An asked is the arguments of [AskUser].
type asked struct {
	Question string   `json:"question" jsonschema_description:"The question, in words that the user understands without having seen anything else"`
	Choices  []string `json:"choices,omitempty" jsonschema_description:"Answers to choose from; leave it out for an answer in free words" jsonschema:"maxItems=50"`
	Several  bool     `json:"several,omitempty" jsonschema_description:"The user may choose more than one"`
}

// AskUser makes a tool by which the model asks the user, with choices or for free
// text. A call waits as one of [External] does, as a [Question] of Kind "user". The
// answer is a JSON string, or with several choices an array of them.
func AskUser(o AskOptions) *FuncTool {
	if o.Name == "" {
		o.Name = "ask_user"
	}
	if o.Description == "" {
		o.Description = askDescription
	}
	var given json.RawMessage
	if o.Default != "" {
		given = quotedJSON(o.Default)
	}
	t := FuncWith(o.Name, o.Description, func(ctx context.Context, in asked) (Result, error) {
		q, err := in.asQuestion()
		if err != nil {
			return Result{}, err
		}
		q.Default = given // every question is an open one, so that it fits
		return ask(ctx, q, o.Deadline)
	}, Options{Traits: Traits{Repeatable: true}})
	if err := checkQuestion(Question{Default: given}, o.Deadline); err != nil && t.err == nil {
		t.err = fmt.Errorf("tool %q: %w", o.Name, err)
	}
	return t
}

func (in asked) asQuestion() (Question, error) {
	q := Question{Kind: "user", Prompt: strings.TrimSpace(in.Question), Several: in.Several, Open: true, Schema: json.RawMessage(`{"type":"string"}`)}
	if q.Prompt == "" {
		return q, errors.New("the question is empty; say what you want to know")
	}
	if q.Several && len(in.Choices) == 0 {
		return q, errors.New("several goes with choices; give the choices, or leave several out for an answer in free words")
	}
	if q.Several {
		q.Schema = json.RawMessage(`{"type":["string","array"],"items":{"type":"string"}}`)
	}
	seen := make(map[string]bool, len(in.Choices))
	for _, c := range in.Choices {
		label := strings.TrimSpace(c)
		if label == "" || seen[label] {
			return q, errors.New("the choices have to be different and not empty")
		}
		seen[label] = true
		q.Choices = append(q.Choices, Choice{Value: quotedJSON(label)})
	}
	return q, nil
}

func quotedJSON(text string) json.RawMessage {
	raw, err := rawjson.Marshal(text)
	if err != nil { // a string always has a JSON form
		return json.RawMessage(`""`)
	}
	return raw
}
