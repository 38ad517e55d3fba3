package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A probe asks an endpoint about one thing that the project assumes (docs/wire.md §17).
type probe struct {
	id       string // of the guess, such as G14; or "kept" for what a gateway may drop
	ask      string // the question
	requests []request
	// run asks something that takes more than requests whose answers are told; nil
	// tells the answers to requests.
	run func(ctx context.Context, s *session) (string, error)
	// measure is true for an answer that is told, and can't be compared with the
	// simulator's: it is about numbers that the simulator only estimates.
	measure bool
	usd     float64       // what run costs at most
	heavy   bool          // it sends megabytes
	wait    time.Duration // that run waits
}

// A session is a probe being asked of an endpoint.
type session struct {
	to *endpoint
	id string
}

func (s *session) send(ctx context.Context, r request) (*answer, error) {
	return s.to.ask(ctx, s.id, r)
}

// facts sends requests one after the other and tells what each came to.
func (s *session) facts(ctx context.Context, list ...request) (string, error) {
	var facts []string
	for _, r := range list {
		a, err := s.send(ctx, r)
		if err != nil {
			return "", err
		}
		facts = append(facts, a.fact())
	}
	return strings.Join(facts, " | "), nil
}

// put asks an endpoint the probe's question.
func (p probe) put(ctx context.Context, to *endpoint) (string, error) {
	s := &session{to: to, id: p.id}
	if p.run != nil {
		return p.run(ctx, s)
	}
	return s.facts(ctx, p.requests...)
}

// most is what the probe costs at most, in USD.
func (p probe) most() float64 {
	usd := p.usd
	for _, r := range p.requests {
		usd += r.most()
	}
	return usd
}

// A verdict is what was learned about a guess.
type verdict struct {
	probe
	outcome   string // agrees, differs, measured, not asked
	live, sim string // the facts
	why       string // it was not asked
}

const (
	agrees   = "agrees"
	differs  = "differs"
	measured = "measured"
	notAsked = "not asked"
)

// compare judges a probe by what both said.
func compare(p probe, live, sim string) verdict {
	v := verdict{probe: p, live: live, sim: sim, outcome: differs}
	switch {
	case p.measure:
		v.outcome = measured
	case live == sim:
		v.outcome = agrees
	}
	return v
}

// Texts that requests are made of.
const (
	hi     = `{"role":"user","content":"Say ok."}`
	object = `{"type":"object","properties":{"x":{"type":"integer"}}}`
	tool   = `"tools":[{"name":"f","description":"Gives a number.","input_schema":` + object + `}],`
	call   = `{"role":"assistant","content":[{"type":"tool_use","id":"toolu_A","name":"f","input":{}}]}`
	result = `{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_A","content":"7"}]}`

	newVersion = "2026-10-21"

	opus   = "claude-opus-5-5"
	sonnet = "claude-sonnet-5-5"
	haiku  = "claude-haiku-5-5"
	older  = "claude-haiku-4-5"
)

// ask makes a request: extra are members of its body, each with a comma behind it.
func ask(model, extra string, messages ...string) request {
	if len(messages) == 0 {
		messages = []string{hi}
	}
	limit := `"max_tokens":16,`
	if strings.Contains(extra, `"max_tokens"`) {
		limit = ""
	}
	return request{body: fmt.Sprintf(`{"model":%q,%s%s"messages":[%s]}`, model, limit, extra, strings.Join(messages, ","))}
}

func (r request) beta(values string) request {
	r.betas = values
	return r
}

func (r request) at(version string) request {
	r.version = version
	return r
}

func (r request) to(method, path string) request {
	r.method, r.path = method, path
	return r
}

func (r request) with(name, value string) request {
	r.header = append(r.header[:len(r.header):len(r.header)], [2]string{name, value})
	return r
}

func user(blocks ...string) string      { return message("user", blocks) }
func assistant(blocks ...string) string { return message("assistant", blocks) }

func message(role string, blocks []string) string {
	return fmt.Sprintf(`{"role":%q,"content":[%s]}`, role, strings.Join(blocks, ","))
}

func text(s string) string { return fmt.Sprintf(`{"type":"text","text":%q}`, s) }
