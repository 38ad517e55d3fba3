// The official SDK: plain, streaming, tools, its tool runner, thinking, errors.
import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";

const client = new Anthropic({ baseURL: process.env.BASE_URL, apiKey: "test-key-of-the-sdk" });
const model = "claude-opus-5-5";
const question = { role: "user", content: "What is the weather in Oslo?" };
const tool = {
  name: "get_weather",
  description: "Tells the weather.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const out = {};

// A streamed turn with thinking and a tool call, answered by hand.
const stream = client.messages.stream({
  model, max_tokens: 4000, tools: [tool], thinking: { type: "adaptive", display: "summarized" }, messages: [question],
});
let deltas = 0;
for await (const event of stream) if (event.type === "content_block_delta") deltas++;
const first = await stream.finalMessage();
const call = first.content.find((b) => b.type === "tool_use");
out.streamed = { stop: first.stop_reason, types: first.content.map((b) => b.type), input: call.input, deltas: deltas > 3 };
const second = await client.messages.create({
  model, max_tokens: 4000, tools: [tool], thinking: { type: "adaptive", display: "summarized" },
  messages: [question, { role: "assistant", content: first.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "20 degrees" }] }],
});
out.answer = second.content.filter((b) => b.type === "text").map((b) => b.text).join("");

// Its tool runner.
const runner = client.beta.messages.toolRunner({
  model, max_tokens: 4000, messages: [question],
  tools: [betaZodTool({ name: "get_weather", description: "Tells the weather.", inputSchema: z.object({ city: z.string() }), run: ({ city }) => `20 degrees in ${city}` })],
});
const final = await runner;
out.runner = final.content.filter((b) => b.type === "text").map((b) => b.text).join("");

const counted = await client.messages.countTokens({ model, messages: [question] });
out.counted = counted.input_tokens > 0;
out.models = (await client.models.list()).data.length > 3;
try {
  await client.messages.create({ model, max_tokens: 10, messages: [] });
} catch (e) {
  out.error = { status: e.status, type: e.error.error.type, message: e.error.error.message, id: e.requestID !== undefined };
}
console.log(JSON.stringify(out));
