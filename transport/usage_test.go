package transport

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestUsageAgreesWithEncodingJSON(t *testing.T) {
	for _, raw := range []string{
		`{}`,
		`{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":7},"output_tokens":1,"service_tier":"standard"}`,
		` { "input_tokens" : 9223372036854775807 , "output_tokens":1, "unknown":{"a":[1]}, "cache_creation":null, "service_tier":null } `,
		`{"output_tokens_details":{"thinking_tokens":5},"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},"inference_geo":"us\u002deast","speed":"fast"}`,
		`{"iterations":[{"type":"message","model":"m","input_tokens":1,"output_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":3}},{"type":"compaction"}]}`,
		`{"fallback_credit":{"status":{"type":"not_applied","reason":"body_mismatch","remove_to_redeem":["fallbacks","thinking"]}}}`,
		`{"fallback_credit":{"status":{"type":"redeemed"}}}`,
	} {
		var got, want Usage
		got.parse([]byte(raw))
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
}

// TestFallbackCredit reads what a refusal and its second try tell, and the skills of a
// container, in a whole response and in a stream.
func TestFallbackCredit(t *testing.T) {
	const (
		details   = `{"type":"refusal","category":"cyber","fallback_credit_token":"fct_1","fallback_has_prefill_claim":true,"recommended_model":"m2"}`
		container = `{"id":"container_1","expires_at":"2026-11-28T10:00:00Z","skills":[{"type":"anthropic","skill_id":"pdf","version":"latest"}]}`
		usage     = `{"input_tokens":3,"output_tokens":1,"fallback_credit":{"status":{"type":"not_applied","reason":"expired","remove_to_redeem":["fallbacks"]}}}`
	)
	whole, err := ParseResponse([]byte(`{"id":"msg_1","content":[],"stop_reason":"refusal","stop_details":` + details + `,"container":` + container + `,"usage":` + usage + `}`))
	if err != nil {
		t.Fatal(err)
	}
	streamed := readAll(t, strings.NewReader(`data: {"type":"message_start","message":{"id":"msg_1","content":[],"usage":{"input_tokens":3}}}`+"\n\n"+
		`data: {"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":`+details+`,"container":`+container+`},"usage":`+usage+`}`+"\n\n"+
		`data: {"type":"message_stop"}`+"\n\n"))
	for name, r := range map[string]*Response{"whole": whole, "streamed": streamed} {
		if d := r.StopDetails; d == nil || d.FallbackCreditToken != "fct_1" || !d.FallbackHasPrefillClaim || d.RecommendedModel != "m2" {
			t.Errorf("%s: details are %+v", name, r.StopDetails)
		}
		if c := r.Container; c == nil || string(c.Skills) != `[{"type":"anthropic","skill_id":"pdf","version":"latest"}]` {
			t.Errorf("%s: container is %+v", name, r.Container)
		}
		if c := string(r.Usage.FallbackCredit); c != `{"status":{"type":"not_applied","reason":"expired","remove_to_redeem":["fallbacks"]}}` {
			t.Errorf("%s: credit is %s", name, c)
		}
		if sum := r.Usage.Add(Usage{}); sum.InputTokens != 3 || sum.FallbackCredit != nil {
			t.Errorf("%s: sum is %+v", name, sum)
		}
	}
}

// Gateways have forms of their own. None of them costs the response.
func TestResponsesOfGateways(t *testing.T) {
	for _, tt := range []struct {
		members string
		want    Usage
	}{
		{`"usage":{"input_tokens":"12","output_tokens":3.0,"cache_read_input_tokens":1.5e1}`, Usage{InputTokens: 12, OutputTokens: 3, CacheReadInputTokens: 15}},
		{`"usage":{"input_tokens":"many","output_tokens":true,"cache_read_input_tokens":1e300}`, Usage{}},
		{`"usage":{"input_tokens":7,"cache_creation":[],"server_tool_use":"x","iterations":{},"output_tokens_details":null}`, Usage{InputTokens: 7}},
		{`"usage":[]`, Usage{}},
		{`"usage":null`, Usage{}},
		{`"container":{"id":"container_1","expires_at":""}`, Usage{}},
		{`"container":"container_1"`, Usage{}},
		{`"stop_details":"x"`, Usage{}},
		{`"stop_details":{"category":7}`, Usage{}},
		{`"id":7,"model":null`, Usage{}},
	} {
		r, err := ParseResponse([]byte(`{"content":[{"type":"text","text":"a"}],"stop_reason":"end_turn",` + tt.members + `}`))
		if err != nil {
			t.Errorf("%s: %v", tt.members, err)
			continue
		}
		if r.Text() != "a" || r.StopReason != StopEndTurn || !reflect.DeepEqual(r.Usage, tt.want) {
			t.Errorf("%s: got %+v", tt.members, r)
		}
		if r.Container != nil && r.Container.ID != "container_1" {
			t.Errorf("%s: got %+v", tt.members, r.Container)
		}
	}
}

func TestArgumentsOfGateways(t *testing.T) {
	for input, want := range map[string]string{
		``: `{}`, `,"input":null`: `{}`, `,"input":""`: `{}`, `,"input":{"a":1}`: `{"a":1}`,
		`,"input":" {\"a\":\"\\u00e9\"}"`: `{"a":"\u00e9"}`, `,"input":"{"`: `{"INVALID_JSON":"{"}`, `,"input":[1]`: `{"INVALID_JSON":"[1]"}`,
	} {
		b, err := ParseBlock([]byte(`{"type":"tool_use","id":"t","name":"f"` + input + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := b.ToolCall(); !ok || string(c.Input) != want {
			t.Errorf("%s: got %s, want %s", input, c.Input, want)
		}
	}
}

// A sum has every count of what it is the sum of.
func TestAddSumsEveryCount(t *testing.T) {
	fill := func(n int64) (u Usage) {
		var set func(v reflect.Value)
		set = func(v reflect.Value) {
			switch v.Kind() {
			case reflect.Struct:
				for i := range v.NumField() {
					set(v.Field(i))
				}
			case reflect.Int64:
				v.SetInt(n)
				n *= 10
			}
		}
		set(reflect.ValueOf(&u).Elem())
		return u
	}
	if got, want := fill(1).Add(fill(2)), fill(3); !reflect.DeepEqual(got, want) || got.ServerToolUse.WebSearchRequests == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
