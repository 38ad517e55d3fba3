// Package tasks has the tasks that docs/skill teaches, each as a small program with a
// test that runs it against the simulator: go test ./examples/tasks.
package tasks
