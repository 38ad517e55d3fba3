// The chat: it shows the events of a session as they come, and sends what the user does.
import { draw } from './markdown.js';

const $ = (id) => document.getElementById(id);
let session = null; // the id of the one that is shown
let source = null; // its events
let views = new Map(); // session -> where it is shown: the conversation's, and those of its sub-agents
let editing = 0; // the number of the message that the box holds, to be said anew
let last = null; // the newest message of the user: { n, text }

async function request(method, path, body) {
  const r = await fetch('agent' + path, { method, headers: body ? { 'Content-Type': 'application/json' } : {}, body: body && JSON.stringify(body) });
  const text = await r.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { /* a proxy's page, say */ }
  if (!r.ok) throw new Error(value ? [value.title, value.detail].filter(Boolean).join(' ') : 'The server answers ' + r.status + '.');
  return value;
}

const at = (id) => encodeURIComponent(id || session);

function say(text, bad) {
  $('status').textContent = text;
  $('status').className = bad ? 'bad' : '';
}

const guard = (f) => async (...args) => {
  try { return await f(...args); } catch (e) { say(e.message, true); }
};

/** make makes an element; strings become text, never markup. */
function make(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (k === 'class') e.className = v;
    else if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k.includes('-') || k === 'role') e.setAttribute(k, v);
    else e[k] = v;
  }
  e.append(...children.flat(Infinity).filter((c) => c !== '' && c !== null && c !== undefined));
  return e;
}

/** view is where a session's events are shown: a sub-agent's in the fold of the call that it works for. */
function view(id) {
  let v = views.get(id);
  if (v) return v;
  v = { id, n: 0, live: null, calls: new Map() }; // live: blocks that are being written
  if (id !== session) {
    const above = [...views.keys()].filter((k) => id.startsWith(k + '/')).sort((a, b) => b.length - a.length)[0];
    if (!above) return null;
    v.above = views.get(above);
    v.call = id.slice(above.length + 1).split('/')[0].replace(/^\d+-/, '');
    v.box = make('div', { class: 'sub' });
    v.above.calls.get(v.call)?.output.before(v.box);
  }
  views.set(id, v);
  return v;
}

function put(e, v) {
  if (v?.box) { v.box.append(e); return e; }
  $('log').querySelector('.hello')?.remove();
  const asks = $('log').querySelector('.ask'); // which stay at the end
  if (asks && !e.classList.contains('ask')) asks.before(e); else $('log').append(e);
  return e;
}

/** button is one that does nothing while it does something: two clicks are one. */
const button = (text, className, f) => make('button', { class: className, type: 'button', onclick: guard(async (ev) => {
  const b = ev.currentTarget;
  if (b.disabled) return;
  b.disabled = true;
  try { await f(); } finally { b.disabled = false; }
}) }, text);

async function copy(text, b) {
  if (!navigator.clipboard) throw new Error('The browser copies only on pages with https.');
  await navigator.clipboard.writeText(text);
  const was = b.textContent;
  b.textContent = 'Copied';
  setTimeout(() => { b.textContent = was; }, 1500);
}

// ---- what is shown

const markdown = (box, text, partial) => draw(box, text, { make, top: 1, partial, copy: guard(copy) });

function pretty(json) {
  try { return JSON.stringify(typeof json === 'string' ? JSON.parse(json) : json, null, 2); } catch { return String(json); }
}

/** call is a folded tool call; its line says what it was called with, and how it went. */
function call(name, id, v) {
  const c = { line: make('span', { class: 'args' }), state: make('span', { class: 'state' }, '…'), input: make('pre', { tabIndex: 0 }), output: make('pre', { tabIndex: 0, hidden: true }) };
  c.element = make('details', { class: 'call' }, make('summary', {}, make('strong', {}, name), c.state, ' ', c.line), c.input, c.output);
  c.give = (json) => {
    c.input.textContent = pretty(json);
    c.line.textContent = Object.values(json || {}).map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join(', ');
  };
  if (id) v.calls.set(id, c);
  for (const sub of views.values()) if (id && sub.above === v && sub.call === id) c.output.before(sub.box); // it was faster
  return c;
}

function folded(title, text) {
  const pre = make('pre', { tabIndex: 0 }, text);
  return { element: make('details', {}, make('summary', {}, title), pre), pre };
}

function show(c, v) { // a block of a response
  if (c.type === 'text' && c.text) {
    const box = put(make('div', { class: 'message' }), v);
    markdown(box, c.text);
    box.raw = c.text;
  } else if (c.type === 'thinking') {
    if (c.text) put(folded('Thinking', c.text).element, v);
  } else if (c.name) {
    const one = call(c.name, c.id, v);
    one.give(c.input);
    put(one.element, v);
  } else if (c.raw) {
    put(folded(c.type.replaceAll('_', ' '), JSON.stringify(c.raw, null, 1)).element, v);
  }
}

/** acts are what can be done with the newest answer. */
function acts() {
  $('log').querySelector('.acts')?.remove();
  const texts = [...$('log').querySelectorAll('.message:not(.mine)')].filter((m) => !m.closest('.sub')).map((m) => m.raw).filter(Boolean);
  if (!texts.length || !last || runs || $('log').querySelector('.ask')) return;
  const b = button('Copy', 'link', () => copy(texts.at(-1), b));
  put(make('p', { class: 'acts' }, b, button('Try again', 'link', () => { edit(last.n, last.text); return send(last.text); })));
}

const kinds = {
  message(e, v) {
    const text = e.content.filter((c) => c.text).map((c) => c.text).join('\n');
    if (v.box) { put(make('p', { class: 'task' }, text), v); return; }
    last = { n: e.n, text };
    [...$('log').querySelectorAll('.pending')].find((p) => p.textContent === text)?.remove();
    $('log').querySelector('.acts')?.remove();
    put(make('div', { class: 'message mine' }, make('div', { class: 'words' }, text), button('Edit', 'link', () => { edit(e.n, text); $('text').focus(); })));
  },
  begin(e, v) {
    kinds.over(e, v);
    v.live = [];
    if (!v.box) { working(true); return; }
    const c = v.above.calls.get(v.call);
    if (c?.output.hidden) c.state.textContent = 'works …';
  },
  block(e, v) {
    if (!v.live) return;
    const b = { type: e.type, text: '' };
    if (e.type === 'text') b.element = make('div', { class: 'message' });
    else if (e.type === 'thinking') { const f = folded('Thinking …', ''); Object.assign(b, { element: f.element, pre: f.pre }); } else { const c = call(e.name || e.type, '', v); Object.assign(b, { element: c.element, pre: c.input }); }
    v.live[e.block] = b;
    put(b.element, v);
  },
  delta(e, v) {
    const b = v.live?.[e.block];
    if (!b) return;
    b.text += e.text;
    if (!b.waits) requestAnimationFrame(() => { // once a frame, however many pieces come
      b.waits = false;
      if (b.type === 'text') markdown(b.element, b.text, true); else b.pre.textContent = b.text;
      follow();
    });
    b.waits = true;
  },
  over(e, v) {
    for (const b of v.live || []) if (b) b.element.remove();
    v.live = null;
  },
  response(e, v) { kinds.over(e, v); e.content.forEach((c) => show(c, v)); money(); },
  result(e, v) {
    const c = v.calls.get(e.call_id);
    if (!c) return;
    c.state.textContent = e.is_error ? '✕' : '✓';
    c.element.classList.toggle('bad', Boolean(e.is_error));
    c.output.hidden = false;
    c.output.textContent = (e.content || []).map((b) => b.text || b.type).join('\n');
  },
  decision(e, v) {
    const c = v.calls.get(e.call_id);
    if (c) c.state.textContent = e.decision === 'allow' ? 'allowed …' : 'denied';
  },
  summary(e, v) { put(folded('What was said before, in short', e.text).element, v); },
  progress(e, v) {
    const c = v.calls.get(e.call_id);
    if (c?.output.hidden) c.state.textContent = e.text || '…'; // what is answered stays so
  },
  state(e, v) {
    clear(e.session);
    for (const c of e.calls || []) approval(c, e.session);
    for (const q of e.questions || []) if (q.question.kind !== 'session') question(q, e.session);
    if (v?.box || e.session !== session) return;
    working(e.state === 'working');
    if (e.state === 'idle') acts();
  },
  end(e, v) {
    if (v.box) return;
    working(false);
    const stopped = e.problem?.type === 'stopped';
    say(e.problem ? [e.problem.title, e.problem.detail].filter(Boolean).join(' ') : '', e.problem && !stopped);
    acts();
    money();
  },
  error(e, v) { if (!v.box) say(e.problem.title, true); },
};

/** tell shows an event; one of a sub-agent that is shown already is left out. */
function tell(e) {
  const v = view(e.session);
  if (!v && e.kind !== 'state') return;
  if (v?.box && e.n) {
    if (e.n <= v.n) return;
    v.n = e.n;
  }
  kinds[e.kind]?.(e, v);
}

/** children has the sub-agents of before, which the events of a session that is opened tell
 * nothing of, read when their calls are opened. */
async function children(id) {
  const { sessions } = await request('GET', '/sessions?limit=500&parent=' + at(id)), of = session;
  for (const { id: child } of sessions) {
    const v = view(child), c = v?.above?.calls.get(v.call);
    if (!c || v.n || v.asked) continue;
    v.asked = true;
    c.element.addEventListener('toggle', () => {
      if (v.n) return;
      const s = new EventSource('agent/events/' + at(child));
      s.onmessage = (m) => {
        const e = JSON.parse(m.data);
        if (session !== of) { s.close(); return; }
        if (e.kind !== 'state') { tell(e); return; }
        s.close();
        guard(children)(child);
      };
      s.onerror = () => s.close();
    }, { once: true });
  }
}

// ---- what waits

/** clear removes what a session, the shown one or a sub-agent's, has asked. */
function clear(id) {
  document.querySelectorAll('.ask').forEach((a) => { if (a.dataset.session === id) a.remove(); });
}

function ask(id, ...children) {
  const box = make('section', { class: 'ask', 'aria-label': 'The assistant asks' }, children);
  box.dataset.session = id;
  put(box);
}

/** below shows what sub-agents wait for that no run in this process tells of. */
async function below(id) {
  const s = await request('GET', '/sessions/' + at(id));
  for (const w of s.waits || []) {
    if (w.session === id || session !== id) continue;
    clear(w.session);
    if (w.call) approval(w.call, w.session);
    else question(w.question, w.session);
  }
}

function approval(c, id) {
  const reason = make('input', { placeholder: 'Reason, if you deny it', 'aria-label': 'Reason, if you deny it' });
  const decide = (decision) => request('POST', '/decisions/' + at(id), { call: c, decision, reason: decision === 'deny' ? reason.value : '' });
  let given = {};
  try { given = JSON.parse(c.input); } catch { /* it is shown as it is */ }
  const lines = Object.entries(given).map(([k, v]) => [make('dt', {}, k), make('dd', {}, typeof v === 'string' ? v : JSON.stringify(v))]);
  ask(id, make('p', {}, 'May ', make('strong', {}, c.name), ' be called?', c.reason ? ' ' + c.reason : ''),
    lines.length ? make('dl', {}, lines) : make('pre', { tabIndex: 0 }, c.input),
    make('div', { class: 'row' }, button('Allow', '', () => decide('allow')), button('Deny', 'plain', () => decide('deny')), reason));
}

function question(q, id) {
  const answer = (value) => request('POST', '/answers/' + at(id), { question: q, value });
  const choices = q.question.choices || [], words = make('input', { 'aria-label': q.question.prompt, required: true });
  ask(id, make('p', {}, q.question.prompt),
    choices.length
      ? make('div', { class: 'row' }, choices.map((c) => button(c.label || String(c.value), 'plain', () => answer(c.value))))
      : make('form', { class: 'row', onsubmit: guard((ev) => { ev.preventDefault(); return answer(words.value); }) }, words, make('button', {}, 'Answer')));
}

// ---- the page

let runs = false;
function working(on) {
  runs = on;
  $('stop').hidden = !on;
  $('send').textContent = on ? 'Add' : 'Send';
  $('log').classList.toggle('working', on);
  if (on) $('log').querySelector('.acts')?.remove();
}

/** usd has so many decimals, and more where they would show a small amount as nothing. */
const usd = (v, decimals) => '$' + v.toFixed(v > 0 && v < 10 ** -decimals ? Math.min(9, 1 - Math.floor(Math.log10(v))) : decimals);

let counting = false; // one request at a time, and one more if something has come since
async function money() {
  if (counting) { counting = 'again'; return; }
  counting = true;
  try {
    const [bill, left] = await Promise.all([session ? request('GET', '/bill/' + at()) : null, request('GET', '/budget')]);
    $('cost').textContent = [bill && `${usd(bill.cost_usd, 4)} here`, left.left_usd == null ? '' : `${usd(Math.max(0, left.left_usd), 2)} left this month`].filter(Boolean).join(' · ');
    $('cost').title = bill ? `${bill.tokens} tokens in ${bill.requests} requests` : '';
  } catch { /* it is asked again behind the next response */ }
  const again = counting === 'again';
  counting = false;
  if (again) money();
}

const end = () => { const l = $('log'); return l.scrollHeight - l.scrollTop - l.clientHeight < 80; };
let following = true;
function follow() {
  if (following) $('log').scrollTop = $('log').scrollHeight;
  $('down').hidden = following;
}
$('log').addEventListener('scroll', () => { following = end(); $('down').hidden = following; }, { passive: true });
$('down').onclick = () => { following = true; follow(); };

function hello() {
  $('log').append(make('div', { class: 'hello' }, make('h2', {}, 'Where would you like to eat?'),
    make('div', { class: 'row' }, ['Book a table for two', 'What can you do?'].map((t) => button(t, 'plain', () => send(t))))));
}

function open(id) {
  source?.close();
  source = null;
  session = id;
  last = null;
  views = new Map();
  if (id) view(id);
  following = true;
  edit(0, '');
  $('log').replaceChildren();
  say('');
  working(false);
  history.replaceState(null, '', id ? '#' + at(id) : location.pathname);
  money();
  if (!id) { hello(); return; }
  listen(id, '');
}

/** listen shows what happens in a session, behind what was shown. The browser goes on by
 * itself where it was cut off, but not if the answer is an error, such as a proxy's whose
 * server starts again. */
function listen(id, after) {
  const from = new EventSource('agent/events/' + at(id) + (after ? '?after=' + encodeURIComponent(after) : ''));
  let last = after;
  source = from;
  source.onmessage = (m) => {
    last = m.lastEventId || last;
    const e = JSON.parse(m.data);
    tell(e);
    if (e.kind === 'state' && e.session === id && !views.get(id).asked) {
      views.get(id).asked = true;
      guard(children)(id);
    }
    follow();
  };
  source.onerror = () => {
    const refused = from.readyState === 2;
    say(refused ? 'The conversation can’t be read. It is tried again …' : 'Connecting again …', refused);
    if (refused) setTimeout(() => { if (source === from) listen(id, last); }, 5000);
  };
  source.onopen = () => { say(''); guard(below)(id); };
}

async function list() {
  const { sessions } = await request('GET', '/sessions');
  $('sessions').replaceChildren(...sessions.map((s) => {
    const name = s.meta?.title || s.id;
    const b = button(name, 'name', () => { open(s.id); return list(); });
    b.setAttribute('aria-current', s.id === session);
    const away = button('×', 'away', async () => {
      if (!confirm(`Delete “${name}”?`)) return;
      await request('DELETE', '/sessions/' + at(s.id));
      if (s.id === session) open(null);
      await list();
    });
    away.setAttribute('aria-label', 'Delete ' + name);
    return make('li', {}, b, away);
  }));
}

/** edit puts a message into the box that is to be said anew; 0 ends that. */
function edit(n, text) {
  editing = n;
  $('editing').hidden = !n;
  $('text').value = text;
  grow();
}

/** send says something. A message that was edited goes to a fork in front of the old one. */
async function send(text) {
  if (editing) {
    if (runs) await request('POST', '/stop/' + at());
    open((await request('POST', '/forks/' + at(), { records: editing - 1 })).id);
  } else if (!session) {
    open((await request('POST', '/sessions', { meta: { title: text.slice(0, 60) } })).id);
  }
  following = true;
  // It is seen at once, and stands until the conversation has it: a run takes it between two steps.
  const sent = put(make('div', { class: 'message mine pending' }, make('div', { class: 'words' }, text))), was = runs;
  working(true);
  follow();
  try { await request('POST', '/messages/' + at(), { text }); } catch (e) { sent.remove(); working(was); throw e; }
  await list();
}

function grow() {
  const t = $('text');
  t.style.height = 'auto';
  t.style.height = Math.min(t.scrollHeight + 2, innerHeight / 3) + 'px';
}

$('say').onsubmit = async (ev) => {
  ev.preventDefault();
  const text = $('text').value.trim(), was = editing;
  if (!text) return;
  $('text').value = '';
  grow();
  try {
    await send(text);
  } catch (e) { // what was written is not lost
    if (!$('text').value) { edit(was, text); }
    say(e.message, true);
  }
};
$('text').oninput = grow;
$('text').onkeydown = (ev) => {
  if (ev.key === 'Enter' && !ev.shiftKey && !ev.isComposing) { ev.preventDefault(); $('say').requestSubmit(); }
  if (ev.key === 'Escape' && editing) edit(0, '');
};
$('cancel').onclick = () => edit(0, '');
$('stop').onclick = guard(() => request('POST', '/stop/' + at()));
$('new').onclick = guard(() => { open(null); $('text').focus(); return list(); });
open(location.hash.length > 1 ? decodeURIComponent(location.hash.slice(1)) : null);
guard(list)();
