// Package tools makes Go functions into tools that a model can call, and holds
// the server tools of the Messages API.
//
//	type In struct {
//		City string `json:"city" jsonschema_description:"Name of the city, in English"`
//	}
//	weather := tools.Func("weather", "Tells the weather of a city.",
//		func(ctx context.Context, in In) (string, error) { … })
//
// [Func] reflects the input_schema from the argument's type, by the rules of
// encoding/json, and checks what the model wrote against it before the function
// runs. The function's return value becomes the result: a string as text, a
// [Result] as blocks, anything else as JSON. Its error goes to the model; [Fatal]
// makes one that ends the run. [Raw] takes a schema of your own, [Stream] a
// function that yields its result piece by piece.
//
// [Options] and [Traits] are useful as they are: a call may take two minutes and
// return 256 KB (the agent's limits), calls run in parallel, and none is repeated
// after a crash. A mistake in a tool, such as a field that has no schema, is
// reported by agent.New.
//
// [WebSearch], [WebFetch], [CodeExecution], [ToolSearch], [Advisor], [MCPToolset]
// and [Server] are declared here and run at the provider. The packages below this
// one are tools that are ready to use.
package tools
