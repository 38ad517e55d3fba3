package observe

// Names of the OpenTelemetry semantic conventions for generative AI, as in
// semconv v1.41.0, the last version of the Go module that has them and the one
// that tracing products know. Upstream they have moved to
// open-telemetry/semantic-conventions-genai, whose status is Development, and which
// renames some: these are marked "latest", and take the place of the others where
// OTEL_SEMCONV_STABILITY_OPT_IN says so. What v1.41.0 has no name for is named as
// there in any case (marked below). Names that begin with whorl or anthropic have
// none in either place.
const (
	semconvSchemaURL       = "https://opentelemetry.io/schemas/1.41.0"
	semconvSchemaURLLatest = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"

	// Those who want the latest names set this variable to a list that has this word.
	optInVariable = "OTEL_SEMCONV_STABILITY_OPT_IN"
	optInLatest   = "gen_ai_latest_experimental"

	opInvokeAgent = "invoke_agent"
	opChat        = "chat"
	opExecuteTool = "execute_tool"

	providerAnthropic = "anthropic"

	// Attributes.
	keyOperation          = "gen_ai.operation.name"
	keyProvider           = "gen_ai.provider.name"
	keyServerAddress      = "server.address"
	keyServerPort         = "server.port"
	keyAgentName          = "gen_ai.agent.name"
	keyConversationID     = "gen_ai.conversation.id"
	keyOutputType         = "gen_ai.output.type"
	keyRequestModel       = "gen_ai.request.model"
	keyRequestMaxTokens   = "gen_ai.request.max_tokens"
	keyRequestReasoning   = "gen_ai.request.reasoning.level" // semantic-conventions-genai
	keyRequestStop        = "gen_ai.request.stop_sequences"
	keyRequestStream      = "gen_ai.request.stream"
	keyRequestTemperature = "gen_ai.request.temperature"
	keyRequestTopK        = "gen_ai.request.top_k"
	keyRequestTopP        = "gen_ai.request.top_p"
	keyResponseID         = "gen_ai.response.id"
	keyResponseModel      = "gen_ai.response.model"
	keyFinishReasons      = "gen_ai.response.finish_reasons"
	keyTimeToFirstChunk   = "gen_ai.response.time_to_first_chunk" // seconds
	keyInputTokens        = "gen_ai.usage.input_tokens"           // read, written and neither
	keyOutputTokens       = "gen_ai.usage.output_tokens"
	keyCacheRead          = "gen_ai.usage.cache_read.input_tokens"
	keyCacheCreation      = "gen_ai.usage.cache_creation.input_tokens"
	keyCacheWrite         = "gen_ai.usage.cache_write.input_tokens" // latest, for the one above
	keyReasoningTokens    = "gen_ai.usage.reasoning.output_tokens"
	keySystemInstructions = "gen_ai.system_instructions"
	keyToolDefinitions    = "gen_ai.tool.definitions"
	keyInputMessages      = "gen_ai.input.messages"
	keyOutputMessages     = "gen_ai.output.messages"
	keyTokenType          = "gen_ai.token.type"
	keyTokenModality      = "gen_ai.token.modality" // semantic-conventions-genai
	keyToolName           = "gen_ai.tool.name"
	keyToolType           = "gen_ai.tool.type"
	keyToolCallID         = "gen_ai.tool.call.id"
	keyToolArguments      = "gen_ai.tool.call.arguments"
	keyToolResult         = "gen_ai.tool.call.result"
	keyErrorType          = "error.type"

	keyRequestID       = "anthropic.request.id"
	keySteps           = "whorl.steps"               // model calls of a run
	keyPurpose         = "whorl.request.purpose"     // of a model call that is no step
	keySegment         = "whorl.turn.segment"        // counts from 2 on the chat spans that go on with a paused turn
	keySentBytes       = "whorl.request.sent_bytes"  // of the bodies of a model call's requests
	keyRetries         = "whorl.retries"             // attempts less one
	keyTokenRate       = "whorl.output.rate"         // output tokens per second, from the first chunk on
	keyCostUSD         = "whorl.cost.usd"            // of a model call, or of all of a run's
	keyUsageCost       = "gen_ai.usage.cost"         // of a model call, where other tools look for it
	keyCacheMissReason = "whorl.cache.miss.reason"   // the service's own diagnosis
	keyCacheMissTokens = "whorl.cache.miss.tokens"   //
	keyLimit           = "whorl.limit"               // the limit that ended a run
	keyLimitMax        = "whorl.limit.max"           // nanoseconds for "time"
	keyWaiting         = "whorl.approval.tool_names" // what a run that ended waits for
	keyDecision        = "whorl.approval.decision"   // "allowed", "approved" or "denied"
	keyRule            = "whorl.approval.rule"       // the policy's rule that decided, or asked

	// Metrics.
	metricTokens         = "gen_ai.client.token.usage"
	metricDuration       = "gen_ai.client.operation.duration"
	metricFirstChunk     = "gen_ai.client.operation.time_to_first_chunk"
	metricPerChunk       = "gen_ai.client.operation.time_per_output_chunk"
	metricRunDuration    = "gen_ai.invoke_agent.duration"                           // semantic-conventions-genai
	metricInferenceCalls = "gen_ai.invoke_agent.inference_calls"                    // semantic-conventions-genai
	metricToolCalls      = "gen_ai.invoke_agent.tool_calls"                         // semantic-conventions-genai
	metricToolDuration   = "gen_ai.execute_tool.duration"                           // semantic-conventions-genai
	metricCacheRead      = "gen_ai.client.inference.usage.cache_read.input_tokens"  // semantic-conventions-genai
	metricCacheWrite     = "gen_ai.client.inference.usage.cache_write.input_tokens" // semantic-conventions-genai
	metricReasoning      = "gen_ai.client.inference.usage.reasoning.output_tokens"  // semantic-conventions-genai
	// Latest, for the first four.
	metricInputTokens      = "gen_ai.client.inference.usage.input_tokens"
	metricOutputTokens     = "gen_ai.client.inference.usage.output_tokens"
	metricInputPerCall     = "gen_ai.client.inference.operation.input_tokens"
	metricOutputPerCall    = "gen_ai.client.inference.operation.output_tokens"
	metricDurationLatest   = "gen_ai.client.inference.duration"
	metricFirstChunkLatest = "gen_ai.client.inference.time_to_first_chunk"
	metricPerChunkLatest   = "gen_ai.client.inference.time_per_output_chunk"

	metricTokenRate = "whorl.client.output.rate"
	metricCost      = "whorl.client.cost"
	metricRetries   = "whorl.client.retries"
	metricLimits    = "whorl.run.limits"
	metricDecisions = "whorl.approval.decisions"
)
