package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
)

const help = `/sessions          list the sessions
/resume ID         go on with a session
/new               begin a session
/fork [N]          go on in a copy of this session, without its last N turns
/history           show what was said
/cost              what this session came to
/model [ID]        show or change the model
/policy [MODE]     show or change what is asked: ask, trust or look
/tools             list the tools
/quit              end the program, as Ctrl-D does

Ctrl-C stops a turn. Enter alone goes on with a turn that was stopped or waits.
A line that ends in \ goes on in the next one; many lines can be pasted at once.`

// command carries out what begins with a slash.
func (a *assistant) command(ctx context.Context, text string) (quit bool) {
	name, arg, _ := strings.Cut(text, " ")
	arg = strings.TrimSpace(arg)
	var err error
	switch name {
	case "/help", "/?":
		a.show.Line("%s", help)
	case "/quit", "/exit":
		return true
	case "/sessions":
		err = a.list(ctx)
	case "/resume":
		if err = a.open(ctx, arg); err == nil {
			a.goOn(ctx)
		}
	case "/new":
		err = a.fresh()
	case "/fork":
		turns := 0
		if arg != "" {
			turns, err = strconv.Atoi(arg)
		}
		if err == nil {
			err = a.fork(ctx, max(turns, 0))
		}
	case "/history":
		a.transcript(1000)
	case "/cost":
		var bill agent.Bill
		if bill, err = agent.BillOf(ctx, a.log); err != nil {
			break
		}
		a.show.Line("%d requests, %d tokens, %s", bill.Requests, bill.Tokens, bill.Cost)
	case "/model":
		err = a.change(&a.opts.model, arg)
	case "/policy":
		if arg != "" && !slices.Contains(modes, arg) {
			err = fmt.Errorf("there are %s", strings.Join(modes, ", "))
			break
		}
		err = a.change(&a.opts.mode, arg)
	case "/tools":
		err = a.listTools()
	default:
		err = fmt.Errorf("there is no command %s; /help shows those there are", name)
	}
	if err != nil {
		a.show.Fail(err)
	}
	return false
}

// change sets an option that the agent is built with, if there is a value for it.
func (a *assistant) change(option *string, value string) error {
	old := *option
	if value != "" {
		*option = value
		if err := a.build(); err != nil {
			*option = old
			return err
		}
	}
	a.show.Line("%s", *option)
	return nil
}

func (a *assistant) listTools() error {
	for _, t := range a.box.tools {
		def, err := t.Definition()
		if err != nil {
			return err
		}
		what := "may change something"
		if c, ok := t.(tools.Callable); ok && c.Traits().ReadOnly {
			what = "only reads"
		}
		a.show.Line("%-14s %s", def.Name(), what)
	}
	return nil
}
