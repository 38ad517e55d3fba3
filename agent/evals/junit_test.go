package evals_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/evals"
)

// The rules of Apache Ant's schema (JUnit.xsd of Windy Road, which is the strictest
// that is in use): which attributes an element must have, which it may have, and its
// children in their order; "*" is any number.
var junitRules = map[string]struct {
	must, may, children string
}{
	"testsuite":  {"name timestamp hostname tests failures errors time", "skipped", "properties testcase* system-out system-err"},
	"properties": {"", "", "property*"},
	"property":   {"name value", "", ""},
	"testcase":   {"name classname time", "", "failure?"},
	"failure":    {"type", "message", ""},
	"system-out": {"", "", ""},
	"system-err": {"", "", ""},
}

// checkJUnit says what of a document the schema refuses.
func checkJUnit(doc string) error {
	d := xml.NewDecoder(strings.NewReader(doc))
	children := [][]string{nil}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			rule, ok := junitRules[tok.Name.Local]
			if !ok {
				return fmt.Errorf("there is no element %s", tok.Name.Local)
			}
			var has []string
			for _, a := range tok.Attr {
				has = append(has, a.Name.Local)
				if !slices.Contains(strings.Fields(rule.must+" "+rule.may), a.Name.Local) {
					return fmt.Errorf("%s has no attribute %s", tok.Name.Local, a.Name.Local)
				}
			}
			for _, m := range strings.Fields(rule.must) {
				if !slices.Contains(has, m) {
					return fmt.Errorf("%s needs the attribute %s", tok.Name.Local, m)
				}
			}
			children[len(children)-1] = append(children[len(children)-1], tok.Name.Local)
			children = append(children, nil)
		case xml.EndElement:
			if err := inSequence(junitRules[tok.Name.Local].children, children[len(children)-1]); err != nil {
				return fmt.Errorf("%s: %w", tok.Name.Local, err)
			}
			children = children[:len(children)-1]
		}
	}
}

func inSequence(rule string, got []string) error {
	for _, want := range strings.Fields(rule) {
		name := strings.TrimRight(want, "*?")
		n := 0
		for len(got) > 0 && got[0] == name && (n == 0 || strings.HasSuffix(want, "*")) {
			got, n = got[1:], n+1
		}
		if n == 0 && name == want {
			return fmt.Errorf("%s is missing", name)
		}
	}
	if len(got) > 0 {
		return fmt.Errorf("%s does not belong here", got[0])
	}
	return nil
}

func TestJUnitIsValid(t *testing.T) {
	r := &evals.Report{Name: "suite", Cases: []*evals.CaseReport{
		{Name: "a <b> & \"c\"", Attempts: []evals.Attempt{{Outcome: new(evals.Outcome)}}},
		{Name: "bad", Problems: []string{"first", "second\x00"}, Attempts: []evals.Attempt{{Outcome: new(evals.Outcome)}}},
	}}
	doc, err := r.JUnit()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkJUnit(string(doc)); err != nil {
		t.Errorf("%v:\n%s", err, doc)
	}
	if s := string(doc); !strings.Contains(s, `tests="2" failures="1"`) || !strings.Contains(s, `message="first"`) || !strings.Contains(s, `name="bad.attempts" value="1"`) {
		t.Error(s)
	}
	empty, _ := (&evals.Report{Name: "none"}).JUnit()
	if err := checkJUnit(string(empty)); err != nil {
		t.Errorf("%v:\n%s", err, empty)
	}
	for _, bad := range []string{`<testsuite name="x"/>`, strings.Replace(string(doc), "<system-out></system-out>", "", 1), strings.Replace(string(doc), `type="check"`, "", 1)} {
		if checkJUnit(bad) == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}
