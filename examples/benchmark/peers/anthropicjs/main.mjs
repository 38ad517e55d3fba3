// Drives the benchmark's task through the tool runner of the official SDK for
// JavaScript, with its default settings but for message threads, which the
// benchmark turns on and off. It takes the flags of package harness and prints
// the same line of JSON; what the runtime doesn't count is 0.
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import Anthropic from '@anthropic-ai/sdk';

const text = { type: 'string' };
const { values: flags } = parseArgs({
  args: process.argv.slice(2).map((a) => a.replace(/^-(?!-)/, '--')),
  options: { base: text, turns: text, parallel: text, result: text, system: text, runs: text, for: text, c: text, stream: text, cache: text, threads: text },
});
const number = (name) => Number(flags[name]);
const turns = number('turns'), parallel = number('parallel'), runs = number('runs'), atOnce = number('c');
const until = milliseconds(flags.for);
const repeated = (s, n) => s.repeat(Math.floor(n / s.length) + 1).slice(0, n);
const system = repeated('You are a careful research agent; look things up before you answer, and say where they stand. ', number('system'));
const result = repeated('lorem ipsum dolor sit amet ', number('result'));
const warmTurns = Math.min(turns, 10); // the server's first conversation

let calls = 0;
const last = new Map(); // when a conversation's newest step came
let steps = [];
const tool = {
  name: 'lookup', description: 'Looks something up.',
  input_schema: {
    type: 'object',
    properties: { query: { type: 'string', description: 'What to look for' }, limit: { type: 'integer', description: 'How many results at most' } },
    required: ['query', 'limit'],
  },
  parse: (input) => input,
  run: ({ query }) => {
    calls++;
    const [, conversation, call] = /^conversation (\d+) step \d+ call (\d+)$/.exec(query);
    if (Number(call) === 0) {
      const now = performance.now();
      if (last.has(conversation)) steps.push(now - last.get(conversation));
      last.set(conversation, now);
    }
    return result;
  },
};

const client = new Anthropic({ baseURL: flags.base, apiKey: 'none' });

async function converse() {
  const params = {
    model: 'claude-sonnet-4-5-20250929', max_tokens: 4096,
    system: [{ type: 'text', text: system }],
    messages: [{ role: 'user', content: 'Look up what is needed, step by step.' }],
    tools: [tool], stream: flags.stream !== 'false',
  };
  if (flags.threads !== 'on') params.thread = false; // the whole conversation each time
  if (flags.cache === 'true') params.cache_control = { type: 'ephemeral' };
  for await (const answer of client.beta.messages.toolRunner(params)) {
    if (params.stream) for await (const event of answer) void event;
  }
}

function milliseconds(duration) { // as Go writes it
  const units = { ns: 1e-6, 'µs': 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };
  let sum = 0;
  for (const [, n, unit] of (duration ?? '').matchAll(/([\d.]+)(ns|µs|ms|s|m|h)/g)) sum += Number(n) * units[unit];
  return sum;
}

function check(want) {
  if (calls !== want) throw new Error(`the tool was called ${calls} times, not ${want}`);
}

function peakRSS() {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
  } catch {
    return 0;
  }
}

await converse();
check(warmTurns * parallel);
calls = 0;
last.clear();
steps = [];

const spent = () => { const u = process.resourceUsage(); return u.userCPUTime + u.systemCPUTime; };
const cpu = spent(), began = performance.now();
let begun = 0;
await Promise.all(Array.from({ length: atOnce }, async () => {
  while (begun < runs || performance.now() - began < until) {
    begun++;
    await converse();
  }
}));
const wall = (performance.now() - began) * 1000, used = spent() - cpu;
check(begun * turns * parallel);

const answers = begun * (turns + 1);
steps.sort((a, b) => a - b);
const at = (share) => (steps.length ? steps[Math.floor(steps.length * share)] * 1000 : 0);
const rounded = (v) => Math.round(v * 100) / 100;
console.log(JSON.stringify({
  name: 'anthropic-sdk-js', runs: begun, turns,
  cpu_us_per_turn: rounded(used / answers), wall_us_per_turn: rounded(wall / answers),
  alloc_kb_per_turn: 0, mallocs_per_turn: 0, peak_rss_mb: rounded(peakRSS()),
  step_median_us: rounded(at(0.5)), step_p99_us: rounded(at(0.99)),
}));
