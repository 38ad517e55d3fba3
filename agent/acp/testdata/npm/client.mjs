// The protocol's official TypeScript SDK as an editor. It checks what it is sent by
// itself; the scenarios check what comes of it. Prints the names of those that passed.
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import { mkdtempSync, writeFileSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import * as acp from "@agentclientprotocol/sdk";

const { agent, client: own } = acp.methods;
const dir = mkdtempSync(join(tmpdir(), "acp-"));
const pixel = process.env.PIXEL;

// An editor with an agent of its own.
function connect(can = { fs: { readTextFile: true, writeTextFile: true }, terminal: true }) {
  const child = spawn(process.env.AGENT, [], { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env } });
  const e = { child, updates: [], asked: [], buffers: {}, terminals: {}, killed: 0, released: 0, choose: () => "allow", waiters: [] };
  const find = (id) => e.terminals[id];
  const app = acp
    .client({ name: "editor" })
    .onNotification(own.session.update, ({ params }) => {
      e.updates.push(params.update);
      e.waiters = e.waiters.filter((w) => !w());
    })
    .onRequest(own.session.requestPermission, async ({ params }) => {
      e.asked.push(params);
      const optionId = await e.choose(params);
      return { outcome: optionId ? { outcome: "selected", optionId } : { outcome: "cancelled" } };
    })
    .onRequest(own.fs.readTextFile, ({ params }) => {
      if (!(params.path in e.buffers)) throw new acp.RequestError(-32002, "Resource not found");
      return { content: e.buffers[params.path] };
    })
    .onRequest(own.fs.writeTextFile, ({ params }) => {
      e.buffers[params.path] = params.content;
      return {};
    })
    .onRequest(own.terminal.create, ({ params }) => {
      const id = "term-" + (Object.keys(e.terminals).length + 1);
      const t = (e.terminals[id] = { output: "", params });
      t.child = spawn(params.command, params.args ?? [], { cwd: params.cwd, detached: true });
      for (const s of [t.child.stdout, t.child.stderr]) s.on("data", (d) => (t.output += d));
      t.exit = new Promise((ok) => t.child.on("close", (exitCode, signal) => ok({ exitCode, signal })));
      return { terminalId: id };
    })
    .onRequest(own.terminal.waitForExit, ({ params }) => find(params.terminalId).exit)
    .onRequest(own.terminal.output, ({ params }) => ({ output: find(params.terminalId).output, truncated: false }))
    .onRequest(own.terminal.kill, ({ params }) => {
      e.killed++;
      process.kill(-find(params.terminalId).child.pid, "SIGKILL");
      return {};
    })
    .onRequest(own.terminal.release, () => {
      e.released++;
      return {};
    });
  e.connection = app.connect(acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)));
  e.call = (method, params) => e.connection.agent.request(method, params);
  e.cancel = () => e.connection.agent.notify(agent.session.cancel, { sessionId: e.id });
  e.say = (...prompt) => e.call(agent.session.prompt, { sessionId: e.id, prompt: prompt.map((p) => (typeof p === "string" ? { type: "text", text: p } : p)) });
  e.until = (ok) => new Promise((done) => (ok() ? done() : e.waiters.push(() => ok() && (done(), true))));
  e.text = () => e.updates.filter((u) => u.sessionUpdate === "agent_message_chunk").map((u) => u.content.text).join("");
  e.has = (text) => JSON.stringify(e.updates).includes(text);
  e.start = async () => {
    e.hello = await e.call(agent.initialize, { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: can, clientInfo: { name: "editor", version: "1" } });
    return e;
  };
  e.begin = async () => {
    e.session = await e.call(agent.session.new, { cwd: dir, mcpServers: [] });
    e.id = e.session.sessionId;
    return e;
  };
  e.over = () => new Promise((ok) => (child.on("exit", ok), child.stdin.end()));
  return e;
}

const problem = async (promise, type) => {
  const err = await promise.then(() => assert.fail("no error"), (e) => e);
  assert.equal(err.data?.type, type, String(err));
};
const image = { type: "image", data: pixel, mimeType: "image/png" };
const end = "end_turn";

const scenarios = {
  "initialize and new": async (e) => {
    assert.equal(e.hello.protocolVersion, 1);
    assert.equal(e.hello.agentCapabilities.loadSession, true);
    assert.equal(e.session.modes.currentModeId, "write");
  },
  "thoughts, text and usage": async (e) => {
    const res = await e.say("think");
    assert.equal(res.stopReason, end);
    assert.equal(e.text(), "I have thought.");
    assert.ok(e.has("agent_thought_chunk"));
    const usage = e.updates.filter((u) => u.sessionUpdate === "usage_update").at(-1);
    assert.ok(usage.used > 0 && usage.size > usage.used && usage.cost.amount > 0, JSON.stringify(usage));
  },
  "two prompts at once": async (e) => {
    const first = e.say("slow");
    await e.until(() => e.has("waiting for the end"));
    await problem(e.say("hello"), "busy");
    e.cancel();
    assert.equal((await first).stopReason, "cancelled");
  },
  "permission asked and allowed": async (e) => {
    assert.equal((await e.say("book")).stopReason, end);
    assert.equal(e.asked.length, 1);
    assert.ok(e.text().includes("booked Oslo"));
  },
  "permission denied": async (e) => {
    e.choose = () => "deny";
    assert.equal((await e.say("book")).stopReason, end);
    assert.ok(e.text().includes("The user has refused") && !e.text().includes("booked Oslo"), e.text());
    assert.ok(e.updates.some((u) => u.sessionUpdate === "tool_call_update" && u.status === "failed"));
  },
  "permission for good": async (e) => {
    e.choose = () => "allow_always";
    await e.say("twice");
    assert.equal(e.asked.length, 1);
    assert.equal(e.updates.filter((u) => u.status === "completed").length, 2);
  },
  "permission of a sub-agent": async (e) => {
    await e.say("helper");
    assert.equal(e.asked[0].toolCall.title, "helper: book");
  },
  "cancel in a tool": async (e) => {
    const res = e.say("slow");
    await e.until(() => e.has("waiting for the end"));
    e.cancel();
    assert.equal((await res).stopReason, "cancelled");
    assert.equal((await e.say("hello")).stopReason, end);
  },
  "cancel while the user is asked": async (e) => {
    let asked;
    const was = new Promise((ok) => (asked = ok));
    e.choose = () => (asked(), new Promise(() => {}));
    const res = e.say("book");
    await was;
    e.cancel();
    assert.equal((await res).stopReason, "cancelled");
  },
  "an unsaved buffer": async (e) => {
    writeFileSync(join(dir, "a.txt"), "on the disk");
    e.buffers[join(dir, "a.txt")] = "a draft, not saved";
    await e.say("read a.txt");
    assert.ok(e.text().includes("a draft, not saved") && !e.text().includes("on the disk"));
    await e.say("edit a.txt");
    assert.equal(e.buffers[join(dir, "a.txt")], "a done, not saved");
    assert.deepEqual(e.asked[0].toolCall.content[0], { type: "diff", path: join(dir, "a.txt"), oldText: "draft", newText: "done" });
  },
  "a file outside": async (e) => {
    symlinkSync("/etc/passwd", join(dir, "link"));
    for (const path of ["/etc/passwd", "../x", "link", ".env"]) {
      e.updates.length = 0;
      e.buffers[path] = e.buffers[join(dir, path)] = "SECRET";
      await e.say("read " + path);
      assert.ok(!e.text().includes("SECRET") && e.has('"status":"failed"'), path);
    }
  },
  "a terminal": async (e) => {
    await e.say("command echo from the terminal; exit 3");
    assert.ok(e.text().includes("from the terminal") && e.text().includes("(exit status 3)"), e.text());
    assert.ok(e.has('"terminalId":"term-1"') && e.released === 1 && e.asked.length === 1);
  },
  "cancel in a terminal": async (e) => {
    const res = e.say("command sleep 60");
    await e.until(() => e.has("term-1"));
    e.cancel();
    assert.equal((await res).stopReason, "cancelled");
    assert.equal((await e.terminals["term-1"].exit).signal, "SIGKILL");
    assert.equal(e.killed, 1);
  },
  "pictures": async (e) => {
    await e.say("picture", image);
    assert.ok(e.text().includes("I see a picture here"));
    await e.say("draw");
    assert.ok(e.has(pixel));
  },
  "embedded files and links": async (e) => {
    const res = await e.say("hello", { type: "resource", resource: { uri: "file:///a.go", text: "package a", mimeType: "text/x-go" } }, { type: "resource_link", name: "b.go", uri: "file:///b.go" });
    assert.equal(res.stopReason, end);
    assert.ok(e.text().includes("file:///b.go"), e.text());
  },
  "a plan": async (e) => {
    await e.say("plan");
    const plan = e.updates.find((u) => u.sessionUpdate === "plan");
    assert.deepEqual(plan.entries.map((p) => [p.content, p.status]), [["Read", "completed"], ["Write", "in_progress"]]);
  },
  "questions": async (e) => {
    e.choose = () => "1";
    await e.say("which");
    assert.ok(e.text().includes("blue"));
    await e.say("name");
    assert.ok(e.text().includes("What is your name?"));
    await e.say("Ann");
    assert.ok(e.text().includes("Done with name"));
  },
  "modes": async (e) => {
    await e.call(agent.session.setMode, { sessionId: e.id, modeId: "read" });
    await problem(e.call(agent.session.setMode, { sessionId: e.id, modeId: "none" }), "bad_mode");
    await e.say("tools");
    assert.ok(e.text().includes("read_file") && !e.text().includes("edit_file"), e.text());
  },
  "stop reasons": async (e) => {
    assert.equal((await e.say("cut")).stopReason, "max_tokens");
    assert.equal((await e.say("refuse")).stopReason, "refusal");
    await problem(e.say("fail"), "failed");
  },
  "unknown session": async (e) => {
    await problem(e.call(agent.session.load, { sessionId: "none", cwd: dir, mcpServers: [] }), "no_session");
    await problem(e.call(agent.session.prompt, { sessionId: "none", prompt: [{ type: "text", text: "hello" }] }), "no_session");
  },
  "bad input": async (e) => {
    await problem(e.say(), "bad_message");
    await problem(e.say({ type: "image", data: "%%%", mimeType: "image/png" }), "bad_message");
    await problem(e.call(agent.session.new, { cwd: "relative", mcpServers: [] }), "bad_message");
    assert.equal((await e.say("hello")).stopReason, end);
  },
  "an editor that can nothing": async () => {
    const e = await (await connect({}).start()).begin();
    await e.say("tools");
    assert.ok(!e.text().includes("read_file") && !e.text().includes("run_command"));
    await e.over();
  },
  "load after a kill": async (e) => {
    await e.say("plan");
    await e.say("picture", image);
    e.choose = () => "";
    assert.equal((await e.say("book")).stopReason, "cancelled");
    const gone = new Promise((ok) => e.child.on("exit", ok));
    e.child.kill("SIGKILL");
    await gone;
    const again = await connect().start();
    const { sessions } = await again.call(agent.session.list, { cwd: dir });
    assert.ok(sessions.some((s) => s.sessionId === e.id && s.title === "plan"), JSON.stringify(sessions));
    again.id = e.id;
    await again.call(agent.session.load, { sessionId: e.id, cwd: dir, mcpServers: [] });
    for (const part of ["user_message_chunk", pixel, "Done with todo", '"content":"Write"', "available_commands_update"]) assert.ok(again.has(part), part);
    assert.equal((await again.say("/continue")).stopReason, end);
    assert.ok(again.text().includes("booked Oslo"));
    await again.over();
  },
  "load after a kill in a tool": async (e) => {
    e.say("slow").catch(() => {});
    await e.until(() => e.has("waiting for the end"));
    const gone = new Promise((ok) => e.child.on("exit", ok));
    e.child.kill("SIGKILL");
    await gone;
    const again = await connect().start();
    again.id = e.id;
    await again.call(agent.session.load, { sessionId: e.id, cwd: dir, mcpServers: [] });
    assert.ok(again.has('"title":"slow"'));
    // It waits until the lease of the process that was killed has run out.
    assert.equal((await again.say("hello")).stopReason, end);
    assert.ok(again.text().includes("You said: hello"));
    await again.over();
  },
};

const passed = [];
for (const [name, f] of Object.entries(scenarios)) {
  const e = await (await connect().start()).begin();
  try {
    await f(e);
  } catch (err) {
    console.error(name + ": " + (err.stack ?? err) + "\n" + JSON.stringify(err.data ?? null) + "\n" + JSON.stringify(e.updates).slice(0, 2000));
    process.exit(1);
  }
  if (e.child.exitCode === null && e.child.signalCode === null) await e.over();
  passed.push(name);
}
console.log(JSON.stringify(passed));
process.exit(0);
