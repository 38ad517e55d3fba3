package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An exchange of the recordings.
type recorded struct {
	Source   string
	Kind     string
	Fidelity map[string]any
	Request  *struct {
		Method, Path, Host string
		Headers            map[string]string
		Body               string
	}
	Response struct {
		Status int
		Body   string
	}
}

// recordings reads all exchanges with a request to the Messages API, or skips.
func recordings(t *testing.T) []recorded {
	t.Helper()
	dir := os.Getenv("WHORL_RECORDINGS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "recordings")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Skipf("no recordings in %s; WHORL_RECORDINGS names their folder", dir)
	}
	var list []recorded
	for _, name := range files {
		if strings.Contains(name, "other-hosts") {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		scanner := bufio.NewScanner(f)
		scanner.Buffer(nil, 1<<26)
		for scanner.Scan() {
			var r recorded
			if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			path, _, _ := strings.Cut(pathOf(r), "?")
			if r.Kind == "recorded" && (path == "/v1/messages" || path == "/v1/messages/count_tokens") && r.Request.Method == "POST" {
				list = append(list, r)
			}
		}
		f.Close()
		if err := scanner.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return list
}

func pathOf(r recorded) string {
	if r.Request == nil {
		return ""
	}
	return r.Request.Path
}

// judge checks a recorded request as a server does that takes the old models
// and the signatures of others.
func judge(s *Server, r recorded) *Refusal {
	path, _, _ := strings.Cut(r.Request.Path, "?")
	req := &request{counting: strings.HasSuffix(path, "count_tokens")}
	h := http.Header{}
	for k, v := range r.Request.Headers {
		h.Set(k, v)
	}
	if r.Fidelity["headers"] == "full" {
		var why *Refusal
		if req.betas, why = readBetas(h); why != nil {
			return why
		}
	} else {
		// The recorder dropped headers: what was unlocked isn't known.
		for v := range knownBetas {
			req.betas.list = append(req.betas.list, v)
		}
	}
	_, _, why := s.check([]byte(r.Request.Body), req)
	return why
}

var numbersAndNames = regexp.MustCompile(`(req|toolu|srvtoolu|call)_[A-Za-z0-9_]+|\d+`)

func TestRecordings(t *testing.T) {
	all := recordings(t)
	s := New(Options{Foreign: true, RetiredModels: true})
	accepted, refusedWrongly := 0, 0
	reasons := map[string][]string{}
	judged, same := 0, 0
	for _, r := range all {
		if truncated, ok := r.Fidelity["truncated_payloads"].(float64); ok && truncated > 0 {
			r.Fidelity["cut"] = true
		}
		switch {
		case r.Response.Status == 200:
			accepted++
			if why := judge(s, r); why != nil {
				refusedWrongly++
				reasons[numbersAndNames.ReplaceAllString(why.Message, "N")] = append(reasons[numbersAndNames.ReplaceAllString(why.Message, "N")], r.Source)
			}
		case r.Response.Status == 400 || r.Response.Status == 404:
			var e struct {
				Error struct{ Type, Message string }
			}
			if json.Unmarshal([]byte(r.Response.Body), &e) != nil || e.Error.Message == "" {
				continue
			}
			judged++
			why := judge(s, r)
			if why != nil && why.Status == r.Response.Status && why.Type == e.Error.Type &&
				bytes.Equal(numbersAndNames.ReplaceAll([]byte(why.Message), []byte("N")), numbersAndNames.ReplaceAll([]byte(e.Error.Message), []byte("N"))) {
				same++
				continue
			}
			t.Logf("%s\n  recorded  %d %s\n  simulated %v", r.Source, r.Response.Status, e.Error.Message, why)
		}
	}
	t.Logf("accepted by the service: %d, of which refused here: %d", accepted, refusedWrongly)
	t.Logf("refused by the service: %d, alike here: %d", judged, same)
	var keys []string
	for k := range reasons {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return len(reasons[b]) - len(reasons[a]) })
	for _, k := range keys {
		t.Logf("%4d %s\n       %s", len(reasons[k]), k, reasons[k][0])
	}
}
