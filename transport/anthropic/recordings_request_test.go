package anthropic

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// TestRecordingsRequests reads every recorded request, writes it again, and
// demands the same value, blocks by their bytes. And the check before sending
// must let through what the service took.
func TestRecordingsRequests(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine reads what was recorded")
	}
	counts := make(map[string]int)
	for _, r := range loadRecordings(t) {
		if r.Kind != "recorded" || r.Request == nil || r.endpoint() != "messages" || strings.Contains(r.Request.Path, "/projects/") || !json.Valid([]byte(r.Request.Body)) {
			continue
		}
		if len(rawjson.Get([]byte(r.Request.Body), "model")) == 0 {
			counts["not the service's form; the recorder kept another"]++
			continue
		}
		taken := r.Response.Status == 200
		kind, err := checkRequest(r.Request.Body, taken)
		if err != nil && !taken {
			counts["refused by the service and here"]++
			continue
		}
		counts[kind]++
		if err != nil {
			t.Errorf("%s (%s): %v", r.Source, r.Commit, err)
		}
	}
	for kind, n := range counts {
		t.Logf("%6d  %s", n, kind)
	}
}

func checkRequest(body string, taken bool) (kind string, err error) {
	var req transport.Request
	if err := json.Unmarshal([]byte(body), &req); err != nil {
		return "not read", err
	}
	write := req.Body
	if strings.Contains(strings.ReplaceAll(body, " ", ""), `"stream":true`) {
		write = req.StreamBody
	}
	written, err := write()
	if err != nil {
		return "not written", err
	}
	if err := sameValue(normal(written.Bytes()), normal([]byte(body))); err != nil {
		return "written differently", err
	}
	m, known := models.Lookup(req.Model)
	if !known {
		return "taken by the service, model not in the table", nil
	}
	var u *transport.RequestError
	if err := m.Check(&req); errors.As(err, &u) && taken {
		return "taken by the service, refused here", err
	}
	if !taken {
		return "refused by the service only", nil
	}
	return "taken by the service and here", nil
}

// normal drops what a Request doesn't keep: members that are null or empty,
// flags that are false, and the short form of content and system.
func normal(body []byte) []byte {
	v, err := decodeNumbers(body)
	if err != nil {
		return body
	}
	top := v.(map[string]any)
	if top["stream"] == false {
		delete(top, "stream")
	}
	for k, v := range top {
		if l, ok := v.([]any); v == nil || ok && len(l) == 0 {
			delete(top, k)
		}
	}
	for _, k := range []string{"temperature", "top_p"} {
		if n, ok := top[k].(json.Number); ok {
			top[k], _ = n.Float64() // 1.0 is 1
		}
	}
	if choice, ok := top["tool_choice"].(map[string]any); ok && choice["disable_parallel_tool_use"] == false {
		delete(choice, "disable_parallel_tool_use")
	}
	if top["system"] == "" {
		delete(top, "system")
	}
	top["system"] = blocksOf(top["system"])
	messages, _ := top["messages"].([]any)
	for _, m := range messages {
		if m, ok := m.(map[string]any); ok {
			m["content"] = blocksOf(m["content"])
		}
	}
	out, err := json.Marshal(top)
	if err != nil {
		panic(fmt.Sprint("encoding what was just decoded: ", err))
	}
	return out
}

func blocksOf(v any) any {
	s, ok := v.(string)
	switch {
	case ok && s != "":
		return []any{map[string]any{"type": "text", "text": s}}
	case ok:
		return []any{}
	}
	return v
}
