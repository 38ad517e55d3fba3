package script

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Options specify the tools and the limits of programs. The zero value of each limit
// means its default.
type Options struct {
	// Name is the tool's name; empty means "script".
	Name string
	// Tools are the tools that programs may call. The model doesn't see them, unless they
	// are also tools of the agent.
	Tools []tools.Tool
	// Description is added to the tool's own description, for instance to say what to use
	// programs for.
	Description string

	// MaxSteps limits the steps of one program; 0 means 1,000,000. A statement takes
	// about ten steps.
	MaxSteps uint64
	// MaxMemory limits the bytes that one program allocates, including garbage; 0 means
	// 64 MiB.
	MaxMemory int
	// MaxOutput limits the bytes that one program prints; 0 means 48 KiB.
	MaxOutput int
	// MaxCalls limits the calls of one program; 0 means 200.
	MaxCalls int
	// MaxSource limits the size of a program's text in bytes; 0 means 32 KiB, which is
	// also the maximum.
	MaxSource int
	// Timeout limits the time of one program, including its calls; 0 means 10 minutes,
	// and a negative value means no limit.
	Timeout time.Duration
}

const (
	defaultName  = "script"
	mostSource   = 32 << 10
	roomForWords = 8 << 10 // for what is said beside the output
)

// A Tool lets the model run programs that call other tools. It implements
// [tools.Callable], [tools.Normalizer] and [tools.Nesting].
type Tool struct {
	*tools.FuncTool
	options Options
	inner   []*function
	err     error // of a tool that can't be called
}

type input struct {
	Code string `json:"code" jsonschema_description:"The program, in Starlark"`
}

// New returns a tool that runs programs. If Options are invalid, for instance because two
// tools have the same name or one doesn't run in this program, the tool's Definition
// returns an error, and so does agent.New.
func New(o Options) *Tool {
	o.Name = cmp.Or(o.Name, defaultName)
	o.MaxSteps = cmp.Or(o.MaxSteps, 1_000_000)
	o.MaxMemory = cmp.Or(o.MaxMemory, 64<<20)
	o.MaxOutput = cmp.Or(o.MaxOutput, 48<<10)
	o.MaxCalls = cmp.Or(o.MaxCalls, 200)
	o.MaxSource = min(cmp.Or(o.MaxSource, mostSource), mostSource)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Minute)
	t := &Tool{options: o}
	t.inner, t.err = functions(o.Tools)
	if t.err == nil && (o.MaxMemory < 0 || o.MaxOutput < 0 || o.MaxCalls < 0 || o.MaxSource < 0) {
		t.err = errors.New("a limit is negative; 0 means its default")
	}
	t.FuncTool = tools.FuncWith(o.Name, t.describe(), t.call, tools.Options{
		Traits: tools.Traits{
			// The program's calls are recorded one by one, so the program itself may
			// begin again; a call that was cut off is the inner tool's matter.
			Repeatable:     true,
			Timeout:        o.Timeout,
			MaxResultBytes: o.MaxOutput + roomForWords,
		},
	})
	return t
}

// Definition implements [tools.Tool].
func (t *Tool) Definition() (transport.ToolDefinition, error) {
	if t.err != nil {
		return transport.ToolDefinition{}, fmt.Errorf("script: Options of the tool %q: %w", t.options.Name, t.err)
	}
	return t.FuncTool.Definition()
}

// InnerTools implements [tools.Nesting].
func (t *Tool) InnerTools() []tools.Tool { return t.options.Tools }

func (t *Tool) describe() string {
	var b strings.Builder
	b.WriteString(`Runs a program that calls tools. Use it for several calls that depend on each other, for loops, and to pick what matters out of long results: only what the program prints comes back.

The language is Starlark, a dialect of Python: def, if, for, while, lambda, comprehensions, strings, lists, dicts, sets, "%" and format. There are no import, class, try, f-string, recursion, ** or is; json.encode, json.decode and math are there without an import. Names of tools are functions that take named arguments: weather(city="Paris"). A result that is JSON is decoded, any other is a string. If a call fails, the program ends there; attempt(tool, city="Paris") goes on, and returns {"ok": …, "value": …, "error": …}.
help(tool) prints a tool's arguments; help() prints all tools. call(tool, city="Paris") makes a call that gather([…]) runs beside others, in any order; gather returns the results in the list's order. ask("question?", choices=["a", "b"]) asks the user.
The program may be run again from its beginning after an interruption; calls that it has made are then not made again.
`)
	if t.options.Description != "" {
		b.WriteString("\n" + t.options.Description + "\n")
	}
	b.WriteString("\nTools:\n")
	for _, f := range t.inner {
		fmt.Fprintf(&b, "%s: %s\n", f.name, firstSentence(f.description))
	}
	return strings.TrimRight(b.String(), "\n")
}

func firstSentence(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for i := range s {
		if s[i] == '.' && (i+1 == len(s) || s[i+1] == ' ') {
			s = s[:i+1]
			break
		}
	}
	if runes := []rune(s); len(runes) > 160 {
		s = string(runes[:159]) + "…"
	}
	return s
}

func (t *Tool) call(ctx context.Context, in input) (tools.Result, error) {
	host, ok := tools.HostOf(ctx)
	if !ok {
		return tools.Result{}, errors.New("the tool needs the run of an agent, to call its tools; there is none")
	}
	return t.run(ctx, host, in.Code)
}
