// Drives a server with the AI SDK: its transport and its Chat, which reads the stream,
// and useChat of React in a page of jsdom.
import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import {
  AbstractChat, DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls, readUIMessageStream, validateUIMessages,
} from "ai";

const base = process.env.BASE_URL;
const headers = { "X-User": "ann" };
const done = [];

class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (m) => (this.messages = [...this.messages, m]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (i, m) => (this.messages = this.messages.map((old, at) => (at === i ? structuredClone(m) : old)));
  snapshot = (x) => structuredClone(x);
}
class Chat extends AbstractChat {
  constructor(init) {
    const state = new State();
    state.messages = init.messages ?? [];
    super({ ...init, state });
  }
}

// A page is a chat with what it was told besides its messages.
function page(id, { messages, fetch: via } = {}) {
  const p = { data: [], errors: [], finish: undefined };
  p.transport = new DefaultChatTransport({ api: base + "/chat/", headers, fetch: via });
  p.chat = new Chat({
    id, messages, transport: p.transport,
    onData: (d) => p.data.push(d), onError: (e) => p.errors.push(e), onFinish: (f) => (p.finish = f),
    sendAutomaticallyWhen: (o) => lastAssistantMessageIsCompleteWithApprovalResponses(o) || lastAssistantMessageIsCompleteWithToolCalls(o),
  });
  p.say = (text, more) => p.chat.sendMessage({ text, ...more });
  p.parts = (type) => p.chat.messages.at(-1).parts.filter((x) => x.type === type);
  p.text = () => p.parts("text").map((x) => x.text).join("|");
  p.waits = () => p.data.filter((d) => d.type === "data-waiting").map((d) => d.data);
  p.settled = async (f) => {
    for (let i = 0; i < 2000; i++) {
      if (p.chat.status === "ready" || p.chat.status === "error") if (!f || f()) return;
      await new Promise((r) => setTimeout(r, 5));
    }
    throw new Error("not settled: " + JSON.stringify(p.chat.messages));
  };
  return p;
}
const load = async (id) => (await fetch(base + "/chat/" + id, { headers })).json();
const post = (path) => fetch(base + path, { method: "POST", headers });
// What differs between a message as it came and as it is loaded: the user's ids.
const plain = (messages) => JSON.parse(JSON.stringify(messages)).map((m) => ({
  id: m.role === "user" ? "" : m.id, role: m.role,
  parts: m.parts.map(({ state, approval, ...p }) => ({ ...p, state, approval: approval && { id: approval.id, approved: approval.approved, reason: approval.reason || undefined } })),
})).map((m) => JSON.parse(JSON.stringify(m)));

async function scenario(name, f, { same = true } = {}) {
  const id = "js-" + name.replaceAll(/[^a-z]+/g, "-");
  const p = page(id);
  const late = setTimeout(() => {
    console.error(name + ": it doesn't end: " + JSON.stringify(p.chat.messages) + p.chat.status + JSON.stringify(p.data));
    process.exit(1);
  }, 20000);
  try {
    await f(p);
    if (same) {
      const { messages } = await load(id);
      if (messages.length > 0) await validateUIMessages({ messages });
      assert.deepEqual(plain(messages), plain(p.chat.messages), "a page that is loaded");
      const again = page(id, { messages });
      await again.chat.resumeStream();
      assert.deepEqual(plain(again.chat.messages), plain(p.chat.messages), "a page that resumes");
    }
  } catch (e) {
    e.message = name + ": " + e.message;
    throw e;
  }
  clearTimeout(late);
  done.push(name);
}

await scenario("text", async (p) => {
  await p.say("hello");
  assert.equal(p.text(), "You said: hello");
  assert.equal(p.finish.finishReason, "stop");
  await p.say("hello again");
  assert.equal(p.chat.messages.length, 4);
});
await scenario("reasoning", async (p) => {
  await p.say("think");
  assert.equal(p.parts("reasoning")[0].text, "Let me think, step by step.");
  assert.equal(p.text(), "I have thought.");
});
await scenario("tools in parallel", async (p) => {
  await p.say("parallel");
  assert.deepEqual(p.parts("tool-get_weather").map((x) => x.output), ["20 degrees in Oslo", "20 degrees in Rome"]);
  assert.deepEqual(p.parts("tool-get_weather").map((x) => x.input.city), ["Oslo", "Rome"]);
});
await scenario("steps", async (p) => {
  await p.say("steps");
  assert.equal(p.parts("step-start").length, 3);
  assert.equal(p.text(), "First. |Then. |Twice.");
});
await scenario("approved", async (p) => {
  await p.say("approve");
  const [part] = p.parts("tool-book");
  assert.equal(part.state, "approval-requested");
  await p.chat.addToolApprovalResponse({ id: part.approval.id, approved: true });
  await p.settled(() => p.parts("tool-book")[0].state === "output-available");
  assert.equal(p.parts("tool-book")[0].output, "booked Oslo");
  await p.settled(() => p.text().includes("Done with book."));
});
await scenario("denied", async (p) => {
  await p.say("approve");
  await p.chat.addToolApprovalResponse({ id: p.parts("tool-book")[0].approval.id, approved: false, reason: "too dear" });
  await p.settled(() => p.parts("tool-book")[0].state === "output-denied");
  await p.settled(() => p.text().includes("Done with book."));
});
await scenario("two approvals", async (p) => {
  await p.say("two approvals");
  const [a, b] = p.parts("tool-book");
  await p.chat.addToolApprovalResponse({ id: a.approval.id, approved: true });
  await p.chat.addToolApprovalResponse({ id: b.approval.id, approved: false });
  await p.settled(() => p.text().includes("Both done."));
  assert.deepEqual(p.parts("tool-book").map((x) => x.state), ["output-available", "output-denied"]);
});
await scenario("question", async (p) => {
  await p.say("ask");
  const [w] = p.waits();
  assert.equal(w.prompt, "Which?");
  await p.chat.sendMessage(undefined, { body: { answers: { [w.id]: { value: "blue" } } } });
  assert.equal(p.parts("tool-which")[0].output, '"blue"');
});
await scenario("question declined", async (p) => {
  await p.say("ask");
  await p.chat.sendMessage(undefined, { body: { answers: { [p.waits()[0].id]: { decline: true, reason: "no idea" } } } });
  assert.equal(p.parts("tool-which")[0].state, "output-error");
});
await scenario("output of the page", async (p) => {
  await p.say("color");
  const [part] = p.parts("tool-pick_color");
  assert.equal(part.state, "input-available");
  await p.chat.addToolOutput({ tool: "pick_color", toolCallId: part.toolCallId, output: { color: "red" } });
  await p.settled(() => p.text().includes("Done with pick_color."));
  assert.deepEqual(p.parts("tool-pick_color")[0].output, { color: "red" });
});
await scenario("sub-agent", async (p) => {
  await p.say("helper");
  const [w] = p.waits();
  assert.deepEqual(w.agents, ["helper"]);
  await p.chat.sendMessage(undefined, { body: { answers: { [w.id]: { approved: true } } } });
  assert.match(p.text(), /The helper is done\./);
});
const below = (m) => m.parts.filter((x) => x.type === "data-subagent").map((x) => x.data);
const words = (m) => m.parts.filter((x) => x.type === "text").map((x) => x.text).join("");
await scenario("what a sub-agent writes", async (p) => {
  await p.say("delegate think");
  const m = p.chat.messages.at(-1), [s] = below(m);
  assert.equal(words(m), "Over to you. The helper has told me.");
  assert.equal(s.state, "done");
  assert.equal(s.toolCallId, p.parts("tool-helper")[0].toolCallId);
  assert.equal(words(s.message), "I have thought.");
  assert.equal(s.message.parts.find((x) => x.type === "reasoning").text, "Let me think, step by step.");
});
await scenario("a sub-agent of a sub-agent", async (p) => {
  await p.say("delegate delegate parallel");
  const [outer] = below(p.chat.messages.at(-1)), [inner] = below(outer.message);
  assert.equal(inner.message.parts.filter((x) => x.type === "tool-get_weather" && x.state === "output-available").length, 2);
  assert.equal(words(inner.message), "Both. Warm in both.");
});
await scenario("a sub-agent waits", async (p) => {
  await p.say("delegate approve");
  assert.equal(below(p.chat.messages.at(-1))[0].state, "waiting");
  await p.chat.sendMessage(undefined, { body: { answers: { [p.waits()[0].id]: { approved: true } } } });
  const m = p.chat.messages.at(-1), list = below(m);
  assert.equal(list.length, 1);
  assert.equal(words(list[0].message), "Let me see. Done with book.");
  assert.equal(words(m), "Over to you. The helper has told me.");
});
await scenario("two sub-agents at once", async (p) => {
  await p.say("delegate both think");
  assert.deepEqual(below(p.chat.messages.at(-1)).map((s) => words(s.message)), ["I have thought.", "I have thought."]);
}, { same: false });
await scenario("a tool fails", async (p) => {
  await p.say("fails");
  assert.equal(p.parts("tool-fails")[0].state, "output-error");
  assert.match(p.parts("tool-fails")[0].errorText, /no such place/);
});
await scenario("files", async (p) => {
  const url = "data:image/png;base64," + process.env.PIXEL;
  await p.chat.sendMessage({ parts: [{ type: "text", text: "draw" }, { type: "file", mediaType: "image/png", url }] });
  assert.deepEqual(p.parts("file").map((x) => x.url), [url]);
});
await scenario("sources", async (p) => {
  await p.say("sources");
  assert.deepEqual(p.parts("source-url").map((x) => [x.url, x.title]), [["https://pages.example/tour.md", "A tour"]]);
  assert.equal(p.text(), "They say: Goroutines are cheap. So use them.");
  assert.equal(p.parts("tool-web_search")[0].providerExecuted, true);
});
await scenario("every block", async (p) => {
  await p.say("blocks");
  const tools = p.chat.messages.at(-1).parts.filter((x) => x.type.startsWith("tool-"));
  assert.equal(tools.length, 8);
  assert.equal(tools.filter((x) => x.state === "output-available").length, 7);
  assert.equal(p.parts("data-block").length, 5);
  assert.ok(!JSON.stringify(p.chat.messages).includes("c2VjcmV0"));
});
await scenario("typed output", async (p) => {
  await p.say("typed");
  assert.deepEqual(JSON.parse(p.text()), { city: "Oslo", degrees: 20 });
});
await scenario("the run fails", async (p) => {
  await p.say("fail");
  assert.equal(p.chat.status, "error");
  assert.equal(p.errors[0].message, "Something went wrong.");
  await p.say("hello");
  assert.equal(p.text(), "You said: hello");
}, { same: false });
await scenario("stopped", async (p) => {
  const run = p.say("slow");
  while (!p.data.some((d) => d.type === "data-progress")) await new Promise((r) => setTimeout(r, 5));
  await post("/chat/" + p.chat.id + "/stop");
  await run;
  assert.equal(p.finish.finishReason, "interrupted");
});
await scenario("reconnect", async (p) => {
  // The connection breaks after some bytes, as fetch reports it.
  let left = 900;
  const cut = async (...args) => {
    const resp = await fetch(...args);
    const reader = resp.body.getReader();
    const body = new ReadableStream({
      async pull(c) {
        const { value, done } = await reader.read();
        if (done) return c.close();
        left -= value.length;
        if (left < 0) {
          await reader.cancel();
          return c.error(new TypeError("network error"));
        }
        c.enqueue(value);
      },
    });
    return new Response(body, { status: resp.status, headers: resp.headers });
  };
  const q = page(p.chat.id, { fetch: (...a) => (left >= 0 ? cut(...a) : fetch(...a)) });
  await q.say("slowly");
  assert.equal(q.finish.isDisconnect, true);
  assert.notEqual(q.text(), "Slow and steady wins the race, as they say: schön.");
  await q.chat.resumeStream();
  assert.equal(q.text(), "Slow and steady wins the race, as they say: schön.");
  p.chat.messages = q.chat.messages;
});
await scenario("nothing to resume", async (p) => {
  await p.chat.resumeStream();
  assert.equal(p.chat.messages.length, 0);
});
await scenario("edited", async (p) => {
  await p.say("one");
  await p.say("two");
  await p.say("three", { messageId: p.chat.messages[2].id });
  assert.equal(p.chat.messages.length, 4);
  assert.equal(p.text(), "You said: three");
});
await scenario("made again", async (p) => {
  await p.say("one");
  await p.say("parallel");
  await p.chat.regenerate();
  assert.equal(p.chat.messages.length, 4);
  assert.match(p.text(), /Warm in both/);
});
await scenario("somebody elses", async (p) => {
  await p.say("hello");
  const bob = new DefaultChatTransport({ api: base + "/chat/", headers: { "X-User": "bob" } });
  await assert.rejects(bob.sendMessages({ chatId: p.chat.id, trigger: "submit-message", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "x" }] }] }), /no such session/);
});
await scenario("a stream by itself", async (p) => {
  const stream = await p.transport.sendMessages({ chatId: p.chat.id, trigger: "submit-message", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "parallel" }] }] });
  let message;
  for await (const m of readUIMessageStream({ stream, terminateOnError: true })) message = m;
  assert.equal(message.parts.filter((x) => x.type === "tool-get_weather" && x.state === "output-available").length, 2);
}, { same: false });

// useChat of React, in a page.
await scenario("react", async (p) => {
  const dom = new JSDOM("<!doctype html><div id=root></div>", { url: base });
  for (const k of ["window", "document", "HTMLElement", "Node"]) globalThis[k] = k === "window" ? dom.window : dom.window[k];
  globalThis.navigator ??= dom.window.navigator;
  globalThis.IS_REACT_ACT_ENVIRONMENT = false;
  const { createElement: h } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const { useChat } = await import("@ai-sdk/react");
  let chat;
  function Page() {
    chat = useChat({ id: p.chat.id, transport: p.transport, sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses });
    return h("main", { "data-status": chat.status }, chat.messages.map((m) => h("article", { key: m.id, className: m.role }, m.parts.map((part, i) => {
      if (part.type === "text") return h("p", { key: i }, part.text);
      if (part.type === "tool-book") return h("section", { key: i }, part.state, part.state === "approval-requested" && h("button", { onClick: () => chat.addToolApprovalResponse({ id: part.approval.id, approved: true }) }, "Allow"));
      return null;
    }))));
  }
  const root = createRoot(document.getElementById("root"));
  root.render(h(Page));
  const until = async (f) => {
    for (let i = 0; i < 1000 && !f(); i++) await new Promise((r) => setTimeout(r, 10));
    assert.ok(f(), document.body.innerHTML);
  };
  await until(() => chat);
  chat.sendMessage({ text: "approve" });
  await until(() => document.querySelector("button"));
  document.querySelector("button").click();
  await until(() => document.body.textContent.includes("Done with book.") && chat.status === "ready");
  assert.match(document.querySelector("section").textContent, /output-available/);
  p.chat.messages = chat.messages;
  root.unmount();
});

console.log(JSON.stringify(done));
process.exit(0);
