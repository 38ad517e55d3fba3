// Package rescue makes errors of panics in code that a program has given to a package
// beside the agent's loop: in its options, its hooks and its store, where a goroutine of
// that package calls them. A panic there ends one call, and never the process.
package rescue

import (
	"runtime/debug"

	"github.com/whorl-go/whorl/agent"
)

// Into is deferred around such code. It sets err to an [*agent.PanicError] if the code
// panics. What names the code, such as "Options.Run".
func Into(what string, err *error) {
	if v := recover(); v != nil {
		*err = &agent.PanicError{What: what, Value: v, Stack: debug.Stack()}
	}
}

// Call calls f, and returns its error, or that of its panic.
func Call(what string, f func() error) (err error) {
	defer Into(what, &err)
	return f()
}
