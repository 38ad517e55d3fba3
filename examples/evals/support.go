// Evals tests an agent of a shop's support: 20 cases, offline.
//
//	go test ./examples/evals                       # the cases, compared with the baseline
//	go test ./examples/evals -mistake skip-lookup  # the same with a mistake put in: it fails
//	go test ./examples/evals -update               # a new baseline
//	go test ./examples/evals -live                 # on the service, with a key
//
// Offline the model is a set of rules (model.go), since there is nobody to ask. With a
// key, -live asks the real one.
package evals

import (
	"context"
	"fmt"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// system is the prompt that the cases test.
const system = `You are the support of Snail & Sons, a shop for garden snails.
Look an order up before you say anything about it. Refund only orders that were delivered, and only in full.
If no order number is given, ask for it. Hand everything that is not about an order to a person.`

// An order of the shop.
type order struct {
	ID     int     `json:"id"`
	Status string  `json:"status"`
	Total  float64 `json:"total"`
}

var orders = map[int]order{
	7:  {7, "delivered", 12.5},
	8:  {8, "on its way", 30},
	9:  {9, "packed", 4.25},
	10: {10, "cancelled", 99},
	11: {11, "delivered", 250},
}

type byID struct {
	ID int `json:"id" jsonschema_description:"The order's number"`
}

type refundOf struct {
	ID     int     `json:"id" jsonschema_description:"The order's number"`
	Amount float64 `json:"amount" jsonschema_description:"In dollars"`
}

type question struct {
	Question string `json:"question" jsonschema_description:"What the customer wants to know"`
}

// options make the agent.
func options(client transport.Client) agent.Options {
	return agent.Options{
		Client: client, Model: "claude-opus-5-5", System: system,
		Tools: []tools.Tool{
			tools.FuncWith("find_order", "Finds an order by its number.", func(_ context.Context, in byID) (order, error) {
				if o, ok := orders[in.ID]; ok {
					return o, nil
				}
				return order{}, fmt.Errorf("there is no order %d", in.ID)
			}, tools.Options{Traits: tools.Traits{ReadOnly: true}}),
			tools.FuncWith("refund", "Pays the money for an order back.", func(_ context.Context, in refundOf) (string, error) {
				return fmt.Sprintf("refunded $%.2f", in.Amount), nil
			}, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
			tools.Func("cancel_order", "Cancels an order that is not on its way yet.", func(_ context.Context, in byID) (string, error) {
				if o := orders[in.ID]; o.Status != "packed" {
					return "", fmt.Errorf("order %d is %s, it can't be cancelled", in.ID, o.Status)
				}
				return "cancelled", nil
			}),
			tools.Func("hand_over", "Hands the customer to a person.", func(context.Context, question) (string, error) { return "a person will write", nil }),
		},
	}
}
