package recipes_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/citations"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// says is a reply of the simulated model.
func says(stop transport.StopReason, parts ...simulator.Part) simulator.Reply {
	return simulator.Reply{StopReason: stop, Content: parts}
}

// A typed answer whose statements have sources, each of which is looked up.
func Example_typedAnswerWithSources() {
	client, end := offline(
		says(transport.StopToolUse, simulator.Call("read", map[string]string{"page": "snails"})),
		simulator.Say(`{"summary":"Snails are slow.","claims":[{"text":"A snail goes a metre an hour.","page":"snails","quote":"about a metre an hour"}]}`),
		simulator.Say(`{"summary":"Snails are slow.","claims":[{"text":"A snail goes a metre an hour.","page":"snails","quote":"one metre in an hour"}]}`),
	)
	defer end()
	ctx := context.Background()
	// region sources
	type claim struct {
		Text  string `json:"text"`
		Page  string `json:"page" jsonschema_description:"The page that says so"`
		Quote string `json:"quote" jsonschema_description:"Its words, unchanged"`
	}
	type report struct {
		Summary string  `json:"summary"`
		Claims  []claim `json:"claims"`
	}
	type page struct {
		Page string `json:"page"`
	}
	pages := map[string]string{"snails": "A garden snail covers one metre in an hour, if it wants to."}
	read := tools.Func("read", "Reads a page.", func(ctx context.Context, p page) (string, error) {
		text, ok := pages[p.Page]
		if !ok {
			return "", fmt.Errorf("there is no page %q", p.Page)
		}
		return text, nil
	})
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{read}})
	if err != nil {
		log.Fatal(err)
	}

	in := agent.Input{Prompt: "How fast is a snail?"}
	for range 3 {
		r, res, err := agent.Generate[report](ctx, a, in)
		if err != nil {
			log.Fatal(err)
		}
		wrong := ""
		for _, c := range r.Claims {
			if !citations.Contains(pages[c.Page], c.Quote) {
				wrong += fmt.Sprintf("The page %q doesn't say %q.\n", c.Page, c.Quote)
			}
		}
		if wrong == "" {
			fmt.Println(r.Claims[0].Text, "Source:", r.Claims[0].Quote)
			return
		}
		fmt.Print(wrong)
		in = agent.Input{Log: res.Log, Prompt: wrong + "Quote what it says."}
	}
	fmt.Println("no answer with sources that hold")
	// endregion

	// Output:
	// The page "snails" doesn't say "about a metre an hour".
	// A snail goes a metre an hour. Source: one metre in an hour
}

// A run with a typed answer can be watched.
func Example_typedAnswerWatched() {
	client, end := offline(simulator.Say(`{"city":"Lisbon","celsius":18}`))
	defer end()
	ctx := context.Background()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// region watched
	type weather struct {
		City    string `json:"city"`
		Celsius int    `json:"celsius"`
	}
	shape, err := tools.NewOutput[weather]()
	if err != nil {
		log.Fatal(err)
	}
	run := a.NewRun(agent.Input{Prompt: "It is 18 degrees in Lisbon.", Output: shape})
	for ev, err := range run.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if ev.Type == agent.EventToolStart {
			fmt.Println("calls", ev.Call.Name)
		}
	}
	res, err := run.Result()
	if err != nil {
		log.Fatal(err)
	}
	w, err := shape.Parse(res.Text)
	fmt.Println(w.City, w.Celsius, err)
	// endregion

	// Output: Lisbon 18 <nil>
}

// An answer that doesn't fit its type is an error that says where.
func Example_typedAnswerThatDoesNotFit() {
	client, end := offline(says(transport.StopEndTurn, simulator.Text(`{"city":"Lisbon","celsius":"mild"}`)))
	defer end()
	ctx := context.Background()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// region misfit
	type weather struct {
		City    string `json:"city"`
		Celsius int    `json:"celsius"`
	}
	_, res, err := agent.Generate[weather](ctx, a, agent.Input{Prompt: "How is Lisbon?"})
	var misfit *tools.AnswerError
	if errors.As(err, &misfit) {
		for _, p := range misfit.Problems {
			fmt.Printf("%s: %s\n", p.Path, p.Message)
		}
		fmt.Println("it said:", res.Text)
	}
	// endregion

	// Output:
	// celsius: expected integer, got the string "mild"
	// it said: {"city":"Lisbon","celsius":"mild"}
}

// Citations of the service and a typed answer are two runs.
func Example_citedThenTyped() {
	client, end := offline(
		says(transport.StopToolUse, simulator.Call("read", map[string]string{"page": "snails"})),
		simulator.Do(simulator.Cited("A snail goes a metre an hour.", simulator.Citation{
			Type: "search_result_location", URL: "notes/snails", Title: "Snails", CitedText: "A snail goes one metre an hour.", End: 1})),
	)
	defer end()
	typist, endTypist := offline(simulator.Say(`{"metres_per_hour":1}`))
	defer endTypist()
	ctx := context.Background()
	// region cited
	type page struct {
		Page string `json:"page"`
	}
	read := tools.Func("read", "Reads a page of the notes.", func(ctx context.Context, p page) (tools.SearchResult, error) {
		return tools.SearchResult{Source: "notes/" + p.Page, Title: "Snails", Texts: []string{"A snail goes one metre an hour."}, Citations: true}, nil
	})
	researcher, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{read}})
	if err != nil {
		log.Fatal(err)
	}
	res, err := researcher.Run(ctx, agent.Input{Prompt: "How fast is a snail?"})
	if err != nil {
		log.Fatal(err)
	}
	cited := citations.Read(res.Log.Messages(), res.Response.Content)
	fmt.Println(cited.Markdown())

	type speed struct {
		MetresPerHour float64 `json:"metres_per_hour"`
	}
	writer, err := agent.New(agent.Options{Client: typist, Model: "claude-opus-5-5"}) // no tools; it may be a cheaper model
	if err != nil {
		log.Fatal(err)
	}
	s, _, err := agent.Generate[speed](ctx, writer, agent.Input{Prompt: "Put this answer into the form:\n\n" + cited.Markdown()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.MetresPerHour)
	// endregion

	// Output:
	// A snail goes a metre an hour.[^1]
	//
	// [^1]: Snails (notes/snails): “A snail goes one metre an hour.”
	//
	// 1
}
