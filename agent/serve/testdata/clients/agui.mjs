// Drives a server with the client of AG-UI, which verifies each event by itself.
import assert from "node:assert/strict";
import { HttpAgent, buildResumeArray } from "@ag-ui/client";

const base = process.env.BASE_URL;
const headers = { "X-User": "ann" };
const done = [];
const warnings = []; // such as of what the client doesn't know
console.warn = (...args) => void warnings.push(args.join(" "));
let count = 0;

// A page is a client with what it has seen.
function page(threadId, messages = []) {
  const agent = new HttpAgent({ url: base + "/agui", headers, threadId, initialMessages: messages });
  const p = { agent, events: [], outcome: undefined, error: undefined, pending: undefined };
  agent.subscribe({
    onEvent: ({ event }) => void p.events.push(event),
    onRunFinishedEvent: (e) => void ((p.outcome = e.outcome), (p.pending = e.pendingToolCallIds)),
    onRunErrorEvent: ({ event }) => void (p.error = event),
  });
  p.say = (content) => agent.addMessage({ id: "mine-" + ++count, role: "user", content });
  p.run = async (parameters = {}) => {
    p.outcome = p.error = p.pending = undefined;
    p.events.length = 0;
    return agent.runAgent(parameters);
  };
  p.resume = (answers) => p.run({ resume: buildResumeArray(agent.pendingInterrupts, answers) });
  p.types = () => p.events.map((e) => e.type);
  return p;
}

const text = (p) => p.agent.messages.filter((m) => m.role === "assistant").map((m) => m.content ?? "").join("|");
const results = (p) => p.agent.messages.filter((m) => m.role === "tool").map((m) => m.content);
const calls = (p) => p.agent.messages.flatMap((m) => m.toolCalls ?? []);
const post = (path) => fetch(base + path, { method: "POST", headers });
const plain = (p) => p.agent.messages.map(({ id, role, content, toolCalls, toolCallId, subagentRunId }) => ({
  id: role === "user" ? "" : id, role, content: content ?? "", toolCalls, toolCallId, subagentRunId,
}));
const own = (p) => p.agent.messages.filter((m) => m.role === "assistant" && !m.subagentRunId).map((m) => m.content ?? "").join("|");
const of = (p, run) => p.agent.messages.filter((m) => m.subagentRunId === run).map((m) => m.role + ": " + (m.content ?? ""));
const started = (p) => p.events.filter((e) => e.type === "SUBAGENT_STARTED");

async function scenario(name, f) {
  const p = page("js-" + name.replaceAll(" ", "-"));
  try {
    await f(p);
  } catch (e) {
    e.message = name + ": " + e.message;
    throw e;
  }
  // A page that is loaded anew has the same messages, from the server's history.
  const again = page(p.agent.threadId);
  await again.run();
  assert.deepEqual(plain(again), plain(p), name + ": a page that is loaded anew");
  done.push(name);
}

const frontEnd = [{ name: "pick_color", description: "Picks.", parameters: { type: "object", properties: { city: { type: "string" } } } }];

await scenario("text", async (p) => {
  p.say("hello");
  await p.run();
  assert.equal(text(p), "You said: hello");
  assert.equal(p.outcome, "success");
  assert.ok(p.events.at(-1).usage[0].inputTokens > 0);
  p.say("hello again");
  await p.run();
  assert.equal(text(p), "You said: hello|You said: hello again");
});
await scenario("reasoning", async (p) => {
  p.say("think");
  await p.run();
  assert.deepEqual(p.agent.messages.map((m) => m.role), ["user", "reasoning", "assistant"]);
  assert.equal(p.agent.messages[1].content, "Let me think, step by step.");
});
await scenario("tools in parallel", async (p) => {
  p.say("parallel");
  await p.run();
  assert.deepEqual(results(p).sort(), ["20 degrees in Oslo", "20 degrees in Rome"]);
  assert.equal(text(p), "Both. |Warm in both.");
  assert.deepEqual(calls(p).map((c) => JSON.parse(c.function.arguments).city), ["Oslo", "Rome"]);
});
await scenario("steps", async (p) => {
  p.say("steps");
  await p.run();
  assert.equal(p.types().filter((t) => t === "STEP_STARTED").length, 3);
  assert.equal(text(p), "First. |Then. |Twice.");
});
await scenario("approved", async (p) => {
  p.say("approve");
  await p.run();
  assert.equal(p.outcome, "interrupt");
  const [i] = p.agent.pendingInterrupts;
  assert.equal(i.toolCallId, calls(p)[0].id);
  assert.equal(i.responseSchema.type, "object");
  await p.resume({ [i.id]: { status: "resolved", payload: { approved: true } } });
  assert.equal(p.agent.pendingInterrupts.length, 0);
  assert.deepEqual(results(p), ["booked Oslo"]);
});
await scenario("denied", async (p) => {
  p.say("approve");
  await p.run();
  await p.resume({ [p.agent.pendingInterrupts[0].id]: { status: "resolved", payload: { approved: false, reason: "too dear" } } });
  assert.match(results(p)[0], /too dear/);
});
await scenario("approved with other arguments", async (p) => {
  p.say("approve");
  await p.run();
  await p.resume({ [p.agent.pendingInterrupts[0].id]: { status: "resolved", payload: { approved: true, editedArgs: { city: "Rome" } } } });
  assert.deepEqual(results(p), ["booked Rome"]);
});
await scenario("two approvals", async (p) => {
  p.say("two approvals");
  await p.run();
  const ids = p.agent.pendingInterrupts.map((i) => i.id);
  assert.equal(ids.length, 2);
  await p.resume({ [ids[0]]: { status: "resolved", payload: { approved: true } }, [ids[1]]: { status: "cancelled" } });
  assert.equal(results(p).filter((r) => r.startsWith("booked")).length, 1);
});
await scenario("question", async (p) => {
  p.say("ask");
  await p.run();
  const [i] = p.agent.pendingInterrupts;
  assert.equal(i.reason, "input_required");
  assert.deepEqual(i.responseSchema, { enum: ["red", "blue"] });
  await assert.rejects(p.resume({ [i.id]: { status: "resolved", payload: "green" } }), (e) => e.status === 422);
  await p.resume({ [i.id]: { status: "resolved", payload: "blue" } });
  assert.deepEqual(results(p), ['"blue"']);
});
await scenario("question declined", async (p) => {
  p.say("ask");
  await p.run();
  await p.resume({ [p.agent.pendingInterrupts[0].id]: { status: "cancelled" } });
  assert.equal(p.outcome, "success");
  assert.equal(text(p), "Let me see. |Done with which.");
});
await scenario("front-end tool", async (p) => {
  p.say("color");
  await p.run({ tools: frontEnd });
  assert.equal(p.outcome, "success");
  assert.deepEqual(p.pending, [calls(p)[0].id]);
  p.agent.addMessage({ id: "result-1", role: "tool", toolCallId: p.pending[0], content: "red" });
  await p.run({ tools: frontEnd });
  assert.equal(text(p), "Let me see. |Done with pick_color.");
  assert.deepEqual(results(p), ["red"]);
  p.agent.messages.find((m) => m.id === "result-1").id = "t" + (await record(p, "result"));
});
await scenario("front-end tool that fails", async (p) => {
  p.say("color");
  await p.run({ tools: frontEnd });
  p.agent.addMessage({ id: "result-2", role: "tool", toolCallId: p.pending[0], content: "", error: "closed" });
  await p.run({ tools: frontEnd });
  assert.equal(p.outcome, "success");
  const again = page(p.agent.threadId);
  await again.run();
  assert.match(results(again)[0], /closed/);
  Object.assign(p.agent.messages.find((m) => m.role === "tool"), { id: again.agent.messages.find((m) => m.role === "tool").id, content: results(again)[0] });
});
await scenario("sub-agent", async (p) => {
  p.say("helper");
  await p.run();
  const [i] = p.agent.pendingInterrupts;
  assert.deepEqual(i.metadata.agents, ["helper"]);
  await p.resume({ [i.id]: { status: "resolved", payload: { approved: true } } });
  assert.equal(text(p).split("|").at(-1), "The helper is done.");
});
await scenario("what a sub-agent writes", async (p) => {
  p.say("delegate think");
  await p.run();
  const [s] = started(p);
  assert.equal(s.name, "helper");
  assert.equal(s.parentToolCallId, calls(p)[0].id);
  assert.deepEqual(of(p, s.subagentRunId), ["reasoning: Let me think, step by step.", "assistant: I have thought."]);
  assert.equal(own(p), "Over to you. |The helper has told me.");
  const types = p.events.filter((e) => e.subagentRunId === s.subagentRunId || e.type === "TOOL_CALL_RESULT").map((e) => e.type);
  assert.equal(types.at(-2) === "SUBAGENT_FINISHED" || types.at(-1) === "SUBAGENT_FINISHED", true);
  p.say("hello");
  await p.run();
  assert.equal(own(p), "Over to you. |The helper has told me.|You said: hello");
});
await scenario("a sub-agent of a sub-agent", async (p) => {
  p.say("delegate delegate parallel");
  await p.run();
  const [outer, inner] = started(p);
  assert.equal(inner.parentSubagentRunId, outer.subagentRunId);
  assert.equal(p.agent.messages.find((m) => m.toolCalls?.some((c) => c.id === inner.parentToolCallId)).subagentRunId, outer.subagentRunId);
  assert.deepEqual(of(p, inner.subagentRunId).filter((s) => s.startsWith("tool")).sort(), ["tool: 20 degrees in Oslo", "tool: 20 degrees in Rome"]);
  assert.equal(own(p), "Over to you. |The helper has told me.");
});
await scenario("a sub-agent waits", async (p) => {
  p.say("delegate approve");
  await p.run();
  const [i] = p.agent.pendingInterrupts, end = p.events.find((e) => e.type === "SUBAGENT_FINISHED");
  assert.deepEqual(end.outcome, { type: "suspended", interruptIds: [i.id] });
  assert.equal(i.subagentRunId, end.subagentRunId);
  assert.ok(calls(p).some((c) => c.id === i.toolCallId && c.function.name === "book"));
  await p.resume({ [i.id]: { status: "resolved", payload: { approved: true } } });
  assert.deepEqual(of(p, end.subagentRunId), ["assistant: Let me see. ", "tool: booked Oslo", "assistant: Done with book."]);
});
await scenario("a sub-agent is cut off", async (p) => {
  p.say("delegate slowly");
  const run = p.run().catch(() => {});
  while (p.events.filter((e) => e.type === "TEXT_MESSAGE_CONTENT" && e.subagentRunId).length < 3) await new Promise((r) => setTimeout(r, 2));
  p.agent.abortRun();
  await run;
  await p.run();
  assert.equal(p.agent.messages.find((m) => m.subagentRunId).content, "Slow and steady wins the race, as they say: schön.");
  assert.equal(own(p), "Over to you. |The helper has told me.");
});
await scenario("two sub-agents at once", async (p) => {
  p.say("delegate both parallel");
  await p.run();
  assert.equal(new Set(started(p).map((e) => e.parentToolCallId)).size, 2);
  for (const s of started(p)) assert.equal(of(p, s.subagentRunId).at(-1), "assistant: Warm in both.");
  const again = page(p.agent.threadId); // in the order of their calls
  await again.run();
  assert.deepEqual(plain(again).map((m) => m.content).sort(), plain(p).map((m) => m.content).sort());
  p.agent.messages = again.agent.messages;
});
await scenario("a tool fails", async (p) => {
  p.say("fails");
  await p.run();
  assert.match(results(p)[0], /no such place/);
  assert.equal(p.agent.messages.find((m) => m.role === "tool").metadata.is_error, true);
});
await scenario("picture", async (p) => {
  p.say([{ type: "text", text: "draw" }, { type: "image", source: { type: "data", value: process.env.PIXEL, mimeType: "image/png" } }]);
  await p.run();
  const parts = results(p)[0];
  assert.equal(parts[1].type, "image");
  assert.equal(parts[1].source.mimeType, "image/png");
  const own = p.agent.messages[0];
  own.content = [own.content[1], own.content[0]].reverse();
});
await scenario("sources", async (p) => {
  p.say("sources");
  await p.run();
  const cited = p.agent.messages.find((m) => m.metadata?.citations);
  assert.equal(cited.metadata.citations[0].url, "https://pages.example/tour.md");
  assert.equal(cited.content, "They say: Goroutines are cheap. So use them.");
});
await scenario("every block", async (p) => {
  p.say("blocks");
  await p.run();
  assert.equal(calls(p).length, 8);
  assert.equal(results(p).length, 8);
  assert.equal(p.events.filter((e) => e.type === "CUSTOM" && e.name === "content_block").length, 5);
  assert.ok(!JSON.stringify(p.events).includes("c2VjcmV0"));
});
await scenario("typed output", async (p) => {
  p.say("typed");
  await p.run();
  assert.deepEqual(JSON.parse(text(p)), { city: "Oslo", degrees: 20 });
});
await scenario("the run fails", async (p) => {
  p.say("fail");
  await p.run();
  assert.equal(p.error.code, "failed");
  p.say("hello");
  await p.run();
  assert.equal(text(p).split("|").at(-1), "You said: hello");
});
await scenario("cut off", async (p) => {
  p.say("cut");
  await p.run();
  assert.equal(p.error.code, "stopped_early");
  assert.equal(text(p), "This is where it");
});
await scenario("stopped", async (p) => {
  p.say("slow");
  const run = p.run();
  while (!p.types().includes("CUSTOM")) await new Promise((r) => setTimeout(r, 5));
  await post("/agent/stop/" + p.agent.threadId);
  await run;
  assert.equal(p.outcome, "cancelled");
});
await scenario("reconnect in the middle", async (p) => {
  p.say("slowly");
  const run = p.run().catch(() => {});
  while (p.events.filter((e) => e.type === "TEXT_MESSAGE_CONTENT").length < 3) await new Promise((r) => setTimeout(r, 2));
  p.agent.abortRun();
  await run;
  await p.run();
  assert.equal(text(p), "Slow and steady wins the race, as they say: schön.");
});
await scenario("sent twice", async (p) => {
  p.say("parallel");
  const run = p.run().catch(() => {});
  while (p.events.length < 1) await new Promise((r) => setTimeout(r, 1));
  p.agent.abortRun();
  await run;
  await p.run();
  assert.equal(text(p), "Both. |Warm in both.");
});
await scenario("nothing yet", async (p) => {
  await p.run();
  assert.deepEqual(p.agent.messages, []);
});
await scenario("somebody else's", async (p) => {
  p.say("hello");
  await p.run();
  const bob = new HttpAgent({ url: base + "/agui", headers: { "X-User": "bob" }, threadId: p.agent.threadId });
  await assert.rejects(bob.runAgent(), (e) => e.status === 404);
});

async function record(p, kind) {
  const again = page(p.agent.threadId);
  await again.run();
  return again.agent.messages.find((m) => m.role === "tool").id.slice(1);
}

assert.deepEqual(warnings, []);
console.log(JSON.stringify(done));
