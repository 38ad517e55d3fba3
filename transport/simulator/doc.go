// Package simulator is a local Messages API that means to be as strict as the
// service: to refuse what is refused there, with the same status, type and words,
// and nothing else. It is held against recorded exchanges and the service's OpenAPI
// document (go test ./transport/simulator/... -run Recordings -v); what it doesn't
// know of the service is a guess (wire §17). It needs no network and
// no key, and any client in any language can use it:
//
//	go run ./transport/simulator/serve -model chatty
//
// A test has it in one line:
//
//	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Say("hi"))})
//
// # What is answered
//
// What the model says is up to a [Model]: a [Script], a [Dialogue], a
// [ModelFunc], a [Loop] for load tests or [Chatty] for soak tests. The simulator
// signs the thinking, splits the text into deltas at awkward places, cuts at
// max_tokens and stop sequences, carries out web_search, web_fetch and tool
// search, pauses the turn after ten samplings, and counts the tokens
// ([EstimateTokens] is the one rule).
//
// # What is checked
//
// A request is checked in the order of the service: its size, key and headers;
// its shape, by tables made from the service's OpenAPI document; the model and
// what goes with it; the order of messages and blocks; thinking, compaction and
// encrypted content, which only the simulator itself can have made; media;
// schemas; cache marks; the size of the prompt. The first thing that is wrong
// is told, in the service's words as far as they are known.
//
// # What is kept
//
// The prompt cache, with lifetimes by [Options].Now, so that a test can let time
// pass; containers, files, batches, message threads, rate limits, and what cache
// diagnostics compare with. All of it is in memory, and apart for each key.
// Code execution, the advisor and MCP servers are not run: [Options].ServerTool
// answers for them, or they are unavailable.
//
// # What goes wrong
//
// A [Fault] is asked for with the header [FaultHeader], listed in
// [Options].Faults, or drawn by lot at [Options].FaultRate.
package simulator
