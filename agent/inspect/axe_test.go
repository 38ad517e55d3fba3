package inspect_test

import (
	"os"
	"path/filepath"
)

// axe has axe-core look at the page, if WHORL_NPM is a folder that has it: the test of
// examples/server installs it there. Nothing serious may be found.
func (b *browser) axe(name string) {
	b.t.Helper()
	source, err := os.ReadFile(filepath.Join(os.Getenv("WHORL_NPM"), "chat", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		b.t.Logf("%s: axe-core is not here, the page is not looked at", name)
		return
	}
	eval[any](b, string(source)+"; null")
	found := eval[[]string](b, `window.axe.run().then(({violations}) => violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).join(", ")))`)
	if len(found) > 0 {
		b.t.Errorf("%s: axe-core: %q", name, found)
	}
}
