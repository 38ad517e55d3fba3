package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	starmath "go.starlark.net/lib/math"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// fileName is what the interpreter calls a program.
const fileName = "script"

var dialect = &syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true}

// A program is one run of a program.
type program struct {
	ctx    context.Context
	tool   *Tool
	host   tools.Host
	source string
	meter  meter
	thread *starlark.Thread

	calls int            // made
	made  map[string]int // calls that have a result, by tool
	asked int            // questions

	out     strings.Builder // what it has printed since the last block that is no text
	printed int
	content []transport.Block
}

// run runs a program. What it printed is the result; a mistake in it is a result that
// says where it is and what had been called.
func (t *Tool) run(ctx context.Context, host tools.Host, source string) (tools.Result, error) {
	p := &program{ctx: ctx, tool: t, host: host, source: source, meter: meter{max: t.options.MaxMemory}, made: make(map[string]int)}
	err := p.exec()
	if err == nil {
		p.flush()
		if len(p.content) == 0 {
			return tools.Text("The program ended and printed nothing. Print what you want to see."), nil
		}
		return tools.Result{Content: p.content}, nil
	}
	if errors.Is(err, tools.ErrWaiting) || tools.IsFatal(err) {
		return tools.Result{}, err
	}
	if ctx.Err() != nil {
		return tools.Result{}, fmt.Errorf("the program was stopped: %w", context.Cause(ctx))
	}
	return p.failed(err), nil
}

// failed is the result of a program that ended by err.
func (p *program) failed(err error) tools.Result {
	var b strings.Builder
	b.WriteString(p.explain(err))
	if len(p.made) > 0 {
		b.WriteString("\nThese calls were answered before, by a result or an error, and are not undone:")
		for _, f := range p.tool.inner {
			if n := p.made[f.name]; n > 0 {
				fmt.Fprintf(&b, " %s ×%d", f.name, n)
			}
		}
	}
	if p.out.Len() > 0 || len(p.content) > 0 {
		b.WriteString("\nPrinted before:\n")
		for _, c := range p.content {
			b.WriteString(blockText(c))
		}
		b.WriteString(p.out.String())
	}
	return tools.ErrorText(b.String())
}

func (p *program) exec() error {
	if n := len(p.source); n > p.tool.options.MaxSource {
		return fmt.Errorf("the program has %d bytes; the limit is %d", n, p.tool.options.MaxSource)
	}
	if !utf8.ValidString(p.source) {
		return errors.New("the program is not valid UTF-8")
	}
	file, err := dialect.Parse(fileName, p.source, 0)
	if err != nil {
		return err
	}
	rewriter{}.stmts(file.Stmts)
	env := p.environment()
	prog, err := starlark.FileProgram(file, env.Has)
	if err != nil {
		return err
	}
	p.thread = &starlark.Thread{
		Name:  p.tool.options.Name,
		Print: func(_ *starlark.Thread, text string) { p.out.WriteString(text + "\n") },
	}
	p.thread.SetMaxExecutionSteps(p.tool.options.MaxSteps)
	p.thread.OnMaxSteps = func(thread *starlark.Thread) {
		thread.Cancel(fmt.Sprintf("the program took more than %d steps; let it do less, or see whether a loop never ends", p.tool.options.MaxSteps))
	}
	defer context.AfterFunc(p.ctx, func() { p.thread.Cancel("the program was stopped") })()
	_, err = prog.Init(p.thread, env)
	return err
}

// environment is all that a program can reach beside the language.
func (p *program) environment() starlark.StringDict {
	m := &p.meter
	op := func(v starlark.Value) syntax.Token {
		i, _ := v.(starlark.Int).Int64()
		return syntax.Token(i)
	}
	env := starlark.StringDict{}
	def := func(name string, f func(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)) {
		env[name] = starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			return f(thread, args, kwargs)
		})
	}
	def(nameBinary, func(t *starlark.Thread, a starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return m.binary(t, op(a[0]), a[1], a[2])
	})
	def(nameAssign, func(t *starlark.Thread, a starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return m.assign(t, op(a[0]), a[1], a[2])
	})
	def(nameAssignX, func(t *starlark.Thread, a starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return starlark.None, m.assignAt(t, op(a[0]), a[1], a[2], a[3])
	})
	def(nameCall, func(t *starlark.Thread, a starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
		return m.call(t, a[0], a[1:], kw)
	})
	def(nameKey, func(t *starlark.Thread, a starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return a[0], m.key(t, a[0])
	})
	def(nameSpread, func(t *starlark.Thread, a starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return a[0], m.grow(t, sizeOfValue*length(a[0], m.max))
	})
	def(nameSized, func(t *starlark.Thread, a starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return a[0], m.grow(t, size(a[0]))
	})
	def("print", p.print)
	def("help", p.help)
	def("call", p.prepare)
	def("attempt", p.attempt)
	def("gather", p.gather)
	def("ask", p.ask)
	env["math"] = starmath.Module
	env["json"] = &starlarkstruct.Module{Name: "json", Members: starlark.StringDict{
		"encode": starlark.NewBuiltin("encode", p.encode),
		"decode": starlark.NewBuiltin("decode", p.decode),
	}}
	for _, f := range p.tool.inner {
		env[f.name] = toolValue{p, f}
	}
	return env
}

// print takes what the program wants the model to see.
func (p *program) print(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	sep, end := " ", "\n"
	if err := starlark.UnpackArgs("print", nil, kwargs, "sep?", &sep, "end?", &end); err != nil {
		return nil, err
	}
	for i, a := range args {
		if i > 0 {
			if err := p.write(sep); err != nil {
				return nil, err
			}
		}
		if m, ok := a.(mediaValue); ok {
			p.flush()
			p.content = append(p.content, m.block)
			continue
		}
		text, ok := starlark.AsString(a)
		if !ok {
			text = a.String()
		}
		if err := p.write(text); err != nil {
			return nil, err
		}
	}
	return starlark.None, p.write(end)
}

// write adds to the output.
func (p *program) write(s string) error {
	if left := p.tool.options.MaxOutput - p.printed; len(s) > left {
		s = strings.ToValidUTF8(s[:max(left, 0)], "")
		p.out.WriteString(s)
		p.printed = p.tool.options.MaxOutput
		return fmt.Errorf("the program prints more than %d bytes; print less", p.tool.options.MaxOutput)
	}
	p.printed += len(s)
	p.out.WriteString(s)
	return nil
}

func (p *program) flush() {
	if text := strings.TrimRight(p.out.String(), "\n"); strings.TrimSpace(text) != "" {
		p.content = append(p.content, transport.Text(text))
	}
	p.out.Reset()
}

func (p *program) help(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var v starlark.Value
	if err := starlark.UnpackPositionalArgs("help", args, kwargs, 0, &v); err != nil {
		return nil, err
	}
	if v == nil {
		for _, f := range p.tool.inner {
			if err := p.write(f.name + ": " + firstSentence(f.description) + "\n"); err != nil {
				return nil, err
			}
		}
		return starlark.None, nil
	}
	f, ok := v.(toolValue)
	if !ok {
		return nil, fmt.Errorf("help must be called with a tool, as in help(%s), not with a %s", p.anyTool(), v.Type())
	}
	return starlark.None, p.write(f.f.help() + "\n")
}

func (p *program) anyTool() string {
	if len(p.tool.inner) == 0 {
		return "tool"
	}
	return p.tool.inner[0].name
}

func (p *program) encode(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var v starlark.Value
	if err := starlark.UnpackPositionalArgs("json.encode", args, kwargs, 1, &v); err != nil {
		return nil, err
	}
	if _, err := weigh(thread, v, p.meter.max); err != nil {
		return nil, err
	}
	b, err := appendJSON(nil, v)
	return starlark.String(b), err
}

func (p *program) decode(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var text string
	var otherwise starlark.Value
	if err := starlark.UnpackPositionalArgs("json.decode", args, kwargs, 1, &text, &otherwise); err != nil {
		return nil, err
	}
	if err := p.meter.grow(thread, times(len(text), 8)); err != nil {
		return nil, err
	}
	v, err := fromJSON([]byte(text))
	if err != nil && otherwise != nil {
		return otherwise, nil
	}
	if err != nil {
		return nil, fmt.Errorf("json.decode: %w", err)
	}
	return v, nil
}

// ask asks a person, through the run.
func (p *program) ask(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var prompt string
	var choices *starlark.List
	if err := starlark.UnpackArgs("ask", args, kwargs, "prompt", &prompt, "choices?", &choices); err != nil {
		return nil, err
	}
	p.asked++
	q := tools.Question{Key: fmt.Sprint("ask ", p.asked), Kind: "user", Prompt: prompt, Schema: json.RawMessage(`{"type":"string"}`)}
	if choices != nil && choices.Len() > 0 {
		q.Schema = nil
		for i := range choices.Len() {
			if _, err := weigh(thread, choices.Index(i), p.meter.max); err != nil {
				return nil, err
			}
			b, err := appendJSON(nil, choices.Index(i))
			if err != nil {
				return nil, err
			}
			q.Choices = append(q.Choices, tools.Choice{Value: b})
		}
	}
	a, err := p.host.Ask(p.ctx, q)
	if err != nil {
		return nil, err
	}
	if err := p.meter.grow(thread, times(len(a.Value), 8)); err != nil {
		return nil, err
	}
	return fromJSON(a.Value)
}

// blockText is the text of a block, for a message of text only.
func blockText(b transport.Block) string {
	if text, ok := textOf(b); ok {
		return text + "\n"
	}
	return "<" + string(b.Type()) + ">\n"
}

func (p *program) hints(line string) string {
	for _, h := range pythonHints {
		if slices.Contains(words(line), h.word) || h.sign && strings.Contains(line, h.word) {
			return "; " + h.hint
		}
	}
	return ""
}
