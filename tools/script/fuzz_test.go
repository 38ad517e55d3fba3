package script

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"github.com/whorl-go/whorl/tools"
)

// Whatever a program is, it ends, within its bounds, and without a panic.
func FuzzProgram(f *testing.F) {
	for _, code := range []string{
		"x = 1\nx += [2]\nprint(x)",
		"def f(a, *b, **c):\n  return lambda x=a: (x, b, c)\nprint(f(1, 2, z=3)())",
		"print({k: [v] * 3 for k, v in {'a': 1}.items() if k in 'abc'})",
		"for i in range(3):\n  if i % 2 == 0:\n    continue\n  else:\n    break",
		"print(gather([call(weather, city='%s' % c) for c in ['a']]), attempt(weather, city='b'))",
		"x = 'a' * 1000\nprint(x.replace('a', x)[1:5], '{0}{0}'.format(x), x.join([x]))",
		"a, (b, c) = 1, [2, 3]\n{'a': 1}['b'] //= 0",
		"print(sorted([3, 1], key=lambda x: -x, reverse=True), json.encode({'a': ()}), json.decode('[1e9, {}]'))",
		"while not 1 == 2:\n  x = {1: 2} | {3: 4}\n  y = set([1]) & set([2])",
		"x = 1 << 400\nx *= x\nprint(-x, ~x, x ^ 1, x >> 3)",
		"help()\nhelp(weather)\nload('a', b='c')",
		"x = b'abc'\nprint(x.elems(), hash(x), bytes([1]), math.pow(2, 3), 'é'.codepoints())",
	} {
		f.Add(code)
	}
	tool := New(Options{Tools: []tools.Tool{aTool("weather"), aTool("mail-send")}, MaxSteps: 20_000, MaxMemory: 1 << 20, MaxOutput: 1 << 10})
	f.Fuzz(func(t *testing.T, code string) {
		h := &aHost{reply: func(_, input string) (tools.Result, error) { return tools.Text(input), nil }}
		res, err := tool.run(context.Background(), h, code)
		if err != nil {
			t.Fatalf("%q: %v", code, err)
		}
		if len(h.calls) > 200 {
			t.Fatalf("%d calls", len(h.calls))
		}
		n := 0
		for _, b := range res.Content {
			n += len(blockText(b))
		}
		if n > 16<<10+len(code) {
			t.Fatalf("%d bytes", n)
		}
	})
}

// A program reaches these names, and what can be reached from them: no file, no
// network, no clock.
func TestWhatAProgramReaches(t *testing.T) {
	p := &program{tool: newTool(Options{}), made: make(map[string]int)}
	env := p.environment()
	var names []string
	for _, name := range append(env.Keys(), starlark.Universe.Keys()...) {
		if !strings.HasPrefix(name, "$") {
			names = append(names, name)
		}
	}
	for _, module := range []string{"json", "math"} {
		for _, name := range env[module].(starlark.HasAttrs).AttrNames() {
			names = append(names, module+"."+name)
		}
	}
	slices.Sort(names)
	want := "False None True abs all any ask attempt bool bytes call chr dict dir enumerate fail float gather getattr hasattr hash help int json json.decode json.encode len list " +
		"mail_send math math.acos math.acosh math.asin math.asinh math.atan math.atan2 math.atanh math.ceil math.copysign math.cos math.cosh math.degrees math.e math.exp math.fabs " +
		"math.floor math.gamma math.hypot math.log math.mod math.pi math.pow math.radians math.remainder math.round math.sin math.sinh math.sqrt math.tan math.tanh " +
		"max min ord print print range repr reversed set sorted str tuple type weather zip"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("a program reaches\n%s", got)
	}
}
