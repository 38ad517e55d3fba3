'use strict';
const $ = (id) => document.getElementById(id);
let session = null; // the id of the one that is shown
let source = null; // its events
let live = null; // blocks that are being written: elements and texts
let calls = {}; // elements of calls, by id

async function request(method, path, body) {
  const r = await fetch('agent' + path, { method, headers: body ? { 'Content-Type': 'application/json' } : {}, body: body && JSON.stringify(body) });
  const text = await r.text();
  const value = text ? JSON.parse(text) : null;
  if (!r.ok) throw new Error((value && [value.title, value.detail].filter(Boolean).join(' ')) || r.statusText);
  return value;
}

function say(text, bad) {
  $('status').textContent = text;
  $('status').className = bad ? 'bad' : '';
}

const guard = (f) => async (...args) => {
  try { await f(...args); } catch (e) { say(e.message, true); }
};

function add(name, className, parent = $('log')) {
  const e = document.createElement(name);
  e.className = className;
  parent.append(e);
  return e;
}

function button(text, className, f, parent) {
  const b = add('button', className, parent);
  b.type = 'button';
  b.textContent = text;
  b.onclick = guard(f);
  return b;
}

function folded(title, text) {
  const d = add('details', '');
  add('summary', '', d).textContent = title;
  const pre = add('pre', '', d);
  pre.tabIndex = 0;
  pre.textContent = text;
  return pre;
}

function show(c) { // a block of a response
  if (c.type === 'text') add('div', 'message').append(render(c.text));
  else if (c.type === 'thinking') { if (c.text) folded('Thinking', c.text); }
  else if (c.name) calls[c.id] = folded(c.name, JSON.stringify(c.input, null, 1));
  else if (c.raw) folded(c.type, JSON.stringify(c.raw, null, 1));
}

const kinds = {
  message(e) {
    const box = add('div', 'message mine');
    const text = e.content.filter((c) => c.text).map((c) => c.text).join('\n');
    add('div', '', box).textContent = text;
    button('edit', '', () => edit(e.n, text), box);
  },
  begin() { kinds.over(); live = []; working(true); },
  block(e) {
    if (!live) return;
    const wanted = e.type === 'text' || e.type === 'thinking';
    live[e.block] = { type: e.type, text: '', at: e.type === 'text' ? add('div', 'message') : wanted ? folded('Thinking', '') : folded(e.name || e.type, '') };
  },
  delta(e) {
    const b = live && live[e.block];
    if (!b) return;
    b.text += e.text;
    if (b.type === 'text') b.at.replaceChildren(render(b.text));
    else b.at.textContent = b.text;
  },
  over() {
    for (const b of live || []) if (b) (b.at.closest('details') || b.at).remove();
    live = null;
  },
  response(e) { kinds.over(); e.content.forEach(show); money(); },
  result(e) {
    const text = (e.content || []).map((c) => c.text || c.type).join('\n');
    const at = calls[e.call_id];
    if (at) at.textContent += '\n\n→ ' + text;
    if (at && e.is_error) at.className = 'bad';
  },
  summary(e) { folded('What was said before, in short', e.text); },
  progress(e) { if (e.text) say(e.text); },
  state(e) {
    clear(e.session);
    if (e.session === session) working(e.state === 'working');
    for (const c of e.calls || []) approval(c, e.session);
    for (const q of e.questions || []) if (q.question.kind !== 'session') question(q, e.session);
  },
  end(e) {
    working(false);
    say(e.problem ? [e.problem.title, e.problem.detail].filter(Boolean).join(' ') : '', !!e.problem && e.problem.type !== 'stopped');
    money();
  },
  error(e) { say(e.problem.title, true); },
};

// clear removes what a session, the shown one or a sub-agent's, has asked.
function clear(id) {
  document.querySelectorAll('.ask').forEach((a) => { if (a.dataset.session === id) a.remove(); });
}

function asking(id) {
  const box = add('div', 'ask');
  box.dataset.session = id;
  return box;
}

// below shows what sub-agents wait for that no run in this process tells of.
async function below(id) {
  const s = await request('GET', '/sessions/' + encodeURIComponent(id));
  for (const w of s.waits || []) {
    if (w.session === id || session !== id) continue;
    clear(w.session);
    if (w.call) approval(w.call, w.session);
    else question(w.question, w.session);
  }
}

function approval(c, id) {
  const box = asking(id);
  add('p', '', box).textContent = 'May ' + c.name + ' be called?' + (c.reason ? ' ' + c.reason : '');
  const pre = add('pre', '', box);
  pre.tabIndex = 0;
  pre.textContent = c.input;
  const decide = (decision) => request('POST', '/decisions/' + encodeURIComponent(id), { call: c, decision });
  button('Allow', '', () => decide('allow'), box);
  button('Deny', 'plain', () => decide('deny'), box);
}

function question(q, id) {
  const box = asking(id);
  add('p', '', box).textContent = q.question.prompt;
  const answer = (value) => request('POST', '/answers/' + encodeURIComponent(id), { question: q, value });
  for (const c of q.question.choices || []) button(c.label || String(c.value), '', () => answer(c.value), box);
  if (!q.question.choices) {
    const f = add('form', '', box);
    const i = add('input', '', f);
    i.setAttribute('aria-label', q.question.prompt);
    const b = add('button', '', f);
    b.textContent = 'Answer';
    f.onsubmit = guard(async (ev) => { ev.preventDefault(); await answer(i.value); });
  }
}

function working(on) {
  $('stop').hidden = !on;
  $('send').textContent = on ? 'Add' : 'Send';
}

async function money() {
  if (!session) return;
  const [bill, left] = await Promise.all([request('GET', '/bill/' + encodeURIComponent(session)), request('GET', '/budget')]);
  $('status').title = bill.tokens + ' tokens in ' + bill.requests + ' requests';
  $('left').textContent = '$' + bill.cost_usd.toFixed(4) + ' here' + (left.left_usd == null ? '' : ', $' + left.left_usd.toFixed(2) + ' left this month');
}

function open(id) {
  if (source) source.close();
  session = id;
  live = null;
  calls = {};
  $('log').replaceChildren();
  say('');
  working(false);
  history.replaceState(null, '', id ? '#' + encodeURIComponent(id) : location.pathname);
  if (!id) return;
  source = new EventSource('agent/events/' + encodeURIComponent(id));
  source.onmessage = (m) => {
    const e = JSON.parse(m.data);
    if (e.session !== session && e.kind !== 'state') return; // sub-agents
    const log = $('log');
    const below = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    if (kinds[e.kind]) kinds[e.kind](e);
    if (below) log.scrollTop = log.scrollHeight;
  };
  source.onerror = () => say('Connecting again …');
  source.onopen = () => { say(''); guard(below)(id); };
}

async function list() {
  const { sessions } = await request('GET', '/sessions');
  $('sessions').replaceChildren(...sessions.map((s) => {
    const li = document.createElement('li');
    const b = button((s.meta && s.meta.title) || s.id, '', () => { open(s.id); return list(); }, li);
    b.setAttribute('aria-current', s.id === session);
    return li;
  }));
}

async function send(text) {
  if (!session) {
    const s = await request('POST', '/sessions', { meta: { title: text.slice(0, 60) } });
    open(s.id);
  }
  await request('POST', '/messages/' + encodeURIComponent(session), { text });
  await list();
}

// edit forks the conversation in front of a message, and puts that into the box.
async function edit(n, text) {
  const s = await request('POST', '/forks/' + encodeURIComponent(session), { records: n - 1 });
  open(s.id);
  $('text').value = text;
  $('text').focus();
  await list();
}

$('say').onsubmit = guard(async (ev) => {
  ev.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  await send(text);
});
$('text').onkeydown = (ev) => {
  if (ev.key === 'Enter' && !ev.shiftKey && !ev.isComposing) { ev.preventDefault(); $('say').requestSubmit(); }
};
$('stop').onclick = guard(() => request('POST', '/stop/' + encodeURIComponent(session)));
$('new').onclick = guard(() => { open(null); $('text').focus(); return list(); });
guard(async () => {
  await list();
  if (location.hash.length > 1) open(decodeURIComponent(location.hash.slice(1)));
})();
