package evals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/tools/citations"
)

// A Check says whether an outcome is good.
type Check struct {
	// Name is the name of the check in the report.
	Name string
	// Do judges the outcome. A panic counts as a failure.
	Do func(ctx context.Context, o *Outcome) Verdict

	takesError bool // an error of the run is this check's matter
}

// A Verdict is the result of a check.
type Verdict struct {
	Pass bool
	// Score is from 0 to 1, for checks that know degrees: [Rubric], [Better], and [Calls]
	// that fail. Others give 0 or 1.
	Score float64
	// Reason explains why the check didn't pass: what was expected, and what was found.
	Reason string
}

// verdict is passed, or failed for a reason.
func verdict(pass bool, format string, args ...any) Verdict {
	if pass {
		return Verdict{Pass: true, Score: 1}
	}
	return Verdict{Reason: fmt.Sprintf(format, args...)}
}

func simple(name string, f func(o *Outcome) Verdict) Check {
	return Check{Name: name, Do: func(_ context.Context, o *Outcome) Verdict { return f(o) }}
}

// Func returns a check that passes if f returns nil.
func Func(name string, f func(o *Outcome) error) Check {
	return simple(name, func(o *Outcome) Verdict {
		if err := f(o); err != nil {
			return verdict(false, "%v", err)
		}
		return verdict(true, "")
	})
}

// Equals passes if the answer equals text, ignoring leading and trailing white space.
func Equals(text string) Check {
	return simple("equals", func(o *Outcome) Verdict {
		return verdict(strings.TrimSpace(o.Text) == strings.TrimSpace(text), "the answer is %s, not %s", quote(o.Text), quote(text))
	})
}

// Contains passes if the answer contains each of the texts, ignoring case.
func Contains(texts ...string) Check {
	return simple("contains", func(o *Outcome) Verdict {
		for _, text := range texts {
			if !strings.Contains(strings.ToLower(o.Text), strings.ToLower(text)) {
				return verdict(false, "the answer does not contain %s: %s", quote(text), quote(o.Text))
			}
		}
		return verdict(true, "")
	})
}

// Lacks passes if the answer contains none of the texts, ignoring case.
func Lacks(texts ...string) Check {
	return simple("lacks", func(o *Outcome) Verdict {
		for _, text := range texts {
			if strings.Contains(strings.ToLower(o.Text), strings.ToLower(text)) {
				return verdict(false, "the answer contains %s: %s", quote(text), quote(o.Text))
			}
		}
		return verdict(true, "")
	})
}

// Matches passes if the regular expression matches somewhere in the answer. If it can't
// be compiled, the check fails and says why.
func Matches(expr string) Check {
	re, err := regexp.Compile(expr)
	return simple("matches", func(o *Outcome) Verdict {
		if err != nil {
			return verdict(false, "the check can't be made: %v", err)
		}
		return verdict(re.MatchString(o.Text), "the answer does not match %s: %s", expr, quote(o.Text))
	})
}

// JSON passes if the answer is JSON that contains want: each member of want is there
// with an equal value. Nested objects are compared the same way, arrays element by
// element.
func JSON(want string) Check {
	return simple("json", func(o *Outcome) Verdict {
		must, err := decode([]byte(want))
		if err != nil {
			return verdict(false, "the check can't be made: what is wanted is no JSON: %v", err)
		}
		got, err := decode([]byte(o.Text))
		if err != nil {
			return verdict(false, "the answer is no JSON: %v: %s", err, quote(o.Text))
		}
		diff := subset("", must, got)
		return verdict(diff == "", "%s", diff)
	})
}

// Typed passes if the answer decodes as a T, as [agent.Generate] decodes it, and f
// returns nil for it.
func Typed[T any](name string, f func(T) error) Check {
	return simple(name, func(o *Outcome) Verdict {
		var v T
		if err := json.Unmarshal([]byte(o.Text), &v); err != nil {
			return verdict(false, "the answer is no %T: %v: %s", v, err, quote(o.Text))
		}
		if err := f(v); err != nil {
			return verdict(false, "%v", err)
		}
		return verdict(true, "")
	})
}

// subset says where got lacks something of want, or "".
func subset(path string, want, got any) string {
	at := path
	if at == "" {
		at = "it"
	}
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %s, not an object", at, compact(got))
		}
		for name, w := range want {
			v, ok := g[name]
			if !ok {
				return fmt.Sprintf("%s has no member %q: %s", at, name, compact(got))
			}
			if d := subset(strings.TrimPrefix(path+"."+name, "."), w, v); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return fmt.Sprintf("%s is %s, not a list of %d", at, compact(got), len(want))
		}
		for i := range want {
			if d := subset(fmt.Sprintf("%s.%d", at, i), want[i], g[i]); d != "" {
				return d
			}
		}
		return ""
	}
	if !same(want, got) {
		return fmt.Sprintf("%s is %s, not %s", at, compact(got), compact(want))
	}
	return ""
}

// same compares numbers by their value, and by all their digits.
func same(want, got any) bool {
	w, ok := want.(json.Number)
	if !ok {
		return want == got
	}
	g, ok := got.(json.Number)
	if !ok || w == g {
		return ok
	}
	if !strings.ContainsAny(string(w+g), ".eE") {
		return false // integers of any length have one spelling
	}
	a, errA := w.Float64()
	b, errB := g.Float64()
	return errA == nil && errB == nil && a == b
}

// decode reads JSON with numbers as they are written.
func decode(data []byte) (v any, err error) {
	if !json.Valid(data) { // which a decoder would not see of what follows the value
		return nil, json.Unmarshal(data, &v)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return short(string(b))
}

// NoErrors passes if the run ended well and no tool call failed.
func NoErrors() Check {
	return simple("no errors", func(o *Outcome) Verdict {
		for i, c := range o.Calls {
			if c.IsError {
				return verdict(false, "call %d, %s, failed: %s", i+1, c.Name, short(c.Result))
			}
		}
		return verdict(o.Err == nil, "the run failed: %v", o.Err)
	})
}

// FailsWith passes if the run ended with an error that matches target, as [errors.Is]
// reports. Without this check an error of the run is a failure.
func FailsWith(target error) Check {
	return Check{Name: "fails with", takesError: true, Do: func(_ context.Context, o *Outcome) Verdict {
		return verdict(errors.Is(o.Err, target), "the run's error is %v, not %v", o.Err, target)
	}}
}

// Grounded passes if the answer quotes something, and no quote is missing from its
// source; see package tools/citations. It ignores quotes whose source isn't available.
func Grounded() Check {
	return simple("grounded", func(o *Outcome) Verdict {
		messages := o.Messages()
		n := len(messages)
		if n == 0 || messages[n-1].Role != "assistant" {
			return verdict(false, "there is no answer")
		}
		a := citations.Read(messages[:n-1], messages[n-1].Content)
		if len(a.Citations) == 0 {
			return verdict(false, "the answer cites nothing: %s", quote(o.Text))
		}
		if d := a.Doubtful(); len(d) > 0 {
			where := ""
			if d[0].Source != nil {
				where = d[0].Source.Title
			}
			return verdict(false, "%d of %d quotes are not in their source, such as %s, of %q", len(d), len(a.Citations), quote(d[0].Quote), where)
		}
		return verdict(true, "")
	})
}

// short is the beginning of a text.
func short(s string) string {
	if runes := []rune(s); len(runes) > 300 {
		return string(runes[:299]) + "…"
	}
	return s
}

func quote(s string) string { return fmt.Sprintf("%q", short(s)) }

// do asks the check, and survives its panic.
func (c Check) do(ctx context.Context, o *Outcome) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = verdict(false, "the check panicked: %v", p)
		}
	}()
	if c.Do == nil {
		return verdict(false, "the check has no Do")
	}
	return c.Do(ctx, o)
}
