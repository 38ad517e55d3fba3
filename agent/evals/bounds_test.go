package evals

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// tried is a case whose attempts had these numbers; the first passed of them passed.
func tried(name string, attempts, passed int, o Outcome) *CaseReport {
	c := &CaseReport{Name: name}
	for i := range attempts {
		o := o
		o.Attempt = i + 1
		c.Attempts = append(c.Attempts, Attempt{Outcome: &o, Checks: []Checked{{"x", Verdict{Pass: i < passed, Reason: "no"}}}})
	}
	return c
}

func costs(usd float64, tokens int64) agent.Bill {
	return agent.Bill{Cost: agent.Cost{USD: usd}, Tokens: tokens, Requests: 1}
}

// What lies on the edge of a tolerance is no regression, what lies behind it is one, and a
// negative tolerance turns its comparison off, and no other.
func TestTolerances(t *testing.T) {
	called := func(names ...string) (list []Called) {
		for _, n := range names {
			list = append(list, Called{Name: n})
		}
		return list
	}
	base := Outcome{Bill: costs(1, 100), Steps: 8, CacheRead: 0.5, Calls: called("a", "b")}
	b := &baseline{Version: baselineVersion, Cases: map[string]*baselineCase{"c": tried("c", 20, 20, base).numbers()}}
	off := Tolerance{Cost: -1, Steps: -1, CacheRead: -1, PassRate: -1, AnyTrajectory: true}
	with := func(change func(*Outcome)) Outcome {
		o := base
		change(&o)
		return o
	}
	for _, tt := range []struct {
		name   string
		is     Outcome
		passed int
		t      Tolerance
		want   string
	}{
		{"nothing changed", base, 20, Tolerance{}, ""},
		{"a tenth more", with(func(o *Outcome) { o.Bill = costs(1.1, 0) }), 20, Tolerance{}, ""},
		{"more than that", with(func(o *Outcome) { o.Bill = costs(1.101, 0) }), 20, Tolerance{}, "it costs $1.1010, and did $1.0000 (+10%)"},
		{"less", with(func(o *Outcome) { o.Bill = costs(0.1, 0) }), 20, Tolerance{}, ""},
		{"as much as was said", with(func(o *Outcome) { o.Bill = costs(1.5, 0) }), 20, Tolerance{Cost: 0.5}, ""},
		{"more than was said", with(func(o *Outcome) { o.Bill = costs(1.51, 0) }), 20, Tolerance{Cost: 0.5}, "it costs"},
		{"a quarter more steps", with(func(o *Outcome) { o.Steps = 10 }), 20, Tolerance{}, ""},
		{"a step more", with(func(o *Outcome) { o.Steps = 11 }), 20, Tolerance{}, "it takes 11 steps, and did 8"},
		{"what the cache may miss", with(func(o *Outcome) { o.CacheRead = 0.45 }), 20, Tolerance{}, ""},
		{"more than it may", with(func(o *Outcome) { o.CacheRead = 0.449 }), 20, Tolerance{}, "0.449 of the prompts' tokens come from the cache, and 0.500 did"},
		{"a difference, not a share", with(func(o *Outcome) { o.CacheRead = 0.31 }), 20, Tolerance{CacheRead: 0.2}, ""},
		{"half of them fail", base, 10, Tolerance{}, "10 of 20 attempts pass, and 20 of 20 did"},
		{"half of them may", base, 10, Tolerance{PassRate: 0.5}, ""},
		{"other calls", with(func(o *Outcome) { o.Calls = called("a") }), 20, Tolerance{}, "call 2 is the end in place of b"},
		{"no calls", with(func(o *Outcome) { o.Calls = nil }), 20, Tolerance{}, "(no calls; before: a, b)"},
		{"one more", with(func(o *Outcome) { o.Calls = called("a", "b", "c") }), 20, Tolerance{}, "call 3 is c in place of the end"},
		{"any calls", with(func(o *Outcome) { o.Calls = called("b") }), 20, Tolerance{AnyTrajectory: true}, ""},
		{"all is off", with(func(o *Outcome) { o.Bill, o.Steps, o.CacheRead, o.Calls = costs(9, 0), 99, 0, nil }), 0, off, ""},
	} {
		list := b.compare(tried("c", 20, tt.passed, tt.is), tt.t)
		if tt.want == "" && len(list) > 0 || tt.want != "" && (len(list) != 1 || !strings.Contains(list[0], tt.want)) {
			t.Errorf("%s: %q, want %q", tt.name, list, tt.want)
		}
	}
	// A case that had several orders is not compared by them; one that had one is, by each.
	two := tried("c", 1, 1, base)
	two.Attempts = append(two.Attempts, tried("c", 1, 1, with(func(o *Outcome) { o.Calls = called("b") })).Attempts...)
	if list := b.compare(two, Tolerance{}); len(list) != 1 || !strings.Contains(list[0], "call 1 is b in place of a") {
		t.Errorf("the second order: %q", list)
	}
	several := &baseline{Cases: map[string]*baselineCase{"c": two.numbers()}}
	if list := several.compare(tried("c", 1, 1, with(func(o *Outcome) { o.Calls = nil })), Tolerance{}); len(list) > 0 {
		t.Errorf("several orders: %q", list)
	}
}

// The numbers of a case are means, its orders are kept once each, and cases that did not
// run this time stay in the file.
func TestBaselineFile(t *testing.T) {
	c := tried("c", 2, 1, Outcome{Steps: 2, Bill: costs(0.5, 10), CacheRead: 0.5})
	c.Attempts[1].Steps, c.Attempts[1].Bill, c.Attempts[1].CacheRead, c.Attempts[1].Calls = 3, costs(1, 20), 1, []Called{{Name: "a"}}
	want := &baselineCase{Attempts: 2, Passed: 1, CostUSD: 0.75, Steps: 2.5, Tokens: 15, CacheRead: 0.75, Trajectories: [][]string{{}, {"a"}}}
	if got := c.numbers(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	path := filepath.Join(t.TempDir(), "new", "b.json")
	for _, r := range []*Report{{Cases: []*CaseReport{c, tried("d", 1, 1, Outcome{Steps: 1})}}, {Cases: []*CaseReport{tried("c", 1, 1, Outcome{Steps: 7})}}} {
		if err := writeBaseline(path, r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := readBaseline(path)
	if err != nil || len(b.Cases) != 2 || b.Cases["c"].Steps != 7 || b.Cases["d"].Steps != 1 {
		t.Errorf("%v: %+v", err, b)
	}
	for _, data := range []string{`{}`, `{"version":0,"cases":{}}`, `{"version":2,"cases":{}}`} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readBaseline(path); err == nil || !strings.Contains(err.Error(), "this library writes version 1") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// A run of no case, such as one that a filter leaves nothing of, doesn't touch the
// baseline; what can't be written fails.
func TestFinish(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	r := &runner{suite: Suite{Baseline: path, Update: true}, report: &Report{}}
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a baseline of nothing: %v", err)
	}
	one, two := tried("c", 1, 1, Outcome{Bill: costs(1, 1)}), tried("d", 1, 1, Outcome{Bill: costs(2, 2), Judging: costs(4, 4)})
	r.report.Cases = []*CaseReport{one, two}
	r.suite.Markdown = filepath.Join(path, "no", "folder.md")
	for range 2 { // nothing is counted twice
		if err := r.finish(); err == nil || !strings.Contains(err.Error(), "folder.md") {
			t.Errorf("%v", err)
		}
	}
	if b, j := r.report.Bill, r.report.Judging; b.Cost.USD != 3 || b.Tokens != 3 || j.Cost.USD != 4 || j.Requests != 1 {
		t.Errorf("%+v, %+v", b, j)
	}
}

// Bounds hold what lies on them. What costs nobody knows how much is not cheap enough, and
// no text at all didn't come in time.
func TestBoundsOfChecks(t *testing.T) {
	o := &Outcome{Text: " It is $3. ", Steps: 3, Bill: costs(0.5, 100), CacheRead: 0.25, FirstToken: time.Second}
	unknown := &Outcome{Bill: agent.Bill{Cost: agent.Cost{Incomplete: true}, Unpriced: []string{"new-model"}}}
	asks := &Outcome{Calls: []Called{{Name: "a", Asked: true}, {Name: "b"}, {Name: "a"}}}
	failed := &Outcome{Err: errors.New("x"), Calls: []Called{{Name: "a"}}}
	for _, tt := range []struct {
		o     *Outcome
		check Check
		pass  bool
	}{
		{o, StepsAtMost(3), true}, {o, StepsAtMost(2), false},
		{o, TokensAtMost(100), true}, {o, TokensAtMost(99), false},
		{o, CostAtMost(0.5), true}, {o, CostAtMost(0.49), false}, {unknown, CostAtMost(1), false},
		{o, CacheReadAtLeast(0.25), true}, {o, CacheReadAtLeast(0.26), false},
		{o, FirstTokenWithin(time.Second), true}, {o, FirstTokenWithin(time.Second - 1), false}, {unknown, FirstTokenWithin(time.Second), false},
		{o, Equals("It is $3.\n"), true}, {o, Equals("it is $3."), false},
		{o, Contains("IT IS", "$3"), true}, {o, Contains("it", "4"), false},
		{o, Lacks("no", "IS"), false}, {o, Lacks("is not"), true},
		{asks, AsksBefore("a"), false}, {asks, AsksBefore("c"), false}, {asks, AsksBefore("b"), false},
		{&Outcome{Calls: asks.Calls[:2]}, AsksBefore("a", "c"), true},
		{asks, Never("c", "b"), false}, {asks, Never("c"), true},
		{asks, NoErrors(), true}, {failed, NoErrors(), false}, {failed, FailsWith(failed.Err), true}, {o, FailsWith(failed.Err), false},
		{asks, Calls(Exact, Call{Name: "a"}, Call{Name: "b"}), false}, {asks, Calls(Exact, Call{Name: "a"}, Call{Name: "b"}, Call{Name: "a"}), true},
		{asks, Calls(InOrder, Call{Name: "a"}, Call{Name: "a"}), true}, {asks, Calls(InOrder, Call{Name: "b"}, Call{Name: "b"}), false},
		{asks, Calls(All, Call{Name: "a"}, Call{Name: "a"}), true}, {asks, Calls(All, Call{Name: "b"}, Call{Name: "b"}), false},
		{asks, Calls(Only, Call{Name: "a"}, Call{Name: "b"}), false}, {asks, Calls(Only, Call{Name: "a"}, Call{Name: "b"}, Call{Name: "a"}, Call{Name: "c"}), true},
		{asks, Calls(Same, Call{Name: "a"}, Call{Name: "b"}), false}, {asks, Calls(Same, Call{Name: "b"}, Call{Name: "a"}, Call{Name: "a"}), true},
		{&Outcome{}, Calls(Exact), true}, {&Outcome{}, Grounded(), false},
	} {
		if v := tt.check.do(t.Context(), tt.o); v.Pass != tt.pass || v.Pass && (v.Score != 1 || v.Reason != "") || !v.Pass && v.Reason == "" {
			t.Errorf("%s: %+v", tt.check.Name, v)
		}
	}
}

// A case passes if there are checks and all pass; how often it must, its share says.
func TestPassing(t *testing.T) {
	if (Attempt{Outcome: new(Outcome)}).Passed() {
		t.Error("an attempt without checks passes")
	}
	for _, tt := range []struct {
		attempts, passed int
		rate             float64
		want             string
	}{
		{1, 1, 1, ""}, {1, 0, 1, "x: no"}, {2, 1, 1, "attempt 2: x: no"}, {3, 3, 1, ""},
		{10, 8, 0.9, ""}, {10, 2, 0.9, "2 of 10 attempts pass; the 95% interval of the rate, 0.06 to 0.51, lies below 0.90"},
	} {
		list := tried("c", tt.attempts, tt.passed, Outcome{}).failures(tt.rate)
		if tt.want == "" && len(list) > 0 || tt.want != "" && (len(list) == 0 || list[0] != tt.want) {
			t.Errorf("%d of %d for %v: %q", tt.passed, tt.attempts, tt.rate, list)
		}
	}
	if r := tried("c", 1, 1, Outcome{}).Rates(1); r.Mean != 1 || r.PassAt != 1 || r.PassAll != 1 || r.High != 1 {
		t.Errorf("%+v", r)
	}
	if r := new(CaseReport).Rates(1); !math.IsNaN(r.Mean) || r.Low != 0 || r.High != 1 {
		t.Errorf("%+v", r)
	}
}

// A report says the same in each of its forms, and nothing in it can end a cell.
func TestFormsOfAReport(t *testing.T) {
	good := tried("a|b", 1, 1, Outcome{Steps: 2, Bill: costs(0.5, 100), CacheRead: 0.5, Took: 1500 * time.Millisecond, Text: "a<b"})
	bad := tried("d", 2, 1, Outcome{Err: errors.New("too late"), Took: time.Second, Judging: costs(0.25, 1), Calls: []Called{{Name: "f"}}})
	bad.Problems = []string{"one\r\n`two`", "three"}
	r := &Report{Name: "all", Cases: []*CaseReport{good, bad}}
	r.sum()
	if s := r.Summary(); s != "1 of 2 cases pass; $0.5000; 2 of 3 attempts pass (95%: 0.21 to 0.94); judging $0.5000" {
		t.Error(s)
	}
	md, err := r.Markdown()
	for _, want := range []string{"| ✓ a&#124;b | 1/1 | 0.21–1.00 | 2 | 100 | 50% | $0.5000 | no calls |\n", "| ✗ d | 1/2 |", "| f |", "### d\n\n- one 'two'\n- three\n"} {
		if err != nil || !strings.Contains(string(md), want) {
			t.Errorf("%v: no %q in %s", err, want, md)
		}
	}
	xml, err := r.JUnit()
	for _, want := range []string{`tests="2" failures="1"`, `time="3.500"`, `time="1.500"`, `time="2.000"`, `name="d.passed" value="1"`, `name="a|b.cost_usd" value="0.500000"`, `name="a|b.steps" value="2"`} {
		if err != nil || !strings.Contains(string(xml), want) {
			t.Errorf("%v: no %q in %s", err, want, xml)
		}
	}
	lines, err := r.JSONLines()
	list := strings.Split(strings.TrimSpace(string(lines)), "\n")
	if err != nil || len(list) != 3 || !strings.Contains(list[0], `"answer":"a<b"`) || strings.Contains(list[0], `"error"`) || !strings.Contains(list[1], `"error":"too late"`) || !strings.Contains(list[2], `"attempt":2,"passed":false`) {
		t.Errorf("%v: %s", err, lines)
	}
	was := &baseline{Cases: map[string]*baselineCase{"d": {Trajectories: [][]string{{"e"}, {"f"}}}}}
	page, err := r.page(was)
	if err != nil || strings.Contains(string(page), "in place of") {
		t.Errorf("%v: calls that the baseline has seen are changed ones: %s", err, page)
	}
	was.Cases["d"] = &baselineCase{Trajectories: [][]string{{"g"}}, Attempts: 9}
	page, err = r.page(was)
	for _, want := range []string{"call 1 is f in place of g", ">0/9<"} {
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%v: no %q in %s", err, want, page)
		}
	}
}

// Numbers are written so that they can be read: no exponents, whole tokens, and a cost
// that isn't known is not one of nothing.
func TestNumbersOfAReport(t *testing.T) {
	c := tried("a", 3, 3, Outcome{Steps: 2, Bill: costs(0.5, 12_345_678), CacheRead: 0.5})
	c.Attempts[0].Outcome.Steps, c.Attempts[0].Outcome.Bill = 3, costs(0, 12_345_679)
	c.Attempts[0].Outcome.Bill.Cost.Incomplete = true
	r := &Report{Cases: []*CaseReport{c}}
	md, err := r.Markdown()
	if want := "| 2.33 | 12345678 | 50% | more than $0.3333 |"; err != nil || !strings.Contains(string(md), want) {
		t.Errorf("%v: no %q in %s", err, want, md)
	}
	page, err := r.HTML()
	for _, want := range []string{">2.33\n", ">12345678\n", ">50%\n", ">more than $0.3333\n", "3 steps, price unknown<"} {
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%v: no %q in %s", err, want, page)
		}
	}
}

// What a case, a model or a tool says is text, in whichever form: it is no markup, it
// fetches nothing, and what of it can't be seen is shown.
func TestAReportOfHostileTexts(t *testing.T) {
	const evil = "</pre></details><script>alert(1)</script>\x1b[31m\u202egp.exe\x00 ![x](https://a.example/x.png) `|\\| \"'>\xff"
	c := tried(evil, 1, 1, Outcome{Err: errors.New(evil), Calls: []Called{{Name: evil}}})
	c.Tags, c.Problems = []string{evil}, []string{evil + "\n" + evil}
	c.Attempts[0].Checks[0].Name, c.Attempts[0].Checks[0].Reason = evil, evil
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText(strings.ToValidUTF8(evil, ""))}); err != nil {
		t.Fatal(err)
	}
	c.Attempts[0].Outcome.Log = log
	other := tried("case-1", 1, 1, Outcome{})
	r := &Report{Name: evil, Cases: []*CaseReport{c, other}}
	was := &baseline{Cases: map[string]*baselineCase{evil: {Trajectories: [][]string{{"<b>"}}}}}
	page, err := r.page(was)
	if err != nil {
		t.Fatal(err)
	}
	md, err := r.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"page": string(page), "Markdown": string(md)} {
		for _, bad := range []string{"<script", "\x1b", "\u202e", "\x00", "\ufffd", "\xff", "</pre></details><"} {
			if strings.Contains(text, bad) {
				t.Errorf("the %s has %q: %s", name, bad, text)
			}
		}
		if !strings.Contains(text, "202E>") && !strings.Contains(text, "202E&gt;") {
			t.Errorf("the %s doesn't show what can't be seen", name)
		}
	}
	if strings.Contains(string(md), "![x]") {
		t.Errorf("the Markdown has a picture: %s", md)
	}
	if n := strings.Count(string(page), "ended with"); n != 1 {
		t.Errorf("%d attempts ended with an error", n)
	}
	for i := range 2 {
		if id := fmt.Sprint("case-", i+1); strings.Count(string(page), `href="#`+id+`"`) != 1 || strings.Count(string(page), `id="`+id+`"`) != 1 {
			t.Errorf("%s has no place of its own", id)
		}
	}
	for i, row := range strings.Split(string(md), "\n") {
		if strings.HasPrefix(row, "| ") && strings.Count(row, "|") != 9 {
			t.Errorf("row %d has not 8 cells: %s", i, row)
		}
	}
}

// A page stays one that a browser can show: conversations are cut, and those of attempts
// that failed come first.
func TestAPageOfLongConversations(t *testing.T) {
	long := memory.NewLog()
	if err := long.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("The beginning." + strings.Repeat("<", maxTranscript) + "The end.")}); err != nil {
		t.Fatal(err)
	}
	list := make([]pageCase, 2)
	for i, c := range []*CaseReport{tried("good", 3, 3, Outcome{Log: long}), tried("bad", 1, 0, Outcome{Log: long})} {
		for _, a := range c.Attempts {
			list[i].Attempts = append(list[i].Attempts, pageAttempt{Attempt: a})
		}
	}
	setConversations(list, 4*(2*maxTranscript+1000)) // of "&lt;"
	const whole = "user: The beginning.<<<"
	for i, want := range []string{whole, "[102", "[102", whole} {
		a := append(slices.Clip(list[0].Attempts), list[1].Attempts...)[i]
		if got := a.Conversation; !strings.HasPrefix(got, want) || want == whole && (!strings.HasSuffix(got, "<<<The end.") || len(got) > maxTranscript+100 || !strings.Contains(got, "\n\n[28 bytes are left out here]\n\n")) || want != whole && !strings.HasSuffix(got, "as the page would be too big]") {
			t.Errorf("conversation %d: %.40s … %s", i, got, got[len(got)-40:])
		}
	}
}

// A transcript has what was said, called and answered, and no thoughts.
func TestTranscript(t *testing.T) {
	log := memory.NewLog()
	resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"Let me see."},{"type":"tool_use","id":"c1","name":"f","input":{"a":1}},{"type":"tool_use","id":"c2","name":"g","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	calls := resp.ToolCalls()
	image, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"url","url":"https://a.example/"}}`))
	if err != nil {
		t.Fatal(err)
	}
	failed, err := transport.ParseBlock([]byte(`{"type":"tool_result","tool_use_id":"c2","is_error":true,"content":"no \"g\""}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.Text("Go."), image}}},
		memory.Record{Kind: memory.KindResponse, Response: resp}, memory.Record{Kind: memory.KindResult, Block: calls[0].Answer(transport.Text("one"), transport.Text("two"))},
		memory.Record{Kind: memory.KindResult, Block: failed}); err != nil {
		t.Fatal(err)
	}
	o := &Outcome{Log: log}
	if got, want := o.Transcript(), "user: Go.\nuser: [image]\nassistant: Let me see.\n[calls f {\"a\":1}]\n[calls g {}]\n[result: onetwo]\n[error: no \"g\"]\n"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := new(Outcome).Transcript(); got != "" {
		t.Error(got)
	}
	o.bill(t.Context(), nil)
	if len(o.Calls) != 2 || o.Calls[0].Result != "onetwo" || o.Calls[0].IsError || o.Calls[1].Result != `no "g"` || !o.Calls[1].IsError || o.Steps != 1 {
		t.Errorf("%+v", o)
	}
	behind := &Outcome{Log: log, from: 2}
	if behind.bill(t.Context(), nil); behind.Steps != 0 || len(behind.Calls) != 0 || behind.Bill.Requests != 0 {
		t.Errorf("what was there before a fork is counted: %+v", behind)
	}
}

// A recording's calls are found by their arguments, however they are written.
func TestCallKey(t *testing.T) {
	if callKey("f", []byte(`{"a":1,"b":[2]}`)) != callKey("f", []byte(`{ "b": [2], "a": 1 }`)) {
		t.Error("the order of the arguments counts")
	}
	if callKey("f", []byte(`{"a":[1.50]}`)) != callKey("f", []byte(`{"a":[15e-1]}`)) {
		t.Error("the spelling of a fraction counts")
	}
	if callKey("f", []byte(`{"id":[9007199254740993]}`)) == callKey("f", []byte(`{"id":[9007199254740992]}`)) {
		t.Error("calls with different ids are the same")
	}
	for _, other := range []string{callKey("g", []byte(`{"a":1}`)), callKey("f", []byte(`{"a":2}`)), callKey("f", []byte(`{`))} {
		if other == callKey("f", []byte(`{"a":1}`)) {
			t.Errorf("%q is the same", other)
		}
	}
}

// A case in a file has all that its members say.
func TestLoadedCases(t *testing.T) {
	load := func(name, data string) Case {
		t.Helper()
		list, err := Load(fstest.MapFS{"d/" + name: &fstest.MapFile{Data: []byte(data)}}, "d/*")
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %v, %d cases", data, err, len(list))
		}
		return list[0]
	}
	names := func(c Case) (list []string) {
		for _, k := range c.Checks {
			list = append(list, k.Name)
		}
		return list
	}
	all := load("x.json", ` {"prompt":"p","turns":["t"],"repeat":3,"tags":["a"],"approve":[],"checks":{"equals":"","contains":["a"],"lacks":["b"],"matches":"c","json":{"d":1},"calls":{"calls":[]},"never":["e"],"asks_before":["f"],"no_errors":true,"grounded":true,"max_steps":1,"max_cost_usd":0.001,"max_tokens":2,"min_cache_read":0.01,"rubric":"g"}}`)
	want := "equals, contains, lacks, matches, json, calls in order, never calls e, asks before f, no errors, grounded, at most 1 steps, at most $0.001, at most 2 tokens, at least 0.01 from the cache, rubric: g"
	if got := strings.Join(names(all), ", "); got != want || all.Name != "x" || all.Repeat != 3 || all.Turns[0] != "t" || all.Tags[0] != "a" || all.Input.Prompt != "p" {
		t.Errorf("%s: %+v", got, all)
	}
	if none := load("x.json", `{"prompt":"p"}`); len(none.Checks) > 0 || none.Approve != nil {
		t.Errorf("%+v", none)
	}
	for c, want := range map[*Case]agent.Permission{&all: agent.Deny, ptr(load("x.json", `{"prompt":"p","approve":["g"]}`)): agent.Deny, ptr(load("x.json", `{"prompt":"p","approve":["g","f"]}`)): agent.Allow} {
		if d, err := c.Approve(t.Context(), agent.PendingCall{Name: "f"}); err != nil || d.Permission != want || want == agent.Deny && d.Reason == "" {
			t.Errorf("%+v, %v, want %s", d, err, want)
		}
	}
	crlf := load("y.txtar", "about it\r\n-- prompt --\r\ngo\r\non\r\n\r\n-- equals --\r\n\r\n-- stub/f --\r\nfine\r\n")
	if r, err := crlf.Stubs["f"](t.Context(), nil); err != nil || crlf.Name != "y" || crlf.Input.Prompt != "go\r\non" || strings.Join(names(crlf), "") != "equals" || len(r.Content) != 1 || string(r.Content[0].Raw()) != `{"type":"text","text":"fine"}` {
		t.Errorf("%v: %+v, %v", err, crlf, r.Content)
	}
	if _, err := Load(fstest.MapFS{"x.json": &fstest.MapFile{Data: []byte(`[{"prompt":"a"},{"prompt":"b"}]`)}}, "*.json"); err != nil {
		t.Error(err) // the suite says that they have no names
	}
	_, err := Load(fstest.MapFS{"x.json": &fstest.MapFile{Data: []byte("[{\"prompt\":\"a\",\n\"checks\":{\"calls\":{\"calls\":[{\"name\":\"f\"},{\"nam\":\"g\"}]}}}]")}}, "*.json")
	var file *FileError
	if !errors.As(err, &file) || file.Line != 2 || !strings.Contains(err.Error(), `"nam"; did you mean "name"?`) {
		t.Errorf("a member of a member of a list: %v", err)
	}
}

func ptr(c Case) *Case { return &c }

// The order of a judge's sections is that of the question, and no text ends its own.
func TestSection(t *testing.T) {
	if got := section("goal", "a </goal> b </second> </other>"); got != "<goal>\na </ goal> b </ second> </other>\n</goal>\n\n" {
		t.Errorf("%q", got)
	}
	if name := fileName(`a/b\c:d é-_.9Z`); name != "a_b_c_d_é-_.9Z" {
		t.Errorf("%q", name)
	}
	if list := Tagged([]Case{{Name: "1", Tags: []string{"a", "b"}}, {Name: "2"}, {Name: "3", Tags: []string{"b"}}}, "b", "a"); len(list) != 2 || list[1].Name != "3" {
		t.Errorf("%+v", list)
	}
	if s := short(strings.Repeat("é", 300)); len([]rune(s)) != 300 || strings.HasSuffix(s, "…") {
		t.Error(s)
	}
	if s := []rune(short(strings.Repeat("é", 301))); len(s) != 300 || s[299] != '…' {
		t.Error(string(s))
	}
}

// Two cases don't share a cassette: one would be recorded over the other.
func TestCasesWithOneCassette(t *testing.T) {
	checks := []Check{NoErrors()}
	for _, tt := range []struct {
		cassettes, one, other string
		same                  bool
	}{
		{"dir", "a b", "a/b", true}, {"dir", "Refund", "refund", true}, {"", "a b", "a/b", false},
		{"dir", "x", "x.2", true}, {"dir", "x.2", "X", true}, {"dir", "x", "x.3", false}, {"dir", "x", "x.judge", true}, {"dir", "x.user.2", "x", true},
		{"", "x", "x.2", false}, {"dir", "天气", "退款", false}, {"dir", "größe", "grüße", false}, {"dir", "हिन्दी", "हिन्दू", false},
	} {
		r := &runner{suite: Suite{Agent: agent.Options{Model: "m"}, Cassettes: tt.cassettes, Repeat: 2}}
		err := r.prepare([]Case{{Name: tt.one, Checks: checks}, {Name: tt.other, Checks: checks}})
		if same := err != nil && strings.Contains(err.Error(), "the same cassette"); same != tt.same || err != nil && !same {
			t.Errorf("%q and %q: %v", tt.one, tt.other, err)
		}
	}
}

// The check that the error of a run is the matter of may stand anywhere among them.
func TestAnErrorIsTheMatterOfAnyCheck(t *testing.T) {
	r := &runner{}
	if err := r.prepare(nil); err == nil {
		t.Fatal("a suite without a model")
	}
	boom := errors.New("boom")
	pass := Func("p", func(*Outcome) error { return nil })
	for i, checks := range [][]Check{{pass}, {FailsWith(boom)}, {FailsWith(boom), pass}, {pass, FailsWith(boom)}} {
		r := &runner{suite: Suite{Agent: agent.Options{Model: "m"}}}
		if err := r.prepare(nil); err != nil {
			t.Fatal(err)
		}
		_, span := r.tracer.Start(t.Context(), "x")
		a := r.judge(t.Context(), Case{Checks: checks}, &Outcome{Attempt: 1, Err: boom, span: span})
		if a.Passed() != (i > 0) {
			t.Errorf("%d: %+v", i, a.Checks)
		}
	}
}
