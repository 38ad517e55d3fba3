package evals_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/evals"
)

// made are calls by their name and arguments: "search {"q":1}".
func made(calls ...string) *evals.Outcome {
	o := new(evals.Outcome)
	for _, c := range calls {
		name, input, _ := strings.Cut(c, " ")
		if input == "" {
			input = "{}"
		}
		o.Calls = append(o.Calls, evals.Called{Name: name, Input: json.RawMessage(input)})
	}
	return o
}

func wanted(calls ...string) []evals.Call {
	var list []evals.Call
	for _, c := range calls {
		name, input, _ := strings.Cut(c, " ")
		list = append(list, evals.Call{Name: name, Input: input})
	}
	return list
}

// The situations and verdicts of agentevals' python/tests/test_trajectory.py. Its four
// evaluators are, in this order: unordered, superset, subset, strict. They look at the
// names alone unless told otherwise; strict looks at the messages as well, so that two
// calls in one message differ from the same two in two: Whorl compares the calls.
func TestVectorsOfAgentevals(t *testing.T) {
	orders := []evals.Order{evals.Same, evals.All, evals.Only, evals.Exact}
	for _, c := range []struct {
		name         string
		made, wanted []string
		pass         [4]bool
	}{
		{"match", []string{`get_weather {"city":"SF"}`}, []string{"get_weather"}, [4]bool{true, true, true, true}},
		{"different order of results", []string{`get_weather {"city":"SF"}`, `get_weather {"city":"London"}`}, []string{"get_weather", "get_weather"}, [4]bool{true, true, true, true}},
		{"subset", []string{`get_weather {"city":"SF"}`}, []string{"get_weather", "get_weather"}, [4]bool{false, false, true, false}},
		{"different tools", []string{`get_weather {"city":"SF"}`}, []string{"accuweather_forecast"}, [4]bool{false, false, false, false}},
		{"extra calls", []string{`get_weather {"city":"San Francisco"}`, `get_weather {"city":"London"}`}, []string{"get_weather"}, [4]bool{false, true, false, false}},
		{"fewer calls", []string{`get_weather {"city":"SF and London"}`}, []string{"get_weather", "get_weather"}, [4]bool{false, false, true, false}},
		{"arguments, compared", []string{`get_weather {"city":"SF"}`}, []string{`get_weather {"city":"San Francisco"}`}, [4]bool{false, false, false, false}},
	} {
		for i, order := range orders {
			if v := evals.Calls(order, wanted(c.wanted...)...).Do(t.Context(), made(c.made...)); v.Pass != c.pass[i] {
				t.Errorf("%s, %s: %v, %s", c.name, order, v.Pass, v.Reason)
			}
		}
	}
}

// The situations and scores of pydantic-evals' tests/evals/test_agentic_evaluators.py.
// Its in_order lowers the score of calls between those that were wanted; InOrder takes
// them, as it says, and passes: those rows are marked.
func TestVectorsOfPydanticEvals(t *testing.T) {
	list := func(s string) []string { return strings.Fields(s) }
	for _, c := range []struct {
		order        evals.Order
		made, wanted string
		score        float64
	}{
		{evals.Exact, "search rerank", "search rerank", 1},
		{evals.Exact, "a b", "a b", 1},
		{evals.Exact, "a c", "a b", 0},
		{evals.InOrder, "a b", "a b", 1},
		{evals.InOrder, "a x b", "a b c", 2.0 / 3},
		{evals.InOrder, "search search format format", "search format", 1}, // there 2/3
		{evals.InOrder, "a x b y c", "a b c", 1},                           // there 3/4
		{evals.InOrder, "x", "y", 0},
		{evals.InOrder, "", "", 1},
		{evals.InOrder, "", "a", 0},
		{evals.InOrder, "a", "", 1}, // there 0
		{evals.Same, "b a", "a b", 1},
		{evals.Same, "a x", "a b c", 0.4},
		{evals.Same, "a b x y", "a b", 2.0 / 3},
		{evals.Same, "a", "a a", 2.0 / 3},
		{evals.Same, "", "", 1},
		{evals.Same, "a", "", 0},
		// ToolCorrectness
		{evals.Same, "search format", "search format", 1},
		{evals.Same, "search", "search search", 2.0 / 3},
		{evals.Same, "search", "search format", 2.0 / 3},
		{evals.Same, "search extra", "search", 2.0 / 3},
		{evals.All, "search extra", "search", 1},
		{evals.Same, "unexpected", "wanted", 0},
	} {
		v := evals.Calls(c.order, wanted(list(c.wanted)...)...).Do(t.Context(), made(list(c.made)...))
		if v.Pass != (c.score == 1) || math.Abs(v.Score-c.score) > 1e-9 {
			t.Errorf("%s of %q, wanted %q: %v, %v, %s", c.order, c.made, c.wanted, v.Pass, v.Score, v.Reason)
		}
	}
	// ArgumentCorrectness
	for _, c := range []struct {
		made, wanted string
		pass         bool
		reason       string
	}{
		{`search {"q":"cats","limit":5}`, `search {"q":"cats"}`, true, ""},
		{`search {"q":"dogs"}`, `search {"q":"cats"}`, false, `q is "dogs", not "cats"`},
		{`search {"q":"cats"}`, `search {"limit":5}`, false, `no member "limit"`},
		{`other {"q":"cats"}`, `search {"q":"cats"}`, false, `there were other`},
		{`search not-json`, `search {"q":"cats"}`, false, `no JSON`},
		{`search [1,2,3]`, `search {"q":"cats"}`, false, `not an object`},
	} {
		if v := evals.Calls(evals.All, wanted(c.wanted)...).Do(t.Context(), made(c.made)); v.Pass != c.pass || !strings.Contains(v.Reason, c.reason) {
			t.Errorf("%s, wanted %s: %v, %s", c.made, c.wanted, v.Pass, v.Reason)
		}
	}
	// Contains and Equals
	for _, c := range []struct {
		check evals.Check
		text  string
		pass  bool
	}{
		{evals.Equals("42"), "42", true}, {evals.Equals("42"), "43", false},
		{evals.Contains("test"), "this is a test", true}, {evals.Contains("test"), "no match", false}, {evals.Contains("TEST"), "this is a test", true},
		{evals.Contains("42"), "The answer is 42", true}, {evals.Contains("42"), "[1, 42, 3]", true}, {evals.Contains("42"), "[1, 2, 3]", false},
		{evals.JSON(`{"key":"value"}`), `{"key":"value","extra":"data"}`, true}, {evals.JSON(`{"key":"value"}`), `{"different":"value"}`, false}, {evals.JSON(`{"key":"value"}`), `{"key":"different"}`, false},
	} {
		if v := c.check.Do(t.Context(), &evals.Outcome{Text: c.text}); v.Pass != c.pass {
			t.Errorf("%s of %q: %v, %s", c.check.Name, c.text, v.Pass, v.Reason)
		}
	}
}

// Values are compared whole: a text of any length, and all digits of a number.
func TestJSONIsComparedWhole(t *testing.T) {
	long := strings.Repeat("a", 400)
	for _, c := range []struct {
		want, got string
		pass      bool
	}{
		{`"` + long + `b"`, `"` + long + `c"`, false},
		{`"` + long + `b"`, `"` + long + `b"`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`1`, `1.0`, true}, {`1e2`, `100`, true}, {`1.5`, `1.25`, false}, {`1`, `"1"`, false}, {`"1"`, `1`, false}, {`null`, `false`, false},
		{`{"a":1}`, `{"a":1} x`, false}, {`1e999`, `1e998`, false}, {`1e999`, `1e999`, true},
	} {
		if v := evals.JSON(c.want).Do(t.Context(), &evals.Outcome{Text: c.got}); v.Pass != c.pass {
			t.Errorf("%.20s and %.20s: %v, %s", c.want, c.got, v.Pass, v.Reason)
		}
	}
}
