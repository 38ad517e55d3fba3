// The AI SDK: a tool loop, whole and streamed.
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const anthropic = createAnthropic({ baseURL: process.env.BASE_URL + "/v1", apiKey: "test-key-of-the-ai-sdk" });
const options = {
  model: anthropic("claude-opus-5-5"),
  prompt: "What is the weather in Oslo?",
  stopWhen: stepCountIs(5),
  tools: {
    get_weather: tool({ description: "Tells the weather.", inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => `20 degrees in ${city}` }),
  },
};
const whole = await generateText(options);
const streamed = streamText(options);
let text = "";
for await (const part of streamed.textStream) text += part;
console.log(JSON.stringify({ whole: whole.text, steps: whole.steps.length, streamed: text, usage: whole.totalUsage.inputTokens > 0 }));
