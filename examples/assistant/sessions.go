package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// titleKey is the metadata value that holds the beginning of a session.
const titleKey = "title"

// begin opens the session that the flags ask for.
func (a *assistant) begin(ctx context.Context) error {
	switch {
	case a.opts.resume != "":
		return a.open(ctx, a.opts.resume)
	case a.opts.last:
		for info, err := range a.store.List(ctx, memory.Query{Roots: true, Limit: 1}) {
			if err != nil {
				return err
			}
			return a.open(ctx, info.ID)
		}
		return errors.New("-continue: there is no session yet")
	}
	return a.fresh()
}

// newID makes a session id that can be typed.
func newID() string { return strings.ToLower(rand.Text()[:6]) }

// fresh begins a session. It is in the store once something is said in it.
func (a *assistant) fresh() error {
	log, err := memory.Create(a.store, newID(), nil)
	if err == nil {
		a.use(log)
		a.show.Note("session %s · %s · policy %s · /help shows the commands", log.ID(), a.opts.model, a.opts.mode)
	}
	return err
}

// open goes on with a session, and shows where it was left.
func (a *assistant) open(ctx context.Context, id string) error {
	id, err := a.find(ctx, id)
	if err != nil {
		return err
	}
	log, err := memory.Open(ctx, a.store, id)
	if err != nil {
		return err
	}
	a.use(log)
	a.show.Note("session %s · %s · policy %s", id, a.opts.model, a.opts.mode)
	a.transcript(6)
	return nil
}

// find gives the whole id of the session that begins so.
func (a *assistant) find(ctx context.Context, begin string) (string, error) {
	var found []string
	for info, err := range a.store.List(ctx, memory.Query{}) {
		switch {
		case err != nil:
			return "", err
		case info.ID == begin:
			return begin, nil
		case strings.HasPrefix(info.ID, begin):
			found = append(found, info.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no session begins with %q; /sessions lists them", begin)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%q could be %s; give more of it", begin, strings.Join(found, ", "))
}

// fork goes on in a copy of the session, without its last turns.
func (a *assistant) fork(ctx context.Context, turns int) error {
	n := a.log.Len()
	if turns > 0 {
		var inputs []int // where the turns begin
		for i, r := range a.log.Records(0) {
			if r.Kind == memory.KindRun {
				inputs = append(inputs, i)
			}
		}
		if turns > len(inputs) {
			return fmt.Errorf("the session has %d turns", len(inputs))
		}
		n = inputs[len(inputs)-turns]
	}
	if n == 0 {
		return a.fresh()
	}
	log, err := memory.ForkSession(ctx, a.store, a.log.ID(), n, newID(), nil)
	if err != nil {
		return err
	}
	a.show.Note("session %s, forked from %s", log.ID(), a.log.ID())
	a.use(log)
	return nil
}

// name gives a session without a title one.
func (a *assistant) name(ctx context.Context, text string) {
	if a.log.Meta()[titleKey] != "" {
		return
	}
	if err := a.log.SetMeta(ctx, map[string]string{titleKey: terminal.Line(text, 60)}); err != nil {
		a.show.Fail(err)
	}
}

const mostListed = 20

func (a *assistant) list(ctx context.Context) error {
	n := 0
	for info, err := range a.store.List(ctx, memory.Query{Roots: true, Limit: mostListed}) {
		if err != nil {
			return err
		}
		n++
		mark, forked := " ", ""
		if info.ID == a.log.ID() {
			mark = "*"
		}
		if info.Origin != "" {
			forked = " (forked from " + info.Origin + ")"
		}
		a.show.Line("%s %s  %s  %s%s", mark, info.ID, info.Changed.Local().Format(time.DateTime), info.Meta[titleKey], forked)
	}
	if n == 0 {
		a.show.Line("no sessions yet")
	}
	return nil
}

// transcript shows the last messages of the session that have a text.
func (a *assistant) transcript(most int) {
	var lines []string
	for _, m := range a.log.Messages() {
		if text := terminal.Line(m.Text(), 200); text != "" && m.Role == transport.RoleUser {
			lines = append(lines, "> "+text)
		} else if text != "" {
			lines = append(lines, "  "+text)
		}
	}
	if more := len(lines) - most; more > 0 {
		a.show.Note("… %d messages before", more)
		lines = lines[more:]
	}
	for _, line := range lines {
		a.show.Note("%s", line)
	}
}
