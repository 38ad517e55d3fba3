// Package recipes holds the programs of docs/recipes.md. Each is an example that
// go test ./examples/recipes runs against the simulator.
package recipes
