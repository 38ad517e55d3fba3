package simulator

import (
	"bufio"
	"encoding/json"
	"maps"
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

// judge checks a recorded request as a server does that takes the signatures of
// others. What a recording doesn't tell is tried both ways: headers that the
// recorder dropped, and whether a model was retired by then.
func judge(r recorded, verdict func(*Refusal) bool) *Refusal {
	var first *Refusal
	for i, way := range []struct{ retired, betas bool }{{true, true}, {true, false}, {false, true}} {
		path, _, _ := strings.Cut(r.Request.Path, "?")
		req := &request{counting: strings.HasSuffix(path, "count_tokens"), version: version2023}
		h := http.Header{}
		for k, v := range r.Request.Headers {
			h.Set(k, v)
		}
		var why *Refusal
		req.betas, why = readBetas(h, false)
		if r.Fidelity["headers"] != "full" && way.betas {
			for v := range knownBetas {
				req.betas.list = append(req.betas.list, v)
			}
		}
		if why == nil {
			s := New(Options{Foreign: true, RetiredModels: way.retired})
			_, _, why = s.check([]byte(r.Request.Body), req)
		}
		if verdict(why) {
			return why
		}
		if i == 0 {
			first = why
		}
	}
	return first
}

// notJudged tells why a recorded answer can't follow from what was recorded.
func notJudged(r recorded, message string) string {
	if n, ok := r.Fidelity["truncated_payloads"].(float64); ok && n > 0 {
		return "the recording has shortened base64 data"
	}
	for _, other := range []string{`{"_":"normalized"`, `{"type":"json","content":`, `{"mock":`} {
		if strings.HasPrefix(r.Request.Body, other) {
			return "the recorder put something else in the body's place"
		}
	}
	for reason, parts := range map[string][]string{
		"the account":                          {"credit balance is too low"},
		"the recorder shortened the request":   {"prompt is too long", "too many total text bytes"},
		"what is behind a URL":                 {"Unable to download the file", "data: The file format is invalid"},
		"accepted today (models and file ids)": {"role 'system' is not supported on this model", "Input tag 'file' found using 'type'"},
	} {
		for _, part := range parts {
			if strings.Contains(message, part) {
				return reason
			}
		}
	}
	return ""
}

// knownDifferences are requests that the service took and the simulator
// refuses, by what it says, with the reason.
var knownDifferences = map[string]string{
	"top_k: Input should be greater than or equal to 0": "taken by a model that is retired now; the service's document of October 2026 has 0 as the least",
	"Image does not match the provided media type":      "taken once with a JPEG called PNG; public reports have it refused (wire row 122)",
}

var numbersAndNames = regexp.MustCompile(`(req|toolu|srvtoolu|call)_[A-Za-z0-9_]+|\d+`)

func general(message string) string { return numbersAndNames.ReplaceAllString(message, "N") }

// TestRecordings holds the simulator against what the service did: requests
// that it accepted, and requests that it refused.
func TestRecordings(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine reads what was recorded")
	}
	accepted, refused, asKnown := 0, 0, 0
	judged, same := 0, 0
	skipped := map[string]int{}
	for _, r := range recordings(t) {
		var e struct {
			Error struct{ Type, Message string }
		}
		json.Unmarshal([]byte(r.Response.Body), &e)
		status := r.Response.Status
		if status != 200 && status != 400 && status != 404 || status != 200 && e.Error.Message == "" {
			skipped["authentication, load and faults"]++
			continue
		}
		if reason := notJudged(r, e.Error.Message); reason != "" {
			skipped[reason]++
			continue
		}
		if status == 200 {
			accepted++
			if why := judge(r, func(why *Refusal) bool { return why == nil }); why != nil {
				refused++
				reason := ""
				for part, known := range knownDifferences {
					if strings.Contains(why.Message, part) {
						reason = known
						asKnown++
					}
				}
				t.Logf("refused here: %s\n  %s (%s)", r.Source, why.Message, reason)
			}
			continue
		}
		judged++
		alike := func(why *Refusal) bool {
			return why != nil && why.Status == status && string(why.Type) == e.Error.Type && general(why.Message) == general(e.Error.Message)
		}
		if why := judge(r, alike); !alike(why) {
			t.Errorf("%s\n  recorded  %d %s\n  simulated %v", r.Source, status, e.Error.Message, why)
			continue
		}
		same++
	}
	t.Logf("accepted by the service: %d, here: %d (%.2f%%)", accepted, accepted-refused, 100*float64(accepted-refused)/float64(accepted))
	t.Logf("refused by the service and to be judged offline: %d, alike here: %d", judged, same)
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		t.Logf("not judged: %4d, %s", skipped[reason], reason)
	}
	if refused*100 > accepted {
		t.Errorf("more than 1%% of the accepted requests are refused")
	}
	if refused > asKnown {
		t.Errorf("%d accepted requests are refused for no known reason", refused-asKnown)
	}
}
