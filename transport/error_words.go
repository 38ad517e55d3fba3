package transport

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// What back ends say where the service has a type or a code. Gateways pass the
// words of what stands behind them on, often under a status that says little.
// Codes are compared whole, words as parts of the message, both in lower case.
// docs/errors.md has the table with who says which.
var (
	billingCodes = []string{
		"insufficient_quota", "insufficient_user_quota", "insufficient_balance", "insufficient_credits", "billing_hard_limit_reached",
		"pre_consume_token_quota_failed", "quota_exceeded", "quota_not_enough", "exceeded_current_quota_error", "budget_exceeded", "credit_exhausted",
	}
	billingWords = []string{
		"credit balance is too low", "exceeded your current quota", "requires more credits", "insufficient credits", "insufficient balance",
		"insufficient quota", "quota is not enough", "user quota is insufficient", "budget has been exceeded", "额度不足", "余额不足",
	}
	rateCodes = []string{
		"rate_limit_exceeded", "rate_limit_error", "too_many_requests", "ratelimiterror", "throttlingexception", "resource_exhausted", "ramp_limit_exceeded",
	}
	authCodes   = []string{"invalid_api_key", "invalid_token", "unauthorized", "authenticationerror", "token_expired", "missing_api_key"}
	promptCodes = []string{
		"context_length_exceeded", "exceed_context_size_error", "contextwindowexceedederror", "context_window_exceeded", "model_context_window_exceeded", "string_above_max_length",
	}
	promptWords = []string{
		"prompt is too long", "exceed context limit", "input is too long", // Anthropic, Bedrock
		"maximum context length", "maximum model length", // vLLM, OpenRouter, DeepSeek and all that copy OpenAI
		"exceeds the available context size", "larger than the max context size", "exceeds context size", // llama.cpp, Ollama
		"exceeds the context length", "exceeded max context length", "context length of only", // Ollama, LM Studio
		"exceeded model token limit", "exceeds max length", "context window exceeds limit", // Kimi, GLM, MiniMax
		"context window exceeded", "contextwindowexceeded", "exceeds the maximum number of tokens", // LiteLLM, Gemini
		"exceeds the model's context window", "greater than the context length", "reduce the length of the messages",
	}
)

// What the service says of a block with a form that it doesn't know, as a response of
// another back end can have it (wire rows 45, 47, 53, 54, 58).
var (
	blockWords = []string{
		"extra inputs are not permitted", "does not match any of the expected tags", "tool_use.id: string should match pattern", "tool_use.caller",
	}
	ownWords = []string{".cache_control", ".block_binding"} // members that a request adds
)

// refusesBlock reports whether the service refuses the form of a block of a message.
func (e *Error) refusesBlock() bool {
	place, _, _ := strings.Cut(e.Message, ": ")
	return e.Status == http.StatusBadRequest && strings.HasPrefix(place, "messages.") && strings.Contains(place, ".content.") &&
		e.says(nil, blockWords) && !e.says(nil, ownWords)
}

// refine fills in what an error's body says beside its type: a code, and where the
// HTTP status belongs to something else (status is 0), the status it stands for.
func (e *Error) refine(body, inner []byte) {
	if e.Code == "" {
		e.Code = codeOf(inner)
	}
	if e.Code == "" {
		e.Code = codeOf(body)
	}
	if e.Status == 0 {
		if n, err := strconv.Atoi(e.Code); err == nil && n >= 400 && n < 600 {
			e.Status = n
		}
	}
}

// codeOf is the "code" of an object, a word or a number.
func codeOf(object []byte) string {
	v := rawjson.Get(object, "code")
	switch {
	case len(v) == 0 || v[0] == '{' || v[0] == '[' || rawjson.IsNull(v):
		return ""
	case v[0] == '"':
		return rawjson.Unquote(v)
	}
	return string(v)
}

// says reports whether the error's code is one of codes or its message has one of
// words.
func (e *Error) says(codes, words []string) bool {
	code := strings.ToLower(e.Code)
	for _, c := range codes {
		if code == c {
			return true
		}
	}
	if len(words) == 0 {
		return false
	}
	message := strings.ToLower(e.Message)
	for _, w := range words {
		if strings.Contains(message, w) {
			return true
		}
	}
	return false
}

// statusOfCode is the status that an error's code and words stand for, or 0.
func (e *Error) statusOfCode() int {
	switch {
	case e.says(billingCodes, billingWords):
		return http.StatusPaymentRequired
	case e.says(authCodes, nil):
		return http.StatusUnauthorized
	case e.says(rateCodes, nil):
		return http.StatusTooManyRequests
	case e.says(promptCodes, promptWords):
		return http.StatusBadRequest
	}
	return 0
}
