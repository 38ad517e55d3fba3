package evals

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic/cassette"
)

// A TB is what a suite needs of a test. *testing.T implements TB[*testing.T].
type TB[T any] interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Skipf(format string, args ...any)
	Run(name string, f func(t T)) bool
	Parallel()
	Cleanup(f func())
	Context() context.Context
}

// A Suite specifies which agent is tested, and how. Agent is required; all other fields
// are optional.
type Suite struct {
	// Agent has the options of the agent. A new agent is made for each attempt.
	Agent agent.Options

	// Cassettes is a folder with a cassette for each case, recorded with
	// WHORL_CASSETTE=record in the environment; see package
	// transport/anthropic/cassette. The cassette of an attempt takes the place of
	// Agent.Client.
	Cassettes string
	// Live lets the cases use Agent.Client: the service, at its price, or a simulator.
	// Without Live or Cassettes all cases are skipped, including those with a
	// Case.From. A test usually sets Live from a flag.
	Live bool

	// Repeat is how often each case is run; 0 means once.
	Repeat int
	// PassRate is the share of attempts that must pass, more than 0 and at most 1; 0
	// means 1. With a smaller share, a case fails only if the whole 95% interval of its
	// rate lies below it.
	PassRate float64
	// Parallel runs the cases in parallel, as many at a time as -parallel allows.
	Parallel bool
	// Budget bounds the total cost of all attempts; nil means no bound. Cases that
	// start when nothing is left fail. The report has what was spent until then.
	Budget *agent.Budget

	// Baseline is a file with the numbers of an earlier run, to compare with. It is
	// written if Update is true, and must exist otherwise.
	Baseline string
	Update   bool
	// Tolerance is how far a case may differ from the baseline.
	Tolerance Tolerance

	// Checks are applied to each case, in addition to its own.
	Checks []Check
	// Judge has the options of the agent that judges for [Rubric] and [Better]. It
	// should use another model than the agent that is judged. A cassette replaces its
	// client as it does the agent's.
	Judge agent.Options

	// JUnit, Markdown, JSONLines and HTML are files that the report is written to;
	// empty for none. Their folders must exist.
	JUnit, Markdown, JSONLines, HTML string
	// TracerProvider gets a span for each attempt, with an event
	// gen_ai.evaluation.result for each check; nil means the global one.
	TracerProvider trace.TracerProvider
}

// Run runs each case as a subtest of t, and returns the report. With Suite.Parallel the
// report is complete only after the test function has returned, as parallel subtests
// run then.
func Run[T TB[T]](t T, s Suite, cases ...Case) *Report {
	t.Helper()
	s.Repeat, s.PassRate = cmp.Or(s.Repeat, 1), cmp.Or(s.PassRate, 1)
	r := &runner{suite: s, report: &Report{Name: t.Name(), Repeat: s.Repeat}}
	if err := r.prepare(cases); err != nil {
		t.Errorf("evals: %v", err)
		return r.report
	}
	t.Cleanup(func() {
		if err := r.finish(); err != nil {
			t.Errorf("evals: %v", err)
		}
		t.Logf("%s", r.report.Summary())
	})
	for _, c := range cases {
		t.Run(c.Name, func(t T) {
			t.Helper()
			if s.Parallel {
				t.Parallel()
			}
			if s.Cassettes == "" && !s.Live {
				t.Skipf("neither Suite.Cassettes nor Suite.Live is set: nothing answers")
				return
			}
			for _, problem := range r.run(t.Context(), c) {
				t.Errorf("%s", problem)
			}
		})
	}
	return r.report
}

// A runner is one run of a suite.
type runner struct {
	suite    Suite
	baseline *baseline // nil if there is none to compare with
	tracer   trace.Tracer

	mu     sync.Mutex
	report *Report
}

func (r *runner) prepare(cases []Case) error {
	s := &r.suite
	names, files := make(map[string]bool), make(map[string]string)
	for i, c := range cases {
		switch {
		case c.Name == "":
			return fmt.Errorf("case %d has no Name", i)
		case names[c.Name]:
			return fmt.Errorf("there are two cases named %q; the baseline needs unique names", c.Name)
		case len(c.Checks)+len(s.Checks) == 0:
			return fmt.Errorf("case %q has no Checks: it can't fail; give it at least one, such as NoErrors()", c.Name)
		}
		names[c.Name] = true
		for _, who := range helpers {
			for n := range r.repeat(c) {
				name := cassetteName(c, n, who)
				file := strings.ToLower(name) // some file systems don't tell capitals apart
				if other, taken := files[file]; taken && s.Cassettes != "" {
					return fmt.Errorf("cases %q and %q would have the same cassette, %s; name one of them otherwise", other, c.Name, name)
				}
				files[file] = c.Name
			}
		}
	}
	switch {
	case s.Repeat < 0:
		return fmt.Errorf("Suite.Repeat is %d; it must be at least 1, or 0 for once", s.Repeat)
	case s.PassRate < 0 || s.PassRate > 1:
		return fmt.Errorf("Suite.PassRate is %v; a share is more than 0 and at most 1", s.PassRate)
	case s.Agent.Model == "":
		return errors.New("Suite.Agent has no Model")
	case s.Live && s.Cassettes == "" && s.Agent.Client == nil:
		return errors.New("Suite.Live is set and Suite.Agent has no Client")
	}
	if s.Baseline != "" && !s.Update {
		b, err := readBaseline(s.Baseline)
		if err != nil {
			return err
		}
		r.baseline = b
	}
	provider := s.TracerProvider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	r.tracer = provider.Tracer("github.com/whorl-go/whorl/agent/evals")
	return nil
}

// run runs a case and returns what is wrong.
func (r *runner) run(ctx context.Context, c Case) []string {
	cr := &CaseReport{Name: c.Name, Tags: c.Tags}
	r.mu.Lock()
	r.report.Cases = append(r.report.Cases, cr)
	r.mu.Unlock()

	for n := range r.repeat(c) {
		o, fatal := r.attempt(ctx, c, n)
		a := r.judge(ctx, c, o)
		r.mu.Lock()
		cr.Attempts = append(cr.Attempts, a)
		r.mu.Unlock()
		if fatal != nil {
			cr.Problems = append(cr.Problems, fatal.Error())
			return cr.Problems
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	cr.Problems = append(cr.Problems, cr.failures(r.suite.PassRate)...)
	if r.baseline != nil {
		cr.Problems = append(cr.Problems, r.baseline.compare(cr, r.suite.Tolerance)...)
	}
	return cr.Problems
}

// repeat is how often a case is run.
func (r *runner) repeat(c Case) int {
	if c.Repeat > 0 {
		return c.Repeat
	}
	return r.suite.Repeat
}

// client is what answers an attempt, and what is to be done when it has ended.
func (r *runner) client(c Case, n int, own transport.Client, who string) (transport.Client, func() error, error) {
	nothing := func() error { return nil }
	if r.suite.Cassettes == "" {
		return own, nothing, nil
	}
	path := filepath.Join(r.suite.Cassettes, cassetteName(c, n, who))
	record := os.Getenv("WHORL_CASSETTE") == "record"
	tape, err := cassette.New(path, cassette.Options{Record: record})
	if err != nil {
		return nil, nil, fmt.Errorf("the cassette of case %q: %w; record it with WHORL_CASSETTE=record and a key", c.Name, err)
	}
	if record {
		return tape.Client(), tape.Save, nil
	}
	return tape.Client(), func() error {
		if left := tape.Left(); left > 0 {
			return fmt.Errorf("%d recorded exchanges of %s were not used; record the cassette again if that is expected", left, path)
		}
		return nil
	}, nil
}

// helper is an agent beside the one that is tested: a judge, or one that plays the user.
func (r *runner) helper(c Case, n int, opts agent.Options, who string) (*agent.Agent, func() error, error) {
	if opts.Client == nil {
		opts.Client = r.suite.Agent.Client
	}
	client, done, err := r.client(c, n, opts.Client, who)
	if err != nil {
		return nil, nil, err
	}
	opts.Client = client
	a, err := agent.New(opts)
	return a, done, err
}

// fileName is a case's name as the name of a file.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || unicode.In(r, unicode.L, unicode.M, unicode.Nd) {
			return r
		}
		return '_'
	}, name)
}

// helpers are those who have a cassette in an attempt: the agent that is tested, and
// those beside it.
var helpers = []string{"", ".user", ".judge"}

// cassetteName is the name of the cassette of one of the helpers in attempt n of a case.
func cassetteName(c Case, n int, who string) string {
	name := fileName(c.Name) + who
	if n > 0 {
		name += fmt.Sprintf(".%d", n+1)
	}
	return name + ".json"
}

// finish writes the report and the baseline.
func (r *runner) finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.sum()
	var errs []error
	if r.suite.Update && r.suite.Baseline != "" && len(r.report.Cases) > 0 {
		errs = append(errs, writeBaseline(r.suite.Baseline, r.report))
	}
	for path, write := range map[string]func() ([]byte, error){
		r.suite.JUnit: r.report.JUnit, r.suite.Markdown: r.report.Markdown,
		r.suite.JSONLines: r.report.JSONLines, r.suite.HTML: func() ([]byte, error) { return r.report.page(r.baseline) },
	} {
		if path == "" {
			continue
		}
		data, err := write()
		if err == nil {
			err = os.WriteFile(path, data, 0o644)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
