// Package agent runs conversations with tools on the Messages API.
//
//	client, err := anthropic.FromEnv()
//	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: list})
//	res, err := a.Run(ctx, agent.Input{Prompt: "Do I need an umbrella in Lisbon?"})
//	fmt.Println(res.Text)
//
// An [Agent] is made of [Options]: a client, a model, a system prompt, tools. The
// client and the model are required, and the zero values of the others are useful:
// limits and prompt caching are on, content in traces, retries of tools and
// summaries are off. An Agent may be used by many goroutines.
//
// # Runs
//
// [Agent.Run] does the work of a run: one execution of the loop. What belongs to
// the run is its [Input]: what to say, in which conversation or session, for which
// user, within which bounds. The [Result] is never nil: after an error it holds
// what the run did, with a log that can be continued. docs/errors.md lists the
// errors.
//
//	Run         do the work, and return what it came to
//	NewRun      the same, to watch by Run.Events and to steer by Run.Steer
//	Generate    an answer of a Go type
//	FanOut      several inputs for one conversation, side by side
//
// # The loop
//
// The loop is a plain for over [Next], a pure function of the log: call the model,
// run these tools, wait for approval, done. Its bounds are [Limits], of steps, time
// and sizes, and a [Budget] of money or tokens, which sub-agents ([Sub]) share.
// Options.Gate decides about a call before it runs; a person decides by
// Options.Approver or [Pending].
//
// What each request costs is on its event and in the [Result]; [BillOf] adds up a
// session. Package agenttest has assertions for it, package policy rules for the
// gate, package inspect a page to watch.
package agent
