package evals

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// JUnit returns the report as JUnit XML that is valid under the schemas of Apache Ant
// and of Jenkins. Neither allows properties of a case: attempts, cost_usd, passed and
// steps are properties of the suite, prefixed by the case's name and a dot.
func (r *Report) JUnit() ([]byte, error) {
	s := junitSuite{
		Name: r.Name, Hostname: "localhost", Tests: len(r.Cases),
		Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05"),
	}
	total := 0.0
	for _, c := range r.Cases {
		n, seconds := c.numbers(), 0.0
		for _, a := range c.Attempts {
			seconds += a.Took.Seconds()
		}
		total += seconds
		s.Properties = append(s.Properties,
			junitProperty{c.Name + ".attempts", fmt.Sprint(n.Attempts)}, junitProperty{c.Name + ".cost_usd", fmt.Sprintf("%.6f", n.CostUSD)},
			junitProperty{c.Name + ".passed", fmt.Sprint(n.Passed)}, junitProperty{c.Name + ".steps", fmt.Sprint(n.Steps)})
		tc := junitCase{Name: c.Name, Class: r.Name, Time: fmt.Sprintf("%.3f", seconds)}
		if len(c.Problems) > 0 {
			s.Failures++
			tc.Failure = &junitFailure{Type: "check", Message: short(c.Problems[0]), Text: strings.Join(c.Problems, "\n")}
		}
		s.Cases = append(s.Cases, tc)
	}
	s.Time = fmt.Sprintf("%.3f", total)
	b, err := xml.MarshalIndent(s, "", "  ")
	return append([]byte(xml.Header), append(b, '\n')...), err
}

// A junitSuite has its elements in the order that the schemas demand.
type junitSuite struct {
	XMLName    xml.Name        `xml:"testsuite"`
	Name       string          `xml:"name,attr"`
	Hostname   string          `xml:"hostname,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out"`
	Err        string          `xml:"system-err"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}
