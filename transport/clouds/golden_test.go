package clouds_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/internal/fronts"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator/platforms"
)

// signedFor is what a signature says that doesn't change from request to request.
var signedFor = regexp.MustCompile(`^(AWS4-HMAC-SHA256 Credential=\w+)/\d+/([\w-]+/[\w-]+/aws4_request), .*$`)

// TestGolden holds what is sent to each platform against what Anthropic's Go SDK
// v2.15.0 sends there (testdata/golden.json, written by the module golden): method,
// path and headers are the same, tools, system and messages byte for byte, and other
// members by their values, as the SDK writes them in another order.
func TestGolden(t *testing.T) {
	var asked []struct {
		Name  string          `json:"name"`
		Betas string          `json:"betas"`
		Body  json.RawMessage `json:"body"`
	}
	read(t, "golden/requests.json", &asked)
	type sent struct {
		Platform, Name, Method, Path string
		Header                       map[string]string
		Body                         string
	}
	var golden []sent
	read(t, "testdata/golden.json", &golden)
	want := map[string]sent{}
	for _, g := range golden {
		want[g.Platform+" "+g.Name] = g
	}
	var last sent
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last = sent{Method: r.Method, Path: r.URL.EscapedPath(), Header: map[string]string{}, Body: string(body)}
		for _, name := range []string{"Content-Type", "Anthropic-Version", "Anthropic-Beta", "X-Api-Key", "Authorization", "Anthropic-Workspace-Id", "X-Amz-Security-Token"} {
			if v := r.Header.Values(name); len(v) > 0 {
				last.Header[name] = strings.Join(v, ",")
			}
		}
		w.WriteHeader(400)
	}))
	defer srv.Close()
	compared := 0
	for _, p := range platforms.All() {
		client := fronts.Client(t, p, srv.URL, anthropic.Options{Version: anthropic.APIVersion2026, MaxRetries: -1})
		for _, a := range asked {
			name := string(p) + " " + a.Name
			w, ok := want[name]
			if !ok {
				t.Fatalf("%s isn't in testdata/golden.json: run the module golden again", name)
			}
			var req transport.Request
			if err := json.Unmarshal([]byte(strings.ReplaceAll(string(a.Body), "MODEL", fronts.Model(p, "claude-opus-5-5"))), &req); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if a.Betas != "" {
				req.Betas = strings.Split(a.Betas, ",")
			}
			last = sent{}
			if _, err := transport.Create(t.Context(), client, &req); last.Path == "" {
				t.Errorf("%s: nothing was sent: %v", name, err)
				continue
			}
			for _, h := range []map[string]string{w.Header, last.Header} {
				h["Authorization"] = signedFor.ReplaceAllString(h["Authorization"], "$1/$2")
			}
			if last.Method != w.Method || last.Path != w.Path || !reflect.DeepEqual(last.Header, w.Header) {
				t.Errorf("%s: %s %s %v\nthe SDK sends %s %s %v", name, last.Method, last.Path, last.Header, w.Method, w.Path, w.Header)
			}
			compareBodies(t, name, []byte(last.Body), []byte(w.Body))
			compared++
		}
	}
	if compared != len(golden) || compared != 20*len(platforms.All()) {
		t.Errorf("%d requests were compared, of %d", compared, len(golden))
	}
}

// compareBodies compares the members of two bodies.
func compareBodies(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if !rawjson.Valid(got) {
		t.Errorf("%s: not JSON: %s", name, got)
		return
	}
	seen := map[string]bool{}
	for member, g := range rawjson.Members(got) {
		w := rawjson.Get(want, member)
		seen[member] = true
		switch member {
		case "tools", "system", "messages":
			if !bytes.Equal(g, w) {
				t.Errorf("%s: %s is\n%s\nthe SDK sends\n%s", name, member, g, w)
			}
		default:
			if !sameValue(g, w) {
				t.Errorf("%s: %s is %s, the SDK sends %s", name, member, g, w)
			}
		}
	}
	for member := range rawjson.Members(want) {
		if !seen[member] {
			t.Errorf("%s: %s is missing, the SDK sends it", name, member)
		}
	}
}

func sameValue(a, b []byte) bool {
	decode := func(raw []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&v) != nil {
			return string(raw)
		}
		return v
	}
	return len(a) > 0 && len(b) > 0 && reflect.DeepEqual(decode(a), decode(b))
}

func read(t *testing.T, file string, v any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}
