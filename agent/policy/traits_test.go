package policy_test

import (
	"os"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/recall"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/calc"
	"github.com/whorl-go/whorl/tools/fetch"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/tools/notes"
	"github.com/whorl-go/whorl/tools/search"
	"github.com/whorl-go/whorl/tools/shell"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The library's tools say of themselves what docs/policies.md has in its table.
func TestTraitsOfTheLibrarysTools(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	sh, err := shell.New(shell.Options{Dir: root.Name(), Confinement: shell.Unconfined})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	type labels struct{ untrusted, private, outside bool }
	for name, tt := range map[string]struct {
		tool tools.Tool
		want labels
	}{
		"fetch":                        {fetch.New(fetch.Options{}).Tool(), labels{true, false, true}},
		"search":                       {search.New(nil, search.Options{}), labels{true, false, false}},
		"read_file":                    {files.Tools(root, files.Options{})[0], labels{false, true, false}},
		"write_file":                   {files.Tools(root, files.Options{})[4], labels{}},
		"memory":                       {notes.New(root, notes.Options{}).Tool(), labels{true, true, false}},
		"past conversations":           {recall.New(recall.Options{}), labels{true, true, false}},
		"bash, unconfined":             {sh.Tool(), labels{true, true, true}},
		"calc":                         {calc.New(calc.Options{}), labels{}},
		"a sub-agent that sends":       {agent.Sub{Agent: w.agent(simulator.Echo{}, agent.Options{}, w.tools()...), Name: "s"}, labels{false, false, true}},
		"a sub-agent that only reads":  {agent.Sub{Agent: w.agent(simulator.Echo{}, agent.Options{}, w.tools()[:3]...), Name: "s"}, labels{}},
		"a sub-agent with rules":       {agent.Sub{Agent: w.agent(simulator.Echo{}, agent.Options{Gate: gateOf(t, rule)}, w.tools()...), Name: "s"}, labels{}},
		"a wrapped tool keeps its own": {tools.Wrap(fetch.New(fetch.Options{}).Tool()), labels{true, false, true}},
	} {
		got := tt.tool.(tools.Callable).Traits()
		if (labels{got.Untrusted, got.Private, got.Outside}) != tt.want {
			t.Errorf("%s: untrusted %v, private %v, outside %v; want %+v", name, got.Untrusted, got.Private, got.Outside, tt.want)
		}
	}
}
