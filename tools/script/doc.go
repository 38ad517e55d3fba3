// Package script gives an agent one tool by which the model writes a program that
// calls other tools: a loop over forty calls is one turn of the model, and what the
// calls returned stays out of the conversation but for what the program prints.
//
//	tool := script.New(script.Options{Tools: []tools.Tool{search, weather, send}})
//	// tool goes into the agent's tools; search, weather and send need not.
//
// Programs are Starlark (go.starlark.net), a small dialect of Python without
// input and output of its own. A tool is a function of its name that takes named
// arguments. The model sees the names of the tools and the first sentence of each
// description; help(tool) prints the arguments, out of the tool's schema.
//
// # Calls
//
// Each call of a program's goes through [tools.Host]: the gate, the limits, the
// middleware, the traces and the budget of the run judge it as if the model had
// made it, and it is recorded in the conversation's log. If a call waits for an
// approval, or the program asks a person by ask(), the program ends, and its own
// call stays open. When the answer is there, in this process or in another, the
// program runs again from its beginning, and the log answers the calls that it had
// made. The same holds after a kill. A program that would then take another way is
// refused, with the line where the ways part.
//
// # Bounds
//
// A program reaches nothing but its tools. Steps, memory, output, calls and the
// length of the program are bounded by [Options]. Memory is counted by what the
// program builds, before it is built; work in one step that is not one step's
// worth, such as a search in a long text, counts as many steps.
package script
