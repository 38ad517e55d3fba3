// Package script provides a tool with which the model runs a program that calls other
// tools. A loop over forty calls is one turn of the model, and only what the program
// prints becomes part of the conversation.
//
//	tool := script.New(script.Options{Tools: []tools.Tool{search, weather, send}})
//	// tool goes into the agent's tools; search, weather and send need not.
//
// Programs are written in Starlark (go.starlark.net), a small dialect of Python without
// input and output of its own. A tool is a function of the same name that takes named
// arguments. The model sees the names of the tools and the first sentence of each
// description; help(tool) prints the arguments from the tool's schema.
//
// # Calls
//
// Each call of a program goes through [tools.Host]: the gate, the limits, the middleware,
// the traces and the budget of the run apply to it as if the model had made it, and the
// conversation's log records it. If a call waits for an approval, or the program asks a
// person with ask(), the program ends and its own call remains open. When the answer
// arrives, in this process or another one, the program runs again from its beginning, and
// the calls that it had made get their results from the log. The same happens after a
// crash. If the program then makes other calls than before, it fails, and the error names
// the line of the first difference.
//
// # Bounds
//
// A program has access to its tools only. [Options] limit the steps, memory, output,
// calls and length of a program. Memory is counted for each value before the program
// builds it. An operation that takes long, such as a search in a long text, counts as
// many steps.
package script
