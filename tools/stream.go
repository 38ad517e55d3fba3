package tools

import (
	"context"
	"fmt"
	"iter"
	"strings"
)

// maxStreamed bounds what is kept of a result that has no end.
const maxStreamed = 16 << 20

var errTooLong = fmt.Errorf("the result is longer than %d bytes; ask for less at once", maxStreamed)

// Stream makes a tool of a function that yields its result piece by piece, such as
// the lines of a running command. Watchers of the run see each piece at once, as
// progress; the model gets all of them, joined, when the function is done. An error
// ends the result, and so do 16 MB of it: the model is told of that behind what had
// come.
//
// In is as for [Func]. When the call is cancelled, the pieces stop being asked for.
func Stream[In any](name, description string, fn func(context.Context, In) iter.Seq2[string, error]) *FuncTool {
	return StreamWith(name, description, fn, Options{})
}

// StreamWith is [Stream] with options.
func StreamWith[In any](name, description string, fn func(context.Context, In) iter.Seq2[string, error], options Options) *FuncTool {
	var run func(context.Context, In) (Result, error)
	if fn != nil {
		run = func(ctx context.Context, in In) (Result, error) {
			var all strings.Builder
			for piece, err := range fn(ctx, in) {
				if err == nil {
					err = ctx.Err()
				}
				if err == nil && all.Len()+len(piece) > maxStreamed {
					err = errTooLong
				}
				if err != nil {
					return Result{}, failedAfter(all.String(), err)
				}
				all.WriteString(piece)
				Progress(ctx, piece)
			}
			return Text(all.String()), nil
		}
	}
	return FuncWith(name, description, run, options)
}

// failedAfter puts what had come in front of what went wrong.
func failedAfter(text string, err error) error {
	if text == "" {
		return err
	}
	return fmt.Errorf("%s\n[failed here: %w]", text, err)
}
