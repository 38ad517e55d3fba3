package main

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// stores are the packages of which a program that runs an agent imports one at most.
var stores = []string{"memory/sqlite", "memory/postgres"}

// A beyond is a package that a program that runs an agent doesn't need, with the
// examples that import it and why.
type beyond struct {
	why      string
	examples []string
}

// programExceptions are imports that examples have beyond agent, tools, a store and
// transport/anthropic.
var programExceptions = map[string]beyond{
	"agent/feed":                   {"its page shows what is being written", []string{"assistant"}},
	"agent/inspect":                {"it serves the page", []string{"assistant"}},
	"agent/policy":                 {"its gate is made of rules", []string{"assistant"}},
	"agent/serve":                  {"it serves sessions over HTTP", []string{"server", "server/least"}},
	"agent/serve/agui":             {"it serves them to clients of AG-UI too", []string{"server"}},
	"agent/serve/uistream":         {"it serves them to clients of the AI SDK too", []string{"server"}},
	"agent/tracelog":               {"its lines of the log have the ids of the trace", []string{"traced"}},
	"agent/worker":                 {"it sends sessions their work", []string{"cron", "river"}},
	"agent/visible":                {"it shows in a terminal or on a page what a model wrote", []string{"assistant", "cron", "durable", "form", "quickstart", "research", "reviewer", "traced"}},
	"agent/waiting":                {"it lists what waits, and asks for answers part by part", []string{"assistant", "form"}},
	"memory":                       {"it opens sessions itself, to list, fork or fill them", []string{"assistant", "cron", "durable", "form", "river", "server", "server/least"}},
	"memory/budget":                {"its users have budgets that processes share", []string{"server", "server/least"}},
	"memory/postgres":              {"a flag chooses between two stores", []string{"server", "server/least"}},
	"transport":                    {"it names types of the wire: a Client that a function takes, a message, how to think", []string{"assistant", "cassettes", "cron", "durable", "form", "loadtest", "research", "river", "traced"}},
	"transport/anthropic/cassette": {"its test replays what was recorded", []string{"cassettes"}},
	"transport/models":             {"it asks what a model can do, which the user chooses", []string{"assistant", "research"}},
	"transport/rawjson":            {"it shows or reads arguments without a type for them", []string{"assistant", "durable"}},
	"transport/secret":             {"it gives the client a key that is none, for the simulator", []string{"durable", "form", "loadtest", "research", "traced"}},
	"transport/simulator":          {"it runs without a key, with a service of its own", []string{"durable", "form", "research", "server", "traced"}},
}

// programsApart are programs that run an agent and aren't examples of how to.
var programsApart = map[string]string{
	"examples/benchmark/whorl":   "a driver of the benchmark, which measures",
	"examples/loadtest/capacity": "a measurement of workers on each of the stores",
	"examples/durable/killtest":  "a test of examples/durable, which kills it",
	"examples/traced/overhead":   "a measurement of what telemetry costs",
}

// A program that runs an agent with tools and a store imports of this module agent,
// tools, one store and transport/anthropic, and nothing else: every example proves
// it, but for the exceptions. The examples' own packages count as their own code.
func TestProgramsNeedFourPackages(t *testing.T) {
	packages := readPackages(t)
	needed, looked := map[string]bool{}, 0
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		p := packages[name]
		if !p.command || !strings.HasPrefix(name, "examples/") || p.imports[module+"/agent"] == "" || programsApart[name] != "" {
			continue
		}
		looked++
		for _, problem := range checkProgram(p, needed) {
			t.Error(problem)
		}
	}
	if looked < 8 {
		t.Errorf("only %d programs were found", looked)
	}
	for imported, b := range programExceptions {
		for _, example := range b.examples {
			if !needed[example+" -> "+imported] {
				t.Errorf("the exception of examples/%s for %s isn't needed any more", example, imported)
			}
		}
	}
	for name := range programsApart {
		if p := packages[name]; !p.command {
			t.Errorf("there is no program %s", name)
		}
	}
}

// checkProgram returns what a program imports beyond what one needs, and notes in
// needed which exceptions it makes use of.
func checkProgram(p pkg, needed map[string]bool) (problems []string) {
	example := strings.TrimPrefix(p.path, "examples/")
	var has []string
	for _, imported := range slices.Sorted(maps.Keys(p.imports)) {
		to, ours := strings.CutPrefix(imported, module+"/")
		switch {
		case !ours, to == "agent", to == "tools", strings.HasPrefix(to, "tools/"), to == "transport/anthropic":
		case strings.HasPrefix(to, "examples/internal/"), strings.HasPrefix(to, p.path+"/"):
		case slices.Contains(programExceptions[to].examples, example):
			needed[example+" -> "+to] = true
		case slices.Contains(stores, to):
			if has = append(has, path.Base(to)); len(has) > 1 {
				problems = append(problems, p.path+" imports several stores: "+strings.Join(has, ", "))
			}
		default:
			problems = append(problems, p.imports[imported]+" imports "+to+", which a program that runs an agent shouldn't need; if it does, programExceptions says why")
		}
	}
	return problems
}

// The rule finds what it is for.
func TestCheckProgram(t *testing.T) {
	for _, c := range []struct {
		imported []string
		want     int
	}{
		{[]string{"agent", "tools", "tools/files", "memory/sqlite", "transport/anthropic", "examples/internal/terminal", "examples/x/offline"}, 0},
		{[]string{"agent", "memory/sqlite", "memory/postgres"}, 1},
		{[]string{"agent", "memory", "transport/wire", "examples/y/offline"}, 3},
	} {
		p := pkg{path: "examples/x", command: true, imports: map[string]string{"log/slog": "x.go"}}
		for _, imported := range c.imported {
			p.imports[module+"/"+imported] = "x.go"
		}
		if got := checkProgram(p, map[string]bool{}); len(got) != c.want {
			t.Errorf("%q: %q, want %d problems", c.imported, got, c.want)
		}
	}
}
