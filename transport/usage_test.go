package transport

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestUsageAgreesWithEncodingJSON(t *testing.T) {
	for _, raw := range []string{
		`{}`,
		`{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":7},"output_tokens":1,"service_tier":"standard"}`,
		` { "input_tokens" : 9223372036854775807 , "output_tokens":-1, "unknown":{"a":[1]}, "cache_creation":null, "service_tier":null } `,
		`{"output_tokens_details":{"thinking_tokens":5},"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},"inference_geo":"us\u002deast","speed":"fast"}`,
		`{"iterations":[{"type":"message","model":"m","input_tokens":1,"output_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":3}},{"type":"compaction"}]}`,
		`{"input_tokens":1.5}`,
		`{"input_tokens":"3"}`,
		`{"cache_creation":[]}`,
		`{"cache_creation":{"ephemeral_1h_input_tokens":true}}`,
		`{"server_tool_use":7}`,
		`[]`,
		`7`,
	} {
		var got, want Usage
		gotErr, wantErr := got.parse([]byte(raw)), json.Unmarshal([]byte(raw), &want)
		if (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s: error %v, want %v", raw, gotErr, wantErr)
		}
		if wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
}
