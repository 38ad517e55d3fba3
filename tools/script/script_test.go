package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// aHost answers calls without an agent, and notes what was called and asked.
type aHost struct {
	tools.Host
	mu    sync.Mutex
	calls []string
	asked []tools.Question
	reply func(name, input string) (tools.Result, error)
}

func (h *aHost) CallTool(_ context.Context, c transport.ToolCall) (tools.Result, error) {
	h.mu.Lock()
	h.calls = append(h.calls, c.ID+" "+c.Name+" "+string(c.Input))
	h.mu.Unlock()
	return h.reply(c.Name, string(c.Input))
}

func (h *aHost) Ask(_ context.Context, q tools.Question) (tools.Answer, error) {
	h.asked = append(h.asked, q)
	if len(q.Choices) == 0 {
		return tools.Answer{Value: json.RawMessage(`"in words"`)}, nil
	}
	return tools.Answer{Value: q.Choices[0].Value}, nil
}

type weatherIn struct {
	City string `json:"city" jsonschema_description:"Name of a town"`
	Days int    `json:"days,omitempty" jsonschema:"minimum=1"`
}

func aTool(name string) tools.Tool {
	return tools.Func(name, "Tells the weather. It is right.", func(context.Context, weatherIn) (string, error) { return "", nil })
}

func newTool(o Options) *Tool {
	if o.Tools == nil {
		o.Tools = []tools.Tool{aTool("weather"), aTool("mail-send")}
	}
	return New(o)
}

// runText runs a program whose tools answer with reply, or with their input.
func runText(t *testing.T, o Options, code string, reply func(name, input string) (tools.Result, error)) (text string, isError bool, calls []string) {
	t.Helper()
	if reply == nil {
		reply = func(_, input string) (tools.Result, error) { return tools.Text(input), nil }
	}
	h := &aHost{reply: reply}
	res, err := newTool(o).run(t.Context(), h, code)
	if err != nil {
		t.Fatalf("%s\n%v", code, err)
	}
	for _, b := range res.Content {
		text += blockText(b)
	}
	return strings.TrimSuffix(text, "\n"), res.IsError, h.calls
}

func TestWhatAProgramPrints(t *testing.T) {
	for code, want := range map[string]string{
		`print(1+1, "a", [1, None, True], {"a": 2.5})`:             `2 a [1, None, True] {"a": 2.5}`,
		"x = 1\nx += 2\nprint(x)":                                  "3",
		"l = [1]\nm = l\nm += [2]\nl += l\nprint(l, m)":            "[1, 2, 1, 2] [1, 2, 1, 2]",
		"d = {}\nd['a'] = 1\nd['a'] += 4\nd |= {'b': 2}\nprint(d)": `{"a": 5, "b": 2}`,
		"l = [[1], 2]\nl[0] += [3]\nl[-1] *= 4\nprint(l)":          "[[1, 3], 8]",
		"def f(a, b=2, *c, **d):\n  return a + b + len(c) + len(d)\nprint(f(1), f(1, 2, 3, x=4), f(*[1, 2], **{'z': 1}))": "3 5 4",
		"print([x * y for x in range(3) if x % 2 == 0 for y in (1, 2)])":                                                  "[0, 0, 2, 4]",
		"print({k: v for k, v in [('a', 1)]})":                                                                            `{"a": 1}`,
		"n = 0\nwhile n < 5:\n  n += 2\nprint(n)":                                                                         "6",
		"print('abc'[1:], [1, 2, 3][::-1], 'b' in 'abc', 2 not in [1])":                                                   "bc [3, 2, 1] True True",
		"print('%s is %d' % ('a', 3), '{} {x}'.format(1, x=2))":                                                           "a is 3 1 2",
		"print(sorted([3, 1, 2], key=lambda x: -x), max([1, 5]), sorted(['b', 'a'], key=str))":                            `[3, 2, 1] 5 ["a", "b"]`,
		"print(' '.join(['a', 'b']), 'a,b'.split(','), 'aXa'.replace('X', '--'))":                                         `a b ["a", "b"] a--a`,
		"print(json.decode('{\"a\": [1, 2.5, null]}'), json.encode({'a': (1, 'ü<')}))":                                    `{"a": [1, 2.5, None]} {"a":[1,"ü<"]}`,
		"print(2 if 1 < 2 else 3, not 1 == 1, -3 // 2, 7 % 3, 1 << 4)":                                                    "2 False -2 1 16",
		"(a, [b]) = 1, [2]\nprint(a, b)":                                                                                  "1 2",
		"print(math.floor(2.7), int('12'), float('1.5'), str([1]), type(1))":                                              "2 12 1.5 [1] int",
		"print(9999999999999999999 * 9999999999999999999)":                                                                "99999999999999999980000000000000000001",
		"print('a', end='')\nprint('b', 'c', sep='-')":                                                                    "ab-c",
		"print(weather(city='a', days=-36893488147419103233))":                                                            `{"city": "a", "days": -36893488147419103233}`,
		"x = 1":                               "The program ended and printed nothing. Print what you want to see.",
		"print(weather(city='Bonn')['city'])": "Bonn",
		"print(weather({'city': 'Ulm'}), mail_send(city='x', days=None))": `{"city": "Ulm"} {"city": "x"}`,
		"print(gather([call(weather, city=c) for c in ['a', 'b']]))":      `[{"city": "a"}, {"city": "b"}]`,
		"print(ask('which?', choices=['left', 'right']))":                 "left",
		"help()":        "mail_send: Tells the weather.\nweather: Tells the weather.",
		"help(weather)": "weather(city: string, days: integer = None)\nTells the weather. It is right.\n  city: Name of a town",
	} {
		if got, isError, _ := runText(t, Options{}, code, nil); got != want || isError {
			t.Errorf("%s\n got %s\nwant %s", code, got, want)
		}
	}
}

func TestMistakesHavePlaces(t *testing.T) {
	failing := func(string, string) (tools.Result, error) { return tools.ErrorText("no such town"), nil }
	for code, want := range map[string]string{
		"x = (1":                                "line 1, column 7: got end of file, want ')'",
		"x = 1\nprint(y)":                       "line 2, column 7: undefined: y; the tools are: mail_send, weather\n  print(y)",
		"import os":                             "nothing can be imported",
		"print(f'{x}')":                         "there are no f-strings",
		"print(2 ** 3)":                         "there is no **",
		"print(sum([1]))":                       "undefined: sum; there is no sum; add in a loop\n",
		"x = 1\ny = x + 'a'":                    "line 2, column 7: unknown binary op: int + string\n  y = x + 'a'",
		"def f():\n  return {}['k']\n\nf()":     "line 2, column 12: key \"k\" not in dict",
		"x = {}\nx['a'] += 1":                   "line 2, column 8: key \"a\" not in dict",
		"weather('Bonn')":                       "line 1, column 8: weather takes named arguments, as in weather(city: string, days: integer = None)",
		"d = {'city': 'a'}\nweather(d, days=2)": "line 2, column 8: weather takes named arguments",
		"print(1)\nweather(city='x')":           "line 2, column 8: weather: no such town\n  weather(city='x')\nThese calls were answered before, by a result or an error, and are not undone: weather ×1\nPrinted before:\n1",
		"fail('so')":                            "line 1, column 5: fail: so",
		"gather([weather])":                     "gather takes calls made by call(), as in gather([call(mail_send, …)]); one is a tool",
		"help(3)":                               "help must be called with a tool, as in help(mail_send), not with a int",
		"def f():\n  f()\nf()":                  "called recursively",
		"c = call(weather)\ngather([c, c])":     "this call was made before",
		"weather(city=set([float('nan')]))":     "nan is not a number in JSON",
		"load('x', 'y')":                        "load not implemented by this application",
		"1 + \xff":                              "not valid UTF-8",
	} {
		got, isError, _ := runText(t, Options{}, code, failing)
		if !strings.Contains(got, want) || !isError {
			t.Errorf("%s\n got %s\nwant %s", code, got, want)
		}
	}
}

func TestFailuresCanBeTaken(t *testing.T) {
	reply := func(_, input string) (tools.Result, error) {
		if strings.Contains(input, "bad") {
			return tools.ErrorText("no"), nil
		}
		return tools.Text("fine"), nil
	}
	got, _, calls := runText(t, Options{}, "print(attempt(weather, city='bad'), attempt(weather, city='good'))\nprint(gather([call(weather, city='bad'), call(weather, city='b')], attempt=True))", reply)
	want := `{"ok": False, "value": None, "error": "no"} {"ok": True, "value": "fine", "error": None}` + "\n" +
		`[{"ok": False, "value": None, "error": "no"}, {"ok": True, "value": "fine", "error": None}]`
	if got != want {
		t.Errorf("%v\n%s", calls, got)
	}
	// Those of one gather come in any order, and each has its number in the program.
	slices.Sort(calls)
	if want := `[1 weather {"city":"bad"} 2 weather {"city":"good"} 3 weather {"city":"bad"} 4 weather {"city":"b"}]`; fmt.Sprint(calls) != want {
		t.Errorf("%v, want %s", calls, want)
	}
}

// Each of these would take gigabytes or hours; each is refused by its size, in few
// steps.
func TestBounds(t *testing.T) {
	dag := "x = [1] * 100\nfor i in range(20):\n  x = [x, x, x]\n"
	tuple := "x = (1,)\nfor i in range(60):\n  x = (x, x)\n"
	deep := "x = []\nfor i in range(500):\n  x = [x]\n"
	for code, want := range map[string]string{
		"while True:\n  pass":                                                        "more than 1000000 steps",
		"for i in range(10 << 40):\n  pass":                                          "more than 1000000 steps",
		"print([i for i in range(1 << 40)])":                                         "more than 1000000 steps",
		"x = 'a' * (1 << 40)":                                                        "more than",
		"x = (1 << 40) * [1]":                                                        "more than",
		"def f(x='a' * (1 << 40)):\n  pass":                                          "more than",
		"f = lambda x='a' * (1 << 40): x":                                            "more than",
		"f = lambda x: 'a' * x\nf(1 << 40)":                                          "more than",
		"def f(x):\n  return 'a' * x\nf(1 << 40)":                                    "more than",
		"while 'a' * (1 << 40):\n  pass":                                             "more than",
		"if 'a' * (1 << 40):\n  pass":                                                "more than",
		"if False:\n  pass\nelse:\n  x = 'a' * (1 << 40)":                            "more than",
		"for c in ('a' * (1 << 40)).elems():\n  pass":                                "more than",
		"x = 1 if 'a' * (1 << 40) else 2":                                            "more than",
		"x = [1 for i in [1] if 'a' * (1 << 40)]":                                    "more than",
		"x = [1 for i in [1] for c in ('a' * i * (1 << 40)).elems()]":                "more than",
		"x = not 'a' * (1 << 40)":                                                    "more than",
		"x = {'a': 'a' * (1 << 40)}":                                                 "more than",
		"x = {}\nx[1], y = 'a' * (1 << 40), 2":                                       "more than",
		"x = {'a': 1}\nx['a' * (1 << 40)] = 1":                                       "more than",
		"x = [1, 2][len('a' * (1 << 40))]":                                           "more than",
		"x = 'abc'[len('a' * (1 << 40)):]":                                           "more than",
		"x = 'abc'[:len('a' * (1 << 40))]":                                           "more than",
		"x = 'abc'[::len('a' * (1 << 40))]":                                          "more than",
		"print(sep='a' * (1 << 40))":                                                 "more than",
		"x = True and 'a' * (1 << 40)":                                               "more than",
		"x = 'abc'\nfor i in range(60):\n  x += x":                                   "more than",
		"x = 'abc'\nfor i in range(60):\n  x = x + x":                                "more than",
		"x = [1]\nfor i in range(60):\n  x += x":                                     "more than",
		"x = [1]\nfor i in range(60):\n  x.extend(x)":                                "more than",
		"d = {'a': [1]}\nfor i in range(60):\n  d['a'] *= 9":                         "more than",
		"x = list(range(1 << 60))":                                                   "more than",
		"x = sorted(range(1 << 60))":                                                 "more than",
		"x = max(range(1 << 60))":                                                    "more than",
		"x = all(range(1, 1 << 60))":                                                 "more than",
		"x = set(range(1 << 60))":                                                    "more than",
		"x = dict(zip(range(1 << 60), range(1 << 60)))":                              "more than",
		"x = list(enumerate(range(1 << 60)))":                                        "more than",
		"def f(*a): pass\nf(*range(1 << 60))":                                        "more than",
		"print(json.encode(range(1 << 60)))":                                         "larger than",
		"print(json.encode('a'.elems()))":                                            "can't be written",
		"x = 'a' * 60000\nprint(x.replace('', x))":                                   "more than",
		"x = 'a' * 60000\nprint(x.replace('a', x))":                                  "more than",
		"x = 'a' * 6000000\nprint(x.join(['a'] * 1000))":                             "more than",
		"x = 'a' * 6000000\nprint('{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}'.format(x))": "more than",
		"x = 'a' * 6000000\nprint(('%(a)s' * 20) % {'a': x})":                        "more than",
		"x = 2\nfor i in range(60):\n  x = x * x":                                    "a number has more than",
		"x = 1\nfor i in range(999):\n  x = x << 500":                                "a number has more than",
		"x = int('9' * 1000000)":                                                     "a number has more than",
		dag + "print(x)":                                                             "larger than",
		dag + "y = str(x)":                                                           "larger than",
		dag + "y = repr(x)":                                                          "larger than",
		dag + "y = '%s' % x":                                                         "larger than",
		dag + "y = '{}'.format(x)":                                                   "larger than",
		dag + "y = x == x":                                                           "larger than",
		dag + "y = x in [x]":                                                         "larger than",
		dag + "y = [x].index(x)":                                                     "larger than",
		dag + "y = json.encode(x)":                                                   "larger than",
		dag + "y = sorted([x, x])":                                                   "larger than",
		dag + "y = sorted([x, x], key=repr)":                                         "larger than",
		dag + "y = sorted([x, x], repr)":                                             "larger than",
		dag + "f = repr\ny = [f(x)]":                                                 "larger than",
		dag + "fail(x)":                                                              "larger than",
		dag + "weather(city=x)":                                                      "larger than",
		"x = []\nfor i in range(40):\n  x = [x, x, x]\nprint(x)":                     "larger than",
		"s = 'a' * 6000000\nsorted([['a'] * 1000], key=s.join)":                      "more than",
		"s = 'a' * 6000000\nsorted([['a'] * 1000], s.join)":                          "more than",
		"s = 'a' * 6000000\nmax([['a'] * 1000], key=s.join)":                         "more than",
		tuple + "y = {}\nz = y[x]":                                                   "larger than",
		tuple + "y = {x: 1}":                                                         "larger than",
		tuple + "y = {}\ny[x] = 1":                                                   "larger than",
		tuple + "y = {}\ny[x] += 1":                                                  "larger than",
		tuple + "y = {x: 1 for i in [1]}":                                            "larger than",
		tuple + "y = {}.get(x)":                                                      "larger than",
		tuple + "y = set([x])":                                                       "larger than",
		tuple + "y = x in {}":                                                        "larger than",
		tuple + "y = dict([(x, 1)])":                                                 "larger than",
		deep + "print(x)":                                                            "nested deeper",
		deep + "weather(city=x)":                                                     "nested deeper",
		deep + "y = x == x":                                                          "nested deeper",
		"x = []\nx.append(x)\nprint(x)":                                              "holds itself",
		"x = {}\nx['a'] = x\nweather(city=x)":                                        "holds itself",
		"x = json.decode('[' * 100000)":                                              "json.decode",
		"for i in range(1000):\n  weather(city='a')":                                 "more than 200 calls",
		"gather([call(weather, city='a') for i in range(201)])":                      "more than 200 calls",
		"while True:\n  print('a' * 1000)":                                           "prints more than",
		"print('a' * 50000000)":                                                      "more than",
		"x = 'a' * 1000000\nfor i in range(9999):\n  y = x.count('b')":               "more than",
		"x = 'a' * 1000000\nfor i in range(9999):\n  y = 'b' in x":                   "more than",
		"x = 'a' * 1000000\nfor i in range(9999):\n  y = x[1:]":                      "more than",
		"x = [1] * 100000\nfor i in range(9999):\n  y = 2 in x":                      "more than",
		"x = [1] * 100000\ny = x[:]\nfor i in range(9999):\n  z = x == y":            "more than",
		strings.Repeat("x = 1\n", 9999):                                              "the limit is",
	} {
		got, isError, _ := runText(t, Options{}, code, nil)
		if len(got) > 60_000 || !strings.Contains(got, want) || !isError {
			t.Errorf("%s\n got %.300s\nwant %s", code, got, want)
		}
	}
}

// A source that is nothing but brackets, as long as it may be, ends no process.
func TestDeepSource(t *testing.T) {
	for _, s := range []string{"(", "[", "{1:", "-", "not ", "lambda: ", "x[", "f(", "1+", "x if x else ", "x."} {
		code := "x = " + strings.Repeat(s, mostSource/len(s)-2)
		for _, code := range []string{code, code + "1"} {
			if _, isError, _ := runText(t, Options{}, code, nil); !isError && s != "-" && s != "not " && s != "1+" && s != "lambda: " && s != "x if x else " {
				t.Errorf("%q is no mistake", s)
			}
		}
	}
	whole := "x = " + strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000)
	runText(t, Options{}, whole, nil)
	runText(t, Options{}, "x = "+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+"\nprint(x)", nil)
}

func TestAResultOfPictures(t *testing.T) {
	picture, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`))
	if err != nil {
		t.Fatal(err)
	}
	h := &aHost{reply: func(string, string) (tools.Result, error) {
		return tools.Result{Content: []transport.Block{transport.Text("a"), picture}}, nil
	}}
	res, err := newTool(Options{}).run(t.Context(), h, "r = weather(city='x')\nprint('seen', r[0], type(r[1]))\nprint(r[1])")
	if err != nil || len(res.Content) != 2 || blockText(res.Content[0]) != "seen a media\n" || res.Content[1].Type() != "image" {
		t.Fatalf("%v %v", err, res)
	}
}

func TestWhatEndsTheProgramGoesOut(t *testing.T) {
	for _, want := range []error{tools.ErrWaiting, tools.Fatal(errors.New("disk"))} {
		for _, code := range []string{"weather(city='x')", "gather([call(weather, city='x'), call(mail_send, city='y')])", "attempt(weather, city='x')"} {
			h := &aHost{reply: func(name, _ string) (tools.Result, error) {
				if name != "weather" {
					return tools.Text("ok"), nil
				}
				return tools.Result{}, fmt.Errorf("call: %w", want)
			}}
			if _, err := newTool(Options{}).run(t.Context(), h, code); !errors.Is(err, want) {
				t.Errorf("%s: %v", code, err)
			}
		}
	}
}

// Where one call ends the program and another waits, there is nothing to wait for.
func TestAnEndGoesBeforeAWait(t *testing.T) {
	disk := tools.Fatal(errors.New("disk"))
	h := &aHost{reply: func(name, _ string) (tools.Result, error) {
		if name == "weather" {
			return tools.Result{}, tools.ErrWaiting
		}
		return tools.Result{}, disk
	}}
	if _, err := newTool(Options{}).run(t.Context(), h, "gather([call(weather, city='x'), call(mail_send, city='y')])"); !errors.Is(err, disk) || errors.Is(err, tools.ErrWaiting) {
		t.Error(err)
	}
}

func TestAProgramIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := &aHost{reply: func(string, string) (tools.Result, error) { cancel(); return tools.Text("x"), nil }}
	_, err := newTool(Options{MaxSteps: 1 << 40}).run(ctx, h, "weather(city='x')\nwhile True:\n  pass")
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, list := range map[string][]Options{
		"have the same name in programs": {{Tools: []tools.Tool{aTool("a-b"), aTool("a_b")}}},
		"a function of the language":     {{Tools: []tools.Tool{aTool("print")}}, {Tools: []tools.Tool{aTool("len")}}, {Tools: []tools.Tool{aTool("gather")}}, {Tools: []tools.Tool{aTool("attempt")}}, {Tools: []tools.Tool{aTool("json")}}, {Tools: []tools.Tool{aTool("for")}}},
		"does not run in this program":   {{Tools: []tools.Tool{tools.WebSearch{}}}},
		"a limit is negative":            {{MaxOutput: -1}, {MaxMemory: -1}, {MaxCalls: -1}, {MaxSource: -1}},
	} {
		for _, o := range list {
			if _, err := newTool(o).Definition(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %+v: %v", want, o, err)
			}
		}
	}
	def, err := newTool(Options{}).Definition()
	if err != nil || !strings.Contains(string(def.Raw()), `weather: Tells the weather.`) || strings.Contains(string(def.Raw()), "Name of a town") {
		t.Errorf("%v: %s", err, def.Raw())
	}
}

// Arguments are sent as the program has them: each digit, each letter, the order of members,
// and the tool's own name. None is left out where the tool doesn't want the argument.
func TestArgumentsAsWritten(t *testing.T) {
	for code, want := range map[string]string{
		`weather(city=0.1 + 0.2)`:                                       `{"city":0.30000000000000004}`,
		`weather(city=1234567.891)`:                                     `{"city":1234567.891}`,
		`weather(city=16777217.0)`:                                      `{"city":16777217}`,
		`weather(city=1e300)`:                                           `{"city":1e+300}`,
		`weather(city=9007199254740993)`:                                `{"city":9007199254740993}`,
		`weather(city=-123456789012345678901)`:                          `{"city":-123456789012345678901}`,
		`weather(city="a\"b\\c\n\t\x00\x7fü\u2028<&>🦀")`:                "{\"city\":\"a\\\"b\\\\c\\n\\t\\u0000\x7fü\u2028<&>🦀\"}",
		`weather(city=[], days={})`:                                     `{"city":[],"days":{}}`,
		`weather(days=(1, [True, None]), city={"z": 1, "a": {"b": 2}})`: `{"days":[1,[true,null]],"city":{"z":1,"a":{"b":2}}}`,
		`weather(city=None, days=None)`:                                 `{"city":null}`,
		`weather({"days": None, "city": ""})`:                           `{"days":null,"city":""}`,
		`mail_send(city="a")`:                                           `{"city":"a"}`,
		`x = {"city": "a"}
c = call(weather, city=x)
x["city"] = "b"
gather([c])`: `{"city":{"city":"a"}}`,
	} {
		tool := "weather"
		if strings.HasPrefix(code, "mail_send") {
			tool = "mail-send"
		}
		_, isError, calls := runText(t, Options{}, code, nil)
		if len(calls) != 1 || isError {
			t.Errorf("%s: %v", code, calls)
			continue
		}
		if _, got, _ := strings.Cut(calls[0], " "); got != tool+" "+want {
			t.Errorf("%s\n got %s\nwant %s", code, got, want)
		}
	}
	for code, want := range map[string]string{
		`weather(city={1: 2})`:        "a key in JSON must be a string, not a int",
		`weather(city=1e300 * 1e300)`: "not a number in JSON",
		`weather(city=weather)`:       "can't be written as JSON",
		`weather(city=call(weather))`: "can't be written as JSON",
		`weather(city=lambda x: x)`:   "can't be written as JSON",
	} {
		if got, isError, calls := runText(t, Options{}, code, nil); !isError || !strings.Contains(got, want) || len(calls) > 0 {
			t.Errorf("%s: %v %s", code, calls, got)
		}
	}
}

// A whole number is one for the tool, too, however it was calculated.
func TestWholeNumbers(t *testing.T) {
	for code, want := range map[string]int{"84000000 / 2": 42_000_000, "1e6 * 1e6": 1_000_000_000_000, "6 / 2": 3, "math.floor(2.5)": 2, "-9e15": -9_000_000_000_000_000} {
		_, _, calls := runText(t, Options{}, "weather(city='a', days="+code+")", nil)
		var in weatherIn
		if _, raw, _ := strings.Cut(calls[0], " weather "); json.Unmarshal([]byte(raw), &in) != nil || in.Days != want {
			t.Errorf("%s: %s", code, raw)
		}
	}
}

// A result is what the tool said: objects and lists with each digit, and any other text as it
// is, also where it only begins as JSON does.
func TestResultsAsGiven(t *testing.T) {
	for result, want := range map[string]string{
		`{"id":9007199254740993,"sum":0.1}`: `{"id": 9007199254740993, "sum": 0.1}`,
		"  [123456789012345678901, -0.5]\n": "[123456789012345678901, -0.5]",
		`9007199254740993`:                  "9007199254740993",
		`007`:                               "007",
		`{"a":1} and {"b":2}`:               `{"a":1} and {"b":2}`,
		`[ERROR] no town`:                   "[ERROR] no town",
		`{"a":1`:                            `{"a":1`,
		`"quoted"`:                          `"quoted"`,
		` spaces `:                          " spaces ",
		`null`:                              "null",
	} {
		got, isError, _ := runText(t, Options{}, "print(weather(city='a'))", func(string, string) (tools.Result, error) { return tools.Text(result), nil })
		if got != want || isError {
			t.Errorf("%q became %q, want %q", result, got, want)
		}
	}
	got, _, _ := runText(t, Options{}, "r = gather([call(weather, city=c) for c in ['a', 'b', 'c']])\nprint(r)", func(_, input string) (tools.Result, error) {
		if strings.Contains(input, `"b"`) {
			return tools.Result{}, nil
		}
		return tools.Result{Content: []transport.Block{transport.Text("x"), transport.Text(input)}}, nil
	})
	if want := `["x\n{\"city\":\"a\"}", "", "x\n{\"city\":\"c\"}"]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Each question has a key of its own, which is its place in the program: the same words may
// be asked twice, and have two answers. Choices stand in the program's order.
func TestQuestionsOfAProgram(t *testing.T) {
	h := &aHost{reply: func(string, string) (tools.Result, error) { return tools.Text("x"), nil }}
	res, err := newTool(Options{}).run(t.Context(), h, "a = ask('sure?', choices=['yes', 2, None])\nb = ask('sure?', choices=['yes', 2, None])\nprint(a, b, ask('why?'), ask(prompt='why?', choices=[]))")
	if err != nil || len(res.Content) != 1 || blockText(res.Content[0]) != "yes yes in words in words\n" || len(h.asked) != 4 {
		t.Fatalf("%v: %v, asked %+v", err, res.Content, h.asked)
	}
	for i, q := range h.asked {
		choices := ""
		for _, c := range q.Choices {
			choices += string(c.Value) + " "
		}
		want, schema := `"yes" 2 null `, ""
		if i > 1 {
			want, schema = "", `{"type":"string"}`
		}
		if q.Key != fmt.Sprint("ask ", i+1) || q.Kind != "user" || choices != want || string(q.Schema) != schema {
			t.Errorf("question %d is %+v", i+1, q)
		}
	}
}

// What comes from outside counts as the program's memory, too: results, and what is read as
// JSON. What was sent before stays counted.
func TestMemoryOfWhatComes(t *testing.T) {
	long := func(size int) func(string, string) (tools.Result, error) {
		return func(string, string) (tools.Result, error) { return tools.Text(strings.Repeat("a", size)), nil }
	}
	list := func(string, string) (tools.Result, error) {
		return tools.Text("[" + strings.Repeat("1,", 10_000) + "1]"), nil
	}
	for _, c := range []struct {
		code, want string
		reply      func(string, string) (tools.Result, error)
		most       int
	}{
		{"weather(city='a')", "the result of weather: the program builds more than 100000 bytes", long(200_000), 1},
		{"for i in range(150):\n  weather(city='a')", "builds more than 100000 bytes", long(2000), 50},
		{"for i in range(150):\n  weather(city='a')", "builds more than 100000 bytes", list, 1},
		{"x = attempt(weather, city='a')", "builds more than 100000 bytes", long(200_000), 1},
		{"x = gather([call(weather, city='a')], attempt=True)", "builds more than 100000 bytes", long(200_000), 1},
		{"t = '[' + '1,' * 4000 + '1]'\nfor i in range(9):\n  x = json.decode(t)", "builds more than 100000 bytes", long(1), 0},
		{"for i in range(150):\n  x = json.decode('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32]')", "builds more than 100000 bytes", long(1), 0},
		{"x = 'a' * 5000\nfor i in range(150):\n  weather(city=x)", "builds more than 100000 bytes", long(1), 20},
		{"x = {}\ny = {'a%d' % i: i for i in range(300)}\nfor i in range(150):\n  x |= y", "builds more than 100000 bytes", long(1), 0},
		{"x = []\nfor i in range(100000):\n  x.append(i)", "builds more than 100000 bytes", long(1), 0},
		{"x = ('a ' * 10000).split()", "builds more than 100000 bytes", long(1), 0},
		{"x = ('a\\n' * 10000).splitlines()", "builds more than 100000 bytes", long(1), 0},
		{"x = ('a,' * 10000).rsplit(',')", "builds more than 100000 bytes", long(1), 0},
		{"x = 'a' * 9000\nfor i in range(150):\n  y = x.upper()", "builds more than 100000 bytes", long(1), 0},
		{"x = dict(a='a' * 9000)\nfor i in range(150):\n  y = 'b{x}'.format(x=x)", "builds more than 100000 bytes", long(1), 0},
	} {
		got, isError, calls := runText(t, Options{MaxMemory: 100_000}, c.code, c.reply)
		if !isError || !strings.Contains(got, c.want) || len(calls) > c.most {
			t.Errorf("%.80s\n got %d calls, %.300s\nwant %d, %s", c.code, len(calls), got, c.most, c.want)
		}
	}
}

// No call is made beyond the limit, and attempt doesn't take that for a failure of the tool:
// the program ends.
func TestMostCalls(t *testing.T) {
	for code, want := range map[string]int{
		"for i in range(9):\n  attempt(weather, city='a')":                       3,
		"gather([call(weather, city='a') for i in range(4)], attempt=True)":      0,
		"gather([call(weather, city='a') for i in range(3)])\nprint('done')":     3,
		"weather(city='a')\ngather([call(weather, city='a') for i in range(3)])": 1,
	} {
		got, isError, calls := runText(t, Options{MaxCalls: 3}, code, nil)
		if len(calls) != want || isError == (got == "done") || isError && !strings.Contains(got, "more than 3 calls") {
			t.Errorf("%s: %v, %s", code, calls, got)
		}
	}
}

// What is said of the tool bounds it: its time, its output with room for what stands beside
// it; and it may begin again. A program may not be longer than the log holds.
func TestTraitsAndLimits(t *testing.T) {
	if tr := newTool(Options{}).Traits(); !tr.Repeatable || tr.Timeout != 10*time.Minute || tr.MaxResultBytes <= 48<<10 || tr.ReadOnly {
		t.Errorf("%+v", tr)
	}
	if tr := newTool(Options{Timeout: time.Second, MaxOutput: 1 << 20}).Traits(); tr.Timeout != time.Second || tr.MaxResultBytes <= 1<<20 {
		t.Errorf("%+v", tr)
	}
	for size, most := range map[int]int{mostSource: 1 << 20, 100: 100} {
		code := "#" + strings.Repeat("x", size-1)
		if got, isError, _ := runText(t, Options{MaxSource: most}, code, nil); isError {
			t.Errorf("%d bytes of %d: %s", size, most, got)
		}
		if got, isError, _ := runText(t, Options{MaxSource: most}, code+"x", nil); !isError || !strings.Contains(got, fmt.Sprint("the limit is ", size)) {
			t.Errorf("%d bytes of %d: %s", size+1, most, got)
		}
	}
	got, isError, _ := runText(t, Options{MaxOutput: 10}, "print('12345')\nprint('üüü')", nil)
	if !isError || !strings.HasSuffix(got, "Printed before:\n12345\nüü") {
		t.Errorf("%q", got)
	}
}

// A program reaches its tools and the language, and nothing of the process: no files, no
// modules, not what the interpreter or the functions around it are made of.
func TestOutOfReach(t *testing.T) {
	for _, code := range []string{
		"open('/etc/passwd')", "__import__('os')", "eval('1')", "exec('1')", "globals()", "locals()", "vars()", "input()",
		"$call(weather)", "print($binary)", "weather.p", "weather.f", "weather.__class__", "getattr(weather, 'p')", "json.indent({})", "print(env)",
		"call(weather).call", "call(weather, city='a').made", "json.encode = None", "math.pi = 3", "weather.name = 'x'", "load('math', 'x')",
	} {
		if got, isError, calls := runText(t, Options{}, code, nil); !isError || len(calls) > 0 {
			t.Errorf("%s: %v %s", code, calls, got)
		}
	}
	if got, _, _ := runText(t, Options{}, "print(dir(weather), dir(call(weather)), dir(json), hasattr(weather, 'f'))", nil); got != `[] [] ["decode", "encode"] False` {
		t.Errorf("%s", got)
	}
}
