// Package flags reads a command line whose flags may stand anywhere: in front of
// the other words, behind them and in between.
package flags

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/whorl-go/whorl/internal/nearest"
)

// Parse sets the flags of f by args and returns the other words. What stands
// behind -- is no flag. The error for a flag that f doesn't have names the one
// that was meant, if one is like it. -h prints the help and returns
// [flag.ErrHelp]; other errors print nothing. f must not exit on errors.
func Parse(f *flag.FlagSet, args []string) (words []string, err error) {
	out, usage := f.Output(), f.Usage
	defer func() {
		f.SetOutput(out)
		f.Usage = usage
	}()
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				f.SetOutput(out)
				usage()
				return nil, err
			}
			return nil, fmt.Errorf("%w%s; -h lists the flags", err, meant(f, err))
		}
		rest := f.Args()
		if read := len(args) - len(rest); len(rest) == 0 || read > 0 && args[read-1] == "--" {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
	return words, nil
}

// meant says which flag was meant by one that f doesn't have.
func meant(f *flag.FlagSet, err error) string {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return ""
	}
	var names []string
	f.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if n := nearest.Name(name, names); n != "" {
		return "; did you mean -" + n + "?"
	}
	return ""
}
