package agent

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
)

// replay answers requests with recorded bodies, one after the other.
type replay []string

func (r *replay) RoundTrip(*http.Request) (*http.Response, error) {
	body := (*r)[0]
	*r = (*r)[1:]
	h := http.Header{"Content-Type": {"text/event-stream"}}
	if strings.HasPrefix(body, "{") {
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// recorded are the bodies of the first n answers of a recording.
func recorded(t *testing.T, file, source, commit string, n int) replay {
	t.Helper()
	dir := os.Getenv("WHORL_RECORDINGS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "recordings")
	}
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		t.Skip("no recordings here; set WHORL_RECORDINGS")
	}
	defer f.Close()
	var bodies replay
	lines := bufio.NewReaderSize(f, 1<<20)
	for len(bodies) < n {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s: found %d of %d answers of %s", file, len(bodies), n, source)
		}
		var x struct {
			Source, Commit string
			Response       struct{ Body string }
		}
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(x.Source, source) && strings.HasPrefix(x.Commit, commit) {
			bodies = append(bodies, x.Response.Body)
		}
	}
	return bodies
}

// What recorded conversations cost, against sums done by hand from their usage
// and the list prices.
func TestRecordedConversationsToTheCent(t *testing.T) {
	tests := []struct {
		file, source, commit string
		answers              int
		usd                  float64
	}{
		// haiku-4-5: 170 in, 14 out; sonnet-4-6: 3 in, 4550 written, 3733 read, 35 out;
		// 1, 88, 8283, 79; 1, 146, 8371, 136; 1, 188, 8517, 5.
		{"charmbracelet+crush.jsonl", "TestCoderAgent/anthropic-sonnet/update_a_file", "4e66adae", 5,
			(170*1 + 14*5 + (3+1+1+1)*3 + (4550+88+146+188)*3.75 + (3733+8283+8371+8517)*0.30 + (35+79+136+5)*15) / 1e6},
		// sonnet-4-5: 10 in, 2222 written, 196 out; 13, 236, 2222 read, 158; 13, 234, 2458, 138; 13, 194, 2692, 51.
		{"braintrustdata+braintrust-sdk-javascript.jsonl", "flue-v0-8-0", "96a8132d", 4,
			(49*3 + 2886*3.75 + 7372*0.30 + 543*15) / 1e6},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			bodies := recorded(t, tt.file, tt.source, tt.commit, tt.answers)
			client, err := anthropic.New(anthropic.Options{APIKey: secret.New("k"), HTTPClient: &http.Client{Transport: &bodies}})
			if err != nil {
				t.Fatal(err)
			}
			var b Bill
			for range tt.answers {
				resp, err := transport.Create(t.Context(), client, &transport.Request{Model: "m", MaxTokens: 1, Messages: []transport.Message{transport.UserText("q")}})
				if err != nil {
					t.Fatal(err)
				}
				b.AddResponse(resp, time.Time{})
			}
			if b.Cost.Incomplete || math.Abs(b.Cost.USD-tt.usd) > 1e-9 || b.Requests != tt.answers {
				t.Errorf("%+v, want $%.6f", b, tt.usd)
			}
			t.Logf("%d answers: %v", b.Requests, b.Cost)
		})
	}
}

func TestBill(t *testing.T) {
	answer := func(model, usage string) *transport.Response {
		r, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","model":%q,"content":[],"stop_reason":"end_turn","usage":%s}`, model, usage)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const million = `"input_tokens":1000000,"output_tokens":0`
	tests := []struct {
		name  string
		resp  *transport.Response
		own   []models.Model
		usd   float64
		known bool
	}{
		{"both lifetimes", answer("claude-opus-5-5", `{"input_tokens":0,"cache_creation_input_tokens":2000000,"cache_read_input_tokens":1000000,"cache_creation":{"ephemeral_1h_input_tokens":1000000,"ephemeral_5m_input_tokens":1000000},"output_tokens":1000000}`), nil, 5 + 8 + 0.2 + 20, true},
		{"batch", answer("claude-opus-5-5", `{`+million+`,"service_tier":"batch"}`), nil, 2, true},
		{"fast", answer("claude-opus-5", `{`+million+`,"speed":"fast"}`), nil, 10, true},
		{"in the US", answer("claude-opus-5-5", `{`+million+`,"inference_geo":"us"}`), nil, 4.4, true},
		{"web searches", answer("claude-opus-5-5", `{`+million+`,"server_tool_use":{"web_search_requests":1000,"web_fetch_requests":5}}`), nil, 14, true},
		{"small prompts of Haiku 5.5", answer("claude-haiku-5-5", `{"input_tokens":100000,"output_tokens":1000000}`), nil, 0.01 + 0.5, true},
		{"large ones", answer("claude-haiku-5-5", `{"input_tokens":200000,"output_tokens":1000000}`), nil, 0.1 + 2.5, true},
		{"compaction, advisor and a refused hop", answer("claude-opus-5-5", `{"input_tokens":0,"output_tokens":0,"iterations":[
			{"type":"compaction",`+million+`},{"type":"advisor_message","model":"claude-fable-5-1",`+million+`},
			{"type":"fallback_message","model":"claude-sonnet-5-5",`+million+`},{"type":"message",`+million+`}]}`), nil, 4 + 10 + 2 + 4, true},
		{"an iteration of a model without a price", answer("claude-opus-5-5", `{"input_tokens":0,"output_tokens":0,"iterations":[
			{"type":"message",`+million+`},{"type":"advisor_message","model":"claude-next",`+million+`}]}`), nil, 4, false},
		{"no price", answer("claude-next", `{`+million+`}`), nil, 0, false},
		{"a price of one's own", answer("claude-next", `{`+million+`}`), []models.Model{{ID: "claude-next", Prices: []models.Price{{Input: 7}}}}, 7, true},
		{"a corrected price", answer("claude-opus-5-5", `{`+million+`}`), []models.Model{{ID: "claude-opus-5-5", Prices: []models.Price{{Input: 3}}}}, 3, true},
	}
	var all Bill
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b Bill
			b.AddResponse(tt.resp, time.Time{}, tt.own...)
			if math.Abs(b.Cost.USD-tt.usd) > 1e-9 || !b.Cost.Incomplete != tt.known || (len(b.Unpriced) > 0) == tt.known {
				t.Errorf("%v known %v, unpriced %v; want $%.4f known %v", b.Cost.USD, !b.Cost.Incomplete, b.Unpriced, tt.usd, tt.known)
			}
			all.AddResponse(tt.resp, time.Time{})
		})
	}
	if !all.Cost.Incomplete || all.Requests != len(tests) || strings.Join(all.Unpriced, " ") != "claude-next" {
		t.Errorf("%+v", all)
	}
	if s := all.Cost.String(); !strings.HasPrefix(s, "more than $") {
		t.Error(s)
	}

	// A session's bill is that of its log.
	log := memory.NewLog()
	for range 3 {
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")},
			memory.Record{Kind: memory.KindResponse, Response: tests[1].resp}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := BillOf(t.Context(), log); err != nil || b.Requests != 3 || b.Cost != (Cost{USD: 6}) || b.Tokens != 3_000_000 {
		t.Errorf("%+v", b)
	}
}
