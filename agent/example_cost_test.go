package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/agenttest"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Each question of a conversation reads from the cache what was sent before it.
func ExampleResult_cost() {
	client, done := offline(simulator.Say("Of the tea plant."), simulator.Say("In China."))
	defer done()

	// region cost
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", System: handbook})
	if err != nil {
		log.Fatal(err)
	}
	conversation := memory.NewLog()
	for _, question := range []string{"What is tea made of?", "And where was it first drunk?"} {
		res, err := a.Run(context.Background(), agent.Input{Log: conversation, Prompt: question})
		if err != nil {
			log.Fatal(err)
		}
		u := res.Usage
		fmt.Println(u.CacheCreationInputTokens, "tokens written,", u.CacheReadInputTokens, "read:", res.Cost, len(res.Misses), "misses")
	}
	// endregion

	// Output:
	// 1655 tokens written, 0 read: $0.0084 0 misses
	// 13 tokens written, 1655 read: $0.0005 0 misses
}

// handbook is a long system prompt.
var handbook = strings.Repeat("Tea is what we serve. ", 300)

// A budget is shared by all runs of an agent, and by the sub-agents they call.
func ExampleBudget() {
	client, done := offline(simulator.Say("The answer is long."))
	defer done()

	// region budget
	budget := &agent.Budget{
		USD:     0.50,
		WriteUp: "The budget is used up. Answer with what you have found.",
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Budget: budget})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "Find it out."})
	if short := new(agent.BudgetError); errors.As(err, &short) {
		fmt.Println("stopped:", short) // res.Text is what the model wrote up
	} else if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text, budget.Spent().Cost)
	// endregion

	// Output: The answer is long. $0.0001
}

// A user's budget is kept in the store, for all processes.
func ExampleBudget_Left() {
	client, done := offline(simulator.Say("Tea it is."))
	defer done()
	ctx := context.Background()
	store := new(memory.RAM)
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}

	// region ledger
	ledger, err := memory.Need[budget.Ledger](store)
	if err != nil {
		log.Fatal(err)
	}
	ann := &agent.Budget{USD: 5, Ledger: ledger, Name: "user/ann", Period: budget.Month}
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "ann-1", Prompt: "I like tea.", User: "ann", Budget: ann})
	if err != nil {
		log.Fatal(err)
	}
	left, err := ann.Left(ctx)
	fmt.Printf("%s $%.2f left, %v\n", res.Text, left, err)
	// endregion

	// Output: Tea it is. $5.00 left, <nil>
}

// What changes from step to step goes behind all that was sent.
func ExampleOptions_reminder() {
	client, done := offline(simulator.Say("Good evening."))
	defer done()
	ctx := context.Background()

	// region reminder
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		System: "You are a concierge.", // the same for everybody, all day
		Context: agent.ContextOptions{Reminder: func(_ context.Context, s agent.Status) string {
			return "It is 18:04, and you have taken " + fmt.Sprint(s.Steps) + " steps."
		}},
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "Hello!"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", res.Log.Messages()[1].AppendJSON(nil))
	// Output: {"role":"system","content":[{"type":"text","text":"It is 18:04, and you have taken 0 steps."}],"clear_at":"next_user_message"}
}

// Branches of one conversation run side by side.
func ExampleAgent_FanOut() {
	client, done := offline(simulator.Say("I have read it."), simulator.Say("Yes."), simulator.Say("Yes."))
	defer done()
	ctx := context.Background()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Limits: agent.Limits{Parallel: 1}})
	if err != nil {
		log.Fatal(err)
	}

	// region fanout
	read, err := a.Run(ctx, agent.Input{Prompt: "Read this contract: …"})
	if err != nil {
		log.Fatal(err)
	}
	answers := a.FanOut(ctx, agent.Input{Log: read.Log},
		transport.UserText("Can it be ended early?"),
		transport.UserText("Who is liable?"),
	)
	for res, err := range answers {
		fmt.Println(res.Text, err)
	}
	// endregion

	// Output:
	// Yes. <nil>
	// Yes. <nil>
}

// Long conversations: summaries where they pay, and big results kept outside.
func ExampleCompaction() {
	client, done := offline(simulator.Say("Done."))
	defer done()
	var dump tools.Tool = tools.Func("dump", "Dumps.", func(context.Context, struct{}) (string, error) { return strings.Repeat("x", 1e6), nil })

	// region long
	opus, _ := models.Lookup("claude-opus-5-5")
	a, err := agent.New(agent.Options{
		Client: client, Model: opus.ID, Tools: []tools.Tool{dump},
		Context: agent.ContextOptions{Spill: &agent.Spill{}, Compaction: &agent.Compaction{}}, // prompts over 150,000 tokens, if it pays
		// Or let the service clear old results:
		// Template: transport.Request{ContextManagement: editing.ToolUses{}.For(opus)},
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "Go."})
	fmt.Println(res.Text, err)
	// Output: Done. <nil>
}

// TestSupport is the test that the guide to caching shows.
func TestSupport(t *testing.T) {
	client, done := offline(simulator.Say("Hello."), simulator.Say("Bye."))
	defer done()
	supportAgent := func() (*agent.Agent, error) {
		return agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", System: strings.Repeat("Be kind. ", 600)})
	}

	// region test
	a, err := supportAgent()
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	for _, said := range []string{"Hello!", "Goodbye!"} {
		if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: said}); err != nil {
			t.Fatal(err)
		}
	}
	exchanges, err := agenttest.FromLog(log)
	if err != nil {
		t.Fatal(err)
	}
	agenttest.PrefixStable(t, exchanges)
	agenttest.CacheReadAtLeast(t, exchanges, 0.95)
	agenttest.CostUnder(t, exchanges, 0.02)
	// endregion
}
