package transport

import (
	"errors"
	"strings"
	"testing"
)

// The words of ten back ends. docs/errors.md has the same table. Those of
// Anthropic are recorded; the others are from public reports and sources.
func TestErrorWords(t *testing.T) {
	for _, tt := range []struct {
		from   string
		status int // 0: in a body of status 200, or in a stream
		body   string
		want   error
		not    error
	}{
		{"Anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205429 tokens > 200000 maximum"}}`, ErrPromptTooLong, nil},
		{"Anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"input length and ` + "`max_tokens`" + ` exceed context limit: 190000 + 32000 > 200000"}}`, ErrPromptTooLong, nil},
		{"Anthropic", 413, `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`, ErrPromptTooLong, nil},
		{"Anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}`, ErrBilling, nil},
		{"Anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0.thinking.signature: Field required"}}`, ErrThinkingMismatch, nil},
		{"Anthropic", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"Growth too fast","details":{"error_code":"ramp_limit_exceeded"}}}`, ErrRateLimit, ErrBilling},
		{"Anthropic", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit"}}`, ErrRateLimit, ErrBilling},
		{"CometAPI", 403, `{"error":{"message":"user quota is not enough","type":"comet_api_error","code":"insufficient_user_quota"}}`, ErrBilling, nil},
		{"CometAPI", 0, `{"error":{"message":"invalid token","type":"comet_api_error","code":"invalid_token"}}`, ErrAuthentication, nil},
		{"new-api", 403, `{"error":{"message":"用户额度不足, 剩余额度: ¥0.00","type":"new_api_error","code":"insufficient_user_quota"}}`, ErrBilling, nil},
		{"new-api", 0, `{"error":{"message":"token quota is not enough","type":"new_api_error","code":"pre_consume_token_quota_failed"}}`, ErrBilling, nil},
		{"Bedrock", 400, `{"message":"Input is too long for requested model."}`, ErrPromptTooLong, nil},
		{"Bedrock", 429, `{"message":"Too many requests, please wait before trying again."}`, ErrRateLimit, nil},
		{"Vertex", 429, `[{"error":{"code":429,"message":"Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model","status":"RESOURCE_EXHAUSTED"}}]`, ErrRateLimit, ErrBilling},
		{"Vertex", 0, `{"error":{"code":401,"message":"Request had invalid authentication credentials","status":"UNAUTHENTICATED"}}`, ErrAuthentication, nil},
		{"OpenRouter", 400, `{"error":{"message":"This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens","code":400}}`, ErrPromptTooLong, nil},
		{"OpenRouter", 402, `{"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}}`, ErrBilling, nil},
		{"OpenRouter", 0, `{"error":{"message":"Provider returned error","code":402}}`, ErrBilling, nil},
		{"OpenRouter", 0, `{"error":{"message":"Rate limit exceeded: free-models-per-min","code":429}}`, ErrRateLimit, nil},
		{"LiteLLM", 400, `{"error":{"message":"litellm.ContextWindowExceededError: AnthropicException","type":null,"code":"400"}}`, ErrPromptTooLong, nil},
		{"LiteLLM", 400, `{"error":{"message":"Budget has been exceeded! Current cost: 10.2, Max budget: 10.0","type":"budget_exceeded","code":"400"}}`, ErrBilling, nil},
		{"vLLM", 400, `{"object":"error","message":"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens","type":"BadRequestError","code":400}`, ErrPromptTooLong, nil},
		{"llama.cpp", 400, `{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}`, ErrPromptTooLong, nil},
		{"Ollama", 400, `{"error":"the input length exceeds the context length"}`, ErrPromptTooLong, nil},
		{"LM Studio", 400, `{"error":"Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens"}`, ErrPromptTooLong, nil},
		{"Kimi", 400, `{"error":{"message":"Invalid request: Your request exceeded model token limit: 131072","type":"invalid_request_error"}}`, ErrPromptTooLong, nil},
		{"GLM", 400, `{"error":{"code":"1261","message":"Prompt exceeds max length"}}`, ErrPromptTooLong, nil},
		{"GLM", 429, `{"error":{"code":"1113","message":"余额不足或无可用资源包,请充值。"}}`, ErrBilling, ErrRateLimit},
		{"MiniMax", 400, `{"type":"error","error":{"type":"bad_request_error","message":"invalid params, context window exceeds limit (2013)"}}`, ErrPromptTooLong, nil},
		{"OpenAI's form", 429, `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}`, ErrBilling, ErrRateLimit},
		{"a stream", 0, `{"type":"error","error":{"type":"api_error","code":"insufficient_quota","message":"no"}}`, ErrBilling, ErrAPI},
		{"a stream", 0, `{"type":"error","error":{"type":"api_error","code":401,"message":"no"}}`, ErrAuthentication, ErrAPI},
		{"a stream", 0, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, ErrOverloaded, nil},
		{"a stream", 0, `{"type":"error","error":{"type":"api_error","message":"Internal server error"}}`, ErrAPI, ErrBilling},
		{"a number out of range", 0, `{"error":{"code":2013,"message":"no"}}`, ErrAPI, nil},
	} {
		err := ParseError(tt.status, []byte(tt.body))
		if !errors.Is(err, tt.want) || tt.not != nil && errors.Is(err, tt.not) {
			t.Errorf("%s %d %s: got %v", tt.from, tt.status, tt.body, err)
		}
		if tt.status != 0 && err.Status != tt.status {
			t.Errorf("%s: the status became %d", tt.from, err.Status)
		}
	}
}

// A refusal of a block's form says what can be done, and no other refusal does.
func TestRefusedFormOfABlock(t *testing.T) {
	for message, want := range map[string]bool{
		"messages.1.content.0.tool_use.text: Extra inputs are not permitted":                                                   true,
		"messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'":                                     true,
		"messages.1.content.0.server_tool_use.id: String should match pattern '^srvtoolu_[a-zA-Z0-9_]+$'":                      true,
		"messages.1.content.0.tool_use.caller: Input should be a valid dictionary or object to extract fields from":            true,
		"messages.3.content.2: Input tag 'foo' found using 'type' does not match any of the expected tags: 'text', 'tool_use'": true,
		"messages.1.content.0.thinking.cache_control: Extra inputs are not permitted":                                          false,
		"messages.1.content.0.thinking.block_binding: Extra inputs are not permitted":                                          false,
		"messages.1.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a":                                      false,
		"messages.0.clear_at: Extra inputs are not permitted":                                                                  false,
		"context_management: Extra inputs are not permitted":                                                                   false,
		"tools.0: Input tag 'X' found using 'type' does not match any of the expected tags: messages.1.content.0":              false,
		"tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'":                                            false,
	} {
		for _, status := range []int{400, 500} {
			err := &Error{Status: status, Type: ErrInvalidRequest, Message: message}
			if got := strings.Contains(err.Error(), "another back end"); got != (want && status == 400) {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
}
