package agent

// Names of the OpenTelemetry semantic conventions for generative AI, as in
// semconv v1.41.0, the last version of the Go module that has them. Upstream
// they have moved to open-telemetry/semantic-conventions-genai, where their
// status is Development; hence this file of their own. Names that begin with
// whorl have no counterpart there.
const (
	semconvSchemaURL = "https://opentelemetry.io/schemas/1.41.0"

	opInvokeAgent = "invoke_agent"
	opChat        = "chat"
	opExecuteTool = "execute_tool"

	providerAnthropic = "anthropic"

	keyOperation          = "gen_ai.operation.name"
	keyProvider           = "gen_ai.provider.name"
	keyAgentName          = "gen_ai.agent.name"
	keyConversationID     = "gen_ai.conversation.id"
	keyRequestModel       = "gen_ai.request.model"
	keyRequestMaxTokens   = "gen_ai.request.max_tokens"
	keyRequestStream      = "gen_ai.request.stream"
	keyResponseID         = "gen_ai.response.id"
	keyResponseModel      = "gen_ai.response.model"
	keyFinishReasons      = "gen_ai.response.finish_reasons"
	keyTimeToFirstChunk   = "gen_ai.response.time_to_first_chunk"
	keyInputTokens        = "gen_ai.usage.input_tokens"
	keyOutputTokens       = "gen_ai.usage.output_tokens"
	keyCacheRead          = "gen_ai.usage.cache_read.input_tokens"
	keyCacheCreation      = "gen_ai.usage.cache_creation.input_tokens"
	keyReasoningTokens    = "gen_ai.usage.reasoning.output_tokens"
	keySystemInstructions = "gen_ai.system_instructions"
	keyInputMessages      = "gen_ai.input.messages"
	keyOutputMessages     = "gen_ai.output.messages"
	keyToolName           = "gen_ai.tool.name"
	keyToolType           = "gen_ai.tool.type"
	keyToolCallID         = "gen_ai.tool.call.id"
	keyToolArguments      = "gen_ai.tool.call.arguments"
	keyToolResult         = "gen_ai.tool.call.result"
	keyErrorType          = "error.type"

	keyRequestID = "anthropic.request.id"
	keySteps     = "whorl.steps"
	keyCostUSD   = "whorl.cost.usd"
)
