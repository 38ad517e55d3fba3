package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/simulator"
)

// The official SDKs' own tests of the endpoints that the simulator has are run against
// it, unchanged. testdata/sdktests/failures.txt has those that fail, and why, each with
// the words of the refusal; docs/testing.md shows it. Nothing of the SDKs stands in this
// repository: they are fetched when the tests run.

const goSDK = "github.com/anthropics/anthropic-sdk-go/v2@v2.15.0"

// TestGoSDKsOwnTests compiles the Go SDK's tests out of its module, which takes
// minutes, so it runs only if WHORL_SDKS is set.
func TestGoSDKsOwnTests(t *testing.T) {
	if os.Getenv("WHORL_SDKS") == "" {
		t.Skip("WHORL_SDKS is not set: the official SDKs' own tests are not compiled and not run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	dir := t.TempDir()
	command := func(in, name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = in
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		return cmd
	}
	out, err := command(dir, "go", "mod", "download", "-json", goSDK).Output()
	var module struct{ Dir string }
	if err != nil || json.Unmarshal(out, &module) != nil || module.Dir == "" {
		t.Skipf("the Go SDK can't be downloaded, its tests are not run: %v\n%s", err, out)
	}
	program := filepath.Join(dir, "sdk.test")
	if out, err := command(module.Dir, "go", "test", "-c", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var names []string
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, file := range []string{"message", "messagebatch", "model", "file", "betamessage", "betamessagebatch", "betamessagethread", "betamodel", "betafile", "usage", "paginationauto", "paginationmanual"} {
		source, err := os.ReadFile(filepath.Join(module.Dir, file+"_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range function.FindAllSubmatch(source, -1) {
			names = append(names, string(m[1]))
		}
	}
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Echo{}})
	run := command(module.Dir, program, "-test.v", "-test.run", "^("+strings.Join(names, "|")+")$")
	run.Env = append(run.Env, "TEST_API_BASE_URL="+sim.URL())
	out, _ = run.CombinedOutput() // fails, as some tests do
	got, passed := map[string]string{}, 0
	words := regexp.MustCompile(`"message":"((?:[^"\\]|\\.)*)"`)
	said := ""
	for line := range strings.Lines(string(out)) {
		if m := words.FindStringSubmatch(line); m != nil {
			said = m[1]
		}
		switch f := strings.Fields(line); {
		case strings.HasPrefix(line, "--- FAIL: "):
			got[f[2]], said = said, ""
		case strings.HasPrefix(line, "--- PASS: "):
			passed++
			said = ""
		}
	}
	if passed+len(got) != len(names) {
		t.Errorf("%d tests passed and %d failed, of %d\n%s", passed, len(got), len(names), out)
	}
	t.Logf("%s: %d of %d tests pass", goSDK, passed, len(names))
	compareFailures(t, "go", got)
}

// TestTypeScriptSDKsOwnTests runs the newest SDK of the npm registry with the tests of
// its repository, which npm doesn't have: WHORL_SDK_TS names a folder with its tests/.
func TestTypeScriptSDKsOwnTests(t *testing.T) {
	checkout := os.Getenv("WHORL_SDK_TS")
	if os.Getenv("WHORL_SDKS") == "" || checkout == "" {
		t.Skip("WHORL_SDKS and WHORL_SDK_TS are not set: the TypeScript SDK's own tests are not run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "sdktests"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm can't install the SDK, its tests are not run: %v\n%s", err, out)
	}
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Echo{}})
	folder, err := filepath.Abs(filepath.Join(checkout, "tests", "api-resources"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"run.mjs", folder}
	for _, file := range []string{"messages/messages", "messages/batches", "beta/messages/messages", "beta/messages/batches", "models", "beta/models", "files", "beta/files"} {
		args = append(args, file+".test.ts")
	}
	run := exec.CommandContext(ctx, "node", args...)
	run.Dir = dir
	run.Env = append(os.Environ(), "TEST_API_BASE_URL="+sim.URL())
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	got, passed := map[string]string{}, 0
	for line := range bytes.Lines(out) {
		var r struct {
			File, Name, Error string
			Skipped           bool
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r.Error != "" {
			got[r.File+" "+r.Name] = r.Error
		} else if !r.Skipped {
			passed++
		}
	}
	if passed < 30 {
		t.Errorf("only %d tests passed: too few to tell\n%s", passed, stderr.Bytes())
	}
	t.Logf("%d of %d tests pass", passed, passed+len(got))
	compareFailures(t, "ts", got)
}

// compareFailures holds what failed, by name with the words of the refusal, against the
// list of failures that are explained.
func compareFailures(t *testing.T, sdk string, got map[string]string) {
	t.Helper()
	list, err := os.ReadFile(filepath.Join("testdata", "sdktests", "failures.txt"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^  ` + sdk + `  (.*?)  +(\S.*)$`)
	want := map[string]string{}
	for _, m := range line.FindAllStringSubmatch(string(list), -1) {
		want[m[1]] = m[2]
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] != got[name] {
			t.Errorf("%s fails with %q; the list says %q", name, got[name], want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, failed := got[name]; !failed {
			t.Errorf("%s is in the list of failures and passes", name)
		}
	}
}
