package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/whorl-go/whorl/examples/internal/service"
)

// TestChatInABrowser books a table in Chromium, at the width of a desk and of a phone,
// light and dark, and has axe-core look at each page. It needs WHORL_NPM, for axe-core
// and playwright-core, and a Chromium; with WHORL_SCREENSHOTS, a folder, it keeps pictures.
func TestChatInABrowser(t *testing.T) {
	dir := os.Getenv("WHORL_NPM")
	chromium, err := exec.LookPath("chromium")
	switch {
	case dir == "" || os.Getenv("WHORL_BROWSER") == "":
		t.Skip("WHORL_NPM and WHORL_BROWSER are not set: the chat is not tried in a browser")
	case err != nil:
		t.Skip("no Chromium here: install Debian's package chromium")
	case filepath.IsAbs(dir):
		dir = filepath.Join(dir, "chat")
	default:
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "package-lock.json", "chat.mjs"} {
		data, err := os.ReadFile(filepath.Join("testdata", "browser", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "axe-core")); err != nil {
		install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("npm can't install axe-core, the chat is not tried: %v\n%s", err, out)
		}
	}
	for _, name := range service.Variables {
		t.Setenv(name, "")
	}
	conn, err := service.Connect(offline{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	st, err := open(t.Context(), filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	h, err := handler(conn, st, 5)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h.site)
	defer server.Close()
	defer h.agent.Close(t.Context())
	cmd := exec.CommandContext(t.Context(), "node", "chat.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "URL="+server.URL+"/", "CHROMIUM="+chromium)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr.Bytes())
	}
	var got struct {
		Pages   int      `json:"pages"`
		Serious []string `json:"serious"`
		Errors  []string `json:"errors"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Pages < 8 || len(got.Serious) > 0 || len(got.Errors) > 0 {
		t.Errorf("%d pages, axe-core: %q, errors: %q", got.Pages, got.Serious, got.Errors)
	}
}
