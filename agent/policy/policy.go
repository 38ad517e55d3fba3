package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory/taint"
)

// The decisions of a rule. A rule that gives the empty string leaves the call to the
// next rule.
const (
	Allow = agent.Allow
	Deny  = agent.Deny
	Ask   = agent.Ask
)

// A Rule is an expression over a tool call, with its decision.
type Rule struct {
	// Name is the name of the rule in errors and traces; empty means "rule N", counted
	// from 1.
	Name string
	// Expr is the expression; the package comment lists what it may use. It gives
	// "allow", "deny" or "ask", or "" to leave the call to the next rule. It may give a
	// bool instead: true means Then, false means "".
	Expr string
	// Then is the decision if Expr gives true. It is required only for an Expr that
	// gives a bool.
	Then agent.Permission
	// Reason explains the decision, to the model if the call is denied and to the
	// person who is asked.
	Reason string
}

// Options configure a [Policy].
type Options struct {
	// Rules are tried in order; the first one that decides counts.
	Rules []Rule
	// Default decides calls that no rule decides. Empty leaves them to the tool's
	// traits: they are allowed unless the tool needs approval.
	Default agent.Permission
}

// A Policy is a list of compiled rules. It is immutable and safe for concurrent use.
type Policy struct {
	rules    []rule
	fallback agent.Permission
	tainted  bool // a rule asks for the labels of the log
}

type rule struct {
	Rule
	program *vm.Program
}

// maxExprBytes bounds an expression, which is a configuration's, not a program.
const maxExprBytes = 16 << 10

// New compiles and type-checks the rules. The error names the rule and the position in
// it.
func New(opts Options) (*Policy, error) {
	if !valid(opts.Default) && opts.Default != "" {
		return nil, fmt.Errorf("policy: Default is %q; use allow, deny, ask or nothing", opts.Default)
	}
	p := &Policy{fallback: opts.Default}
	for i, r := range opts.Rules {
		if r.Name == "" {
			r.Name = "rule " + strconv.Itoa(i+1)
		}
		program, err := compile(r.Expr)
		if err != nil {
			return nil, fmt.Errorf("policy: %s: %w", r.Name, err)
		}
		if r.Then != "" && !valid(r.Then) {
			return nil, fmt.Errorf("policy: %s: Then is %q; use allow, deny or ask", r.Name, r.Then)
		}
		if kind := program.Node().Type(); r.Then == "" && kind != nil && kind.Kind().String() == "bool" {
			return nil, fmt.Errorf("policy: %s: the expression gives true or false, so Then must say what true means", r.Name)
		}
		p.rules = append(p.rules, rule{r, program})
		p.tainted = p.tainted || uses(program, "taint")
	}
	return p, nil
}

func valid(p agent.Permission) bool { return p == Allow || p == Deny || p == Ask }

// environment is what an expression may use.
type environment struct {
	Tool     string            `expr:"tool"`
	Toolset  string            `expr:"toolset"`
	Args     any               `expr:"args"`
	ReadOnly bool              `expr:"read_only"`
	Step     int               `expr:"step"`
	CostUSD  float64           `expr:"cost_usd"`
	Tokens   int64             `expr:"tokens"`
	Session  string            `expr:"session"`
	Meta     map[string]string `expr:"meta"`
	Outside  bool              `expr:"outside"`
	Taint    labels            `expr:"taint"`
}

// labels are what the conversation has read.
type labels struct {
	Untrusted bool `expr:"untrusted"`
	Private   bool `expr:"private"`
}

// compile leaves out what would make an expression's answer depend on when it is asked.
func compile(code string) (*vm.Program, error) {
	if len(code) > maxExprBytes {
		return nil, fmt.Errorf("the expression has %d bytes; at most %d are allowed", len(code), maxExprBytes)
	}
	if code == "" {
		return nil, errors.New("the expression is empty")
	}
	return expr.Compile(code, expr.Env(environment{}), expr.DisableBuiltin("now"))
}

// uses reports whether an expression has a name in it.
func uses(program *vm.Program, name string) bool {
	finder := finder{name: name}
	node := program.Node()
	ast.Walk(&node, &finder)
	return finder.found
}

type finder struct {
	name  string
	found bool
}

// Visit implements [ast.Visitor].
func (f *finder) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok && (id.Value == f.name || id.Value == "$env") {
		f.found = true
	}
}

// Gate returns the policy as a gate, for [agent.Options].Gate. If a rule can't be
// evaluated for a call, for instance because it compares a missing argument with a
// number, the decision is Ask: what was not foreseen is not allowed.
func (p *Policy) Gate() agent.Gate { return p.decide }

func (p *Policy) decide(_ context.Context, q agent.ToolRequest) agent.Decision {
	env, err := newEnvironment(q)
	if err != nil {
		return agent.Decision{Permission: Ask, Reason: "the arguments can't be read: " + err.Error(), Rule: ""}
	}
	if p.tainted && q.Log != nil {
		l := taint.Of(q.Log)
		env.Taint = labels{Untrusted: l.Untrusted, Private: l.Private}
	}
	for _, r := range p.rules {
		d, err := r.eval(env)
		if err != nil {
			return agent.Decision{Permission: Ask, Reason: fmt.Sprintf("%s can't be evaluated for this call: %v", r.Name, err), Rule: r.Name}
		}
		if d != "" {
			return agent.Decision{Permission: d, Reason: r.Reason, Rule: r.Name}
		}
	}
	if p.fallback == "" {
		return agent.Decision{}
	}
	return agent.Decision{Permission: p.fallback, Reason: "", Rule: "default"}
}

func (r rule) eval(env environment) (agent.Permission, error) {
	out, err := expr.Run(r.program, env)
	if err != nil {
		return "", firstLine(err)
	}
	switch out := out.(type) {
	case bool:
		if !out {
			return "", nil
		}
		if r.Then == "" {
			return "", errors.New("it gives true, and Then doesn't say what that means")
		}
		return r.Then, nil
	case string:
		if d := agent.Permission(out); d == "" || valid(d) {
			return d, nil
		}
		return "", fmt.Errorf("it gives %q; it may give allow, deny, ask or an empty string", out)
	}
	return "", fmt.Errorf("it gives %T; it may give a string or a bool", out)
}

// firstLine drops the drawing of the expression that expr adds to an error.
func firstLine(err error) error {
	text, _, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	return errors.New(string(text))
}

func newEnvironment(q agent.ToolRequest) (environment, error) {
	args, err := decode(q.Call.Input)
	if err != nil {
		return environment{}, err
	}
	u := q.Status.Usage
	return environment{
		Tool: q.Call.Name, Toolset: q.Call.Toolset, Args: args, ReadOnly: q.Traits.ReadOnly,
		Step: q.Status.Steps, CostUSD: q.Status.Cost.USD, Tokens: u.PromptTokens() + u.OutputTokens,
		Session: q.Status.Session, Meta: q.Status.Meta, Outside: q.Traits.Outside,
	}, nil
}

// decode reads arguments so that integers compare as integers.
func decode(input []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(input))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil && err != io.EOF {
		return nil, err
	}
	return numbers(v), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.Atoi(v.String()); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case map[string]any:
		for k, e := range v {
			v[k] = numbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = numbers(e)
		}
	}
	return v
}

// StopWhen compiles an expression over step, cost_usd, tokens, session and meta for
// [agent.Options].StopWhen. The expression gives true to end the run, or a string with
// the reason; false and the empty string mean to continue. An expression that can't be
// evaluated ends the run.
func StopWhen(code string) (func(context.Context, agent.Status) string, error) {
	program, err := compile(code)
	if err != nil {
		return nil, fmt.Errorf("stop condition: %w", err)
	}
	for _, name := range []string{"tool", "toolset", "args", "read_only", "outside", "taint"} {
		if uses(program, name) {
			return nil, fmt.Errorf("stop condition: %s belongs to a tool call, and a stop condition has none", name)
		}
	}
	return func(_ context.Context, s agent.Status) string {
		env, err := newEnvironment(agent.ToolRequest{Status: s})
		if err != nil {
			return err.Error()
		}
		out, err := expr.Run(program, env)
		if err != nil {
			return fmt.Sprintf("%s can't be evaluated: %v", code, firstLine(err))
		}
		switch out := out.(type) {
		case bool:
			if out {
				return code
			}
			return ""
		case string:
			return out
		}
		return fmt.Sprintf("%s gives %T, which is neither a bool nor a string", code, out)
	}, nil
}
