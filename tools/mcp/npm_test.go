package mcp_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools/mcp"
)

// npmServers is a folder with the servers.
func npmServers(t *testing.T, ctx context.Context) string {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "npm"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm can't install the servers: %v\n%s", err, out)
	}
	return dir
}

// TestFromNPM talks to servers that others have written, to two whose schemas
// other people's libraries make, and has the official TypeScript SDK talk to ours.
// It installs them with npm, so it runs only if WHORL_NPM is set.
func TestFromNPM(t *testing.T) {
	if os.Getenv("WHORL_NPM") == "" {
		t.Skip("WHORL_NPM is not set: the servers are not installed and not run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := npmServers(t, ctx)
	start := func(t *testing.T, o mcp.Options, script string, args ...string) (*mcp.Client, *logged) {
		log := &logged{}
		o.Logger = log.logger()
		c, err := mcp.Command(ctx, func() *exec.Cmd {
			cmd := exec.Command("node", append([]string{script}, args...)...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "MEMORY_FILE_PATH=" + filepath.Join(dir, "memory.jsonl")}
			return cmd
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, log
	}
	official := func(name string) string {
		return filepath.Join("node_modules", "@modelcontextprotocol", "server-"+name, "dist", "index.js")
	}

	t.Run("everything", func(t *testing.T) {
		c, _ := start(t, mcp.Options{Prefix: "every_"}, official("everything"), "stdio")
		set := list(t, c)
		if len(set) < 8 {
			t.Errorf("%d tools", len(set))
		}
		for _, tt := range []struct{ tool, input, want string }{
			{"every_echo", `{"message":"grüße <&>"}`, "Echo: grüße <&>"},
			{"every_echo", `{"mesage":1}`, "message: missing"},
			{"every_get-sum", `{"a":2,"b":3}`, "5"},
			{"every_get-tiny-image", `{}`, `"type":"image"`},
			{"every_get-resource-reference", `{"resourceType":"Blob","resourceId":1}`, "Resource 1"},
			{"every_get-resource-reference", `{"resourceType":"Text","resourceId":2}`, `"type":"document"`},
			{"every_get-structured-content", `{"location":"Chicago"}`, "temperature"},
		} {
			if set[tt.tool] == nil {
				t.Errorf("no tool %s", tt.tool)
			} else if got := call(t, set[tt.tool], tt.input); !strings.Contains(got, tt.want) {
				t.Errorf("%s %s: %.500s", tt.tool, tt.input, got)
			}
		}
	})
	t.Run("filesystem", func(t *testing.T) {
		root := t.TempDir()
		for name, data := range map[string][]byte{"a.txt": []byte("from the file"), "p.pdf": pdf1, "i.png": png1x1} {
			if err := os.WriteFile(filepath.Join(root, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, _ := start(t, mcp.Options{}, official("filesystem"), root)
		set := list(t, c)
		if got := call(t, set["read_text_file"], fmt.Sprintf(`{"path":%q}`, filepath.Join(root, "a.txt"))); got != "from the file" {
			t.Errorf("read_text_file: %s", got)
		}
		for name, want := range map[string]string{"p.pdf": base64.StdEncoding.EncodeToString(pdf1), "i.png": base64.StdEncoding.EncodeToString(png1x1)} {
			if got := call(t, set["read_media_file"], fmt.Sprintf(`{"path":%q}`, filepath.Join(root, name))); !strings.Contains(got, want) {
				t.Errorf("%s: %.500s", name, got)
			}
		}
		if got := call(t, set["read_text_file"], `{"path":"/etc/passwd"}`); !strings.HasPrefix(got, "!") {
			t.Errorf("read outside: %s", got)
		}
	})
	t.Run("memory", func(t *testing.T) {
		c, _ := start(t, mcp.Options{}, official("memory"))
		set := list(t, c)
		call(t, set["create_entities"], `{"entities":[{"name":"Ann","entityType":"person","observations":["plays the cello"]}]}`)
		if got := call(t, set["search_nodes"], `{"query":"cello"}`); !strings.Contains(got, "Ann") {
			t.Errorf("search_nodes: %s", got)
		}
	})
	t.Run("sequential-thinking", func(t *testing.T) {
		c, _ := start(t, mcp.Options{}, official("sequential-thinking"))
		set := list(t, c)
		got := call(t, set["sequentialthinking"], `{"thought":"first","nextThoughtNeeded":false,"thoughtNumber":1,"totalThoughts":1}`)
		if !strings.Contains(got, `"thoughtHistoryLength": 1`) {
			t.Errorf("sequentialthinking: %s", got)
		}
	})
	t.Run("zod 4", func(t *testing.T) {
		c, log := start(t, mcp.Options{}, "mail.mjs")
		send := list(t, c)["send"]
		for _, want := range []string{`(?!`, `"subject":{`, `"tags":{`, `"description":"one line"`} {
			if got := definition(t, send); !strings.Contains(got, want) {
				t.Errorf("the definition has no %s: %s", want, got)
			}
		}
		if got := call(t, send, `{"to":"ann@example.com","subject":"hello"}`); !strings.Contains(got, `"to":"ann@example.com"`) {
			t.Errorf("send: %s", got)
		}
		if got := call(t, send, `{"to":"ann@example.com"}`); !strings.Contains(got, "subject: missing") {
			t.Errorf("send without a subject: %s", got)
		}
		for _, want := range []string{"server of send", "pattern"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log doesn't tell %q: %s", want, log)
			}
		}
	})
	t.Run("zod 3", func(t *testing.T) {
		c, log := start(t, mcp.Options{}, "route.mjs")
		route := list(t, c)["route"]
		if got := definition(t, route); !strings.Contains(got, `"prefixItems":[`) || strings.Contains(got, "draft-07") || !strings.Contains(got, "of the route") {
			t.Errorf("the definition is %s", got)
		}
		if got := call(t, route, `{"from":[1,2],"to":[3,4.5],"name":"n"}`); got != `{"from":[1,2],"to":[3,4.5],"name":"n"}` {
			t.Errorf("route: %s", got)
		}
		if !strings.Contains(log.String(), "items") {
			t.Errorf("the log doesn't tell of the tuples: %s", log)
		}
	})
	t.Run("client", func(t *testing.T) {
		cmd := exec.CommandContext(ctx, "node", "client.mjs", os.Args[0])
		cmd.Dir = dir
		out, err := cmd.Output()
		want := `{"tools":["add","crash","echo","fail","hang","look","panic"],"readOnly":true,"sum":"3","look":["image","resource","resource"],"fail":true,"bad":true}`
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, want)
		}
	})
}
