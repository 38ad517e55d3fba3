package evals

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/simulator"
)

// A rules is the model offline: it follows the prompt, unless it has a mistake.
type rules struct{ mistake string }

// mistakes are those that -mistake takes: what a changed prompt may do to an agent.
var mistakes = []string{"skip-lookup", "half-refund", "no-handover", "wordy", "invents", "twice"}

var digits = regexp.MustCompile(`\d+`)

// Respond implements [simulator.Model].
func (r rules) Respond(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	said, results := "", []string(nil)
	for _, m := range turn.Messages {
		for _, b := range m.Content {
			switch {
			case b.ToolUseID() != "":
				var v struct {
					Content []struct{ Text string }
				}
				_ = json.Unmarshal(b.Raw(), &v)
				results = append(results, v.Content[0].Text)
			case m.Role == "user" && b.Type() == "text":
				said, results = said+" "+m.Text(), nil
			}
		}
	}
	reply := r.answer(strings.ToLower(said), results)
	return &reply, nil
}

func (r rules) say(format string, args ...any) simulator.Reply {
	text := fmt.Sprintf(format, args...)
	if r.mistake == "wordy" {
		text += strings.Repeat(" Thank you for writing to Snail & Sons, the house of the snail.", 30)
	}
	return simulator.Say(text)
}

func (r rules) answer(said string, results []string) simulator.Reply {
	id, err := strconv.Atoi(digits.FindString(said))
	call := func(name string, in any) simulator.Reply { return simulator.Do(simulator.Call(name, in)) }
	about := strings.Contains(said, "order") || strings.Contains(said, "money back") || strings.Contains(said, "refund") || strings.Contains(said, "cancel")
	switch {
	case !about && r.mistake == "no-handover":
		return r.say("We are open from nine to five.")
	case !about && len(results) == 0:
		return call("hand_over", question{said})
	case !about:
		return r.say("I have handed your question to a person.")
	case err != nil:
		return r.say("Which order is it? Please tell me its number.")
	}
	if r.mistake == "skip-lookup" && strings.Contains(said, "money back") {
		results = append([]string{`{"id":7,"status":"delivered","total":12.5}`}, results...)
	}
	if len(results) == 0 || r.mistake == "twice" && len(results) == 1 {
		return call("find_order", byID{id})
	}
	if r.mistake == "twice" {
		results = results[1:]
	}
	var o order
	if json.Unmarshal([]byte(results[0]), &o) != nil {
		if r.mistake == "invents" {
			return r.say("Order %d is on its way.", id)
		}
		return r.say("I can't find order %d. Is the number right?", id)
	}
	switch wantsMoney, wantsCancel := strings.Contains(said, "money back") || strings.Contains(said, "refund"), strings.Contains(said, "cancel"); {
	case wantsMoney && o.Status != "delivered":
		return r.say("Order %d is %s; only delivered orders are refunded.", o.ID, o.Status)
	case wantsMoney && len(results) == 1:
		amount := o.Total
		if r.mistake == "half-refund" {
			amount /= 2
		}
		return call("refund", refundOf{id, amount})
	case wantsMoney && strings.Contains(results[1], "not permitted"):
		return r.say("A refund of $%.2f for order %d needs a decision by a person; somebody will write to you.", o.Total, o.ID)
	case wantsMoney:
		return r.say("Your refund of $%.2f for order %d is on its way.", o.Total, o.ID)
	case wantsCancel && len(results) == 1:
		return call("cancel_order", byID{id})
	case wantsCancel && strings.Contains(results[1], "can't be cancelled"):
		return r.say("Order %d is %s, so it can't be cancelled any more.", o.ID, o.Status)
	case wantsCancel:
		return r.say("Order %d is cancelled.", o.ID)
	}
	return r.say("Order %d is %s.", o.ID, o.Status)
}
