// Package simulator is a local Messages API. It is meant to be as strict as the service:
// to refuse the same requests, with the same status, type and message, and no others. It
// is tested against recorded exchanges and the service's OpenAPI document (go test
// ./transport/simulator/... -run Recordings -v). Where the service's behavior is not
// known, the simulator's is a guess (wire §17). It needs no network and no key, and
// clients in any language can use it:
//
//	go run ./transport/simulator/serve -model chatty
//
// A test starts it in one line:
//
//	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Say("hi"))})
//
// # Responses
//
// A [Model] decides what the model says: a [Script], a [Dialogue], a [ModelFunc], a
// [Loop] for load tests or [Chatty] for soak tests. The simulator signs the thinking,
// splits the text into deltas at awkward positions, cuts at max_tokens and stop
// sequences, runs web_search, web_fetch and tool search, pauses the turn after ten
// samplings, and counts the tokens with [EstimateTokens].
//
// # Checks
//
// A request is checked in the order of the service: its size, key and headers; its shape,
// by tables made from the service's OpenAPI document; the model and what goes with it;
// the order of messages and blocks; thinking, compaction and encrypted content, which
// only the simulator itself can have made; media; schemas; cache marks; the size of the
// prompt. The simulator reports the first error, with the service's message as far as it
// is known.
//
// # State
//
// The simulator keeps the prompt cache, with lifetimes by [Options].Now so that a test
// can let time pass; containers, files, batches, message threads, rate limits, and the
// data for cache diagnostics. Everything is in memory, and separate for each key. It
// doesn't run code execution, the advisor and MCP servers: [Options].ServerTool answers
// for them, or they are unavailable.
//
// # Faults
//
// A [Fault] is requested with the header [FaultHeader], listed in [Options].Faults, or
// drawn at random at the rate [Options].FaultRate.
package simulator
