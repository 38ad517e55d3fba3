// LangChain: a tool call and its answer, and a stream.
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { z } from "zod";

const weather = tool(async ({ city }) => `20 degrees in ${city}`, { name: "get_weather", description: "Tells the weather.", schema: z.object({ city: z.string() }) });
const chat = new ChatAnthropic({ model: "claude-opus-5-5", maxTokens: 4000, anthropicApiUrl: process.env.BASE_URL, apiKey: "test-key-of-langchain" }).bindTools([weather]);
const question = new HumanMessage("What is the weather in Oslo?");
const first = await chat.invoke([question]);
const call = first.tool_calls[0];
const messages = [question, first, new ToolMessage({ tool_call_id: call.id, content: await weather.invoke(call.args) })];
const second = await chat.invoke(messages);
let streamed = "";
for await (const chunk of await chat.stream(messages)) streamed += chunk.text ?? "";
console.log(JSON.stringify({ call: call.args, answer: second.text ?? second.content, streamed }));
