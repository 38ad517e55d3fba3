package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/serve/agui"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// TestProtocolClients drives servers with the clients of AG-UI and of the AI SDK,
// unchanged: they judge what they are sent by themselves. It installs them with npm, so
// it runs only if WHORL_NPM is set.
func TestProtocolClients(t *testing.T) {
	if os.Getenv("WHORL_NPM") == "" {
		t.Skip("WHORL_NPM is not set: the JavaScript clients are not installed and not run")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "clients"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm can't install the clients, they are not run: %v\n%s", err, out)
	}
	for script, least := range map[string]int{"agui.mjs": 20} {
		t.Run(script, func(t *testing.T) {
			s := stage.Start(t, stage.Options{Tools: agui.Tools})
			s.Mux.Handle("/agui", agui.New(s.Handler, agui.Options{}))
			s.Mux.HandleFunc("POST /release", func(http.ResponseWriter, *http.Request) { s.Release() })
			cmd := exec.CommandContext(ctx, "node", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BASE_URL="+s.URL, "PIXEL="+stage.Pixel())
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, stderr.Bytes())
			}
			var names []string
			if err := json.Unmarshal(out, &names); err != nil || len(names) < least {
				t.Fatalf("%v, %d scenarios: %s", err, len(names), out)
			}
			t.Logf("%d scenarios: %q", len(names), names)
		})
	}
}
