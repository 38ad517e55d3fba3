// The page: sessions at the left, one of them at the right, as it grows.

import { $, el, tokens, size, duration, ago, count, usd, call, money, redraw, LazyList } from './dom.js';
import { Transcript, turnBars, asWritten } from './rows.js';
import { Strip, totals } from './strip.js';
import { showRequest } from './request.js';
import { LiveRow } from './live.js';
import { Stream } from './stream.js';
import { Asks, todoList } from './asks.js';
import { Overview, doingText, matches } from './overview.js';
import { plain, say } from './visible.js';
import * as timeline from './timeline.js';

const waits = ['approval', 'answer', 'below'];
const page = { sessions: [], readOnly: true, canResume: false, open: null, view: 'transcript', failing: '' };

// ---- sessions

async function loadSessions() {
  let data;
  try {
    data = await (await call('api/sessions')).json();
  } catch (err) {
    page.failing = err.message;
    drawStatus();
    return;
  }
  if (page.failing) {
    page.failing = '';
    drawStatus();
  }
  Object.assign(page, { sessions: data.sessions, readOnly: data.readOnly, canResume: data.canResume, full: data.full });
  drawWrite();
  drawSessions();
  if (!page.open) overview.draw(page.sessions, page.full); else loadTree();
}

/** callOf is the call whose sub-agent a session is of. */
const callOf = (s) => s.id.slice(s.id.lastIndexOf('/') + 1).replace(/^\d+-/, '');

/** loadTree asks what the open session and its sub-agents' sessions came to. */
async function loadTree() {
  const open = page.open;
  overview.sessions = page.sessions;
  for (const s of page.sessions.filter((o) => o.id === open.id || o.parent === open.id)) {
    const before = overview.briefs.get(s.id), brief = await overview.ask(s.id);
    if (page.open !== open) return;
    const c = s.parent === open.id && open.transcript.calls.get(callOf(s));
    if (c && (brief !== before || !open.children.has(s.id))) transcriptList.refresh(c.row);
    open.children.add(s.id);
    if (s.id === open.id && brief !== open.brief) { open.brief = brief; drawSummary(); }
  }
}

function drawSessions() {
  const want = $('filter').value;
  const list = page.sessions.filter((s) => matches(s, want));
  const focused = document.activeElement?.dataset?.session;
  $('session-list').replaceChildren(...list.map((s) => el('li', {},
    el('a', { href: '#' + encodeURIComponent(s.id), data: { session: s.id }, 'aria-current': page.open && page.open.id === s.id ? 'page' : false },
      el('span', { class: 'name' }, s.title || s.id),
      el('span', { class: 'about' }, `${s.title ? s.id + ' · ' : ''}${ago(s.changed)}${s.parent ? ' · sub-agent' : s.origin ? ' · forked' : ''}`)))));
  if (!list.length) $('session-list').append(el('li', { class: 'quiet' }, page.sessions.length ? 'None match.' : 'No sessions yet. They appear here once a run has begun.'));
  if (focused) $('session-list').querySelector(`[data-session="${CSS.escape(focused)}"]`)?.focus();
}

// ---- one session

const transcriptList = new LazyList($('transcript'), (item) => page.open.transcript.build(item));
const timelineList = new LazyList($('timeline'), (item) => timeline.build(item, (row) => { show('transcript'); goTo(row); }));
const overview = new Overview($('overview'));
const live = new LiveRow($('transcript'));
const strip = new Strip((row) => { goTo(row); });

function openSession(id, at) {
  closeSession();
  const transcript = new Transcript(id, {
    readOnly: () => page.readOnly,
    request: (row) => { select(row); showRequest(id, row); },
    refresh: (row) => { if (row) transcriptList.refresh(row); },
    decide: (form) => call(`api/sessions/${encodeURIComponent(id)}/decisions`, form),
    fork: (n, before) => askFork(id, n, before),
    child: (call) => {
      const s = page.sessions.find((o) => o.parent === id && callOf(o) === call);
      return s && { id: s.id, brief: overview.briefs.get(s.id) };
    },
  });
  const asks = new Asks({
    readOnly: () => page.readOnly,
    draw: () => { if (page.open?.id === id) drawState(true); },
    answer: async (form) => { await call(`api/sessions/${encodeURIComponent(id)}/answers`, form); await loadWaits(); },
    show: (w) => {
      const c = w.session === id && transcript.calls.get(w.call);
      if (c) goTo(c.row, 'approve-' + c.id); else if (w.session !== id) location.hash = '#' + encodeURIComponent(w.session);
    },
  });
  page.open = { id, transcript, asks, at, placed: false, state: null, children: new Set(), brief: overview.briefs.get(id), lost: '' };
  $('words').value = drafts.get(id) || '';
  drawWrite();
  say($('title'), id);
  document.title = plain(id) + ' · Sessions';
  $('overview').hidden = true;
  document.body.classList.remove('all');
  $('summary').hidden = false;
  $('tabs').hidden = false;
  show(page.view);
  drawSessions();
  if (page.sessions.some((s) => s.id === id)) loadTree(); else loadSessions(); // one that is new
  page.open.source = new Stream(`api/sessions/${encodeURIComponent(id)}/stream`, {
    records: (entries) => { found(); onRecords(entries); },
    state: (state) => { found(); onState(state); },
    live: onLive,
    // Another session has the id by now.
    replaced: () => openSession(id),
    lost: (why, refused) => {
      if (!refused && page.open.state?.doing === 'unreadable') return; // which says more
      page.open.lost = why;
      drawStatus();
    },
  });
}

/** found notes that the session's stream goes on. */
function found() {
  if (!page.open.lost) return;
  page.open.lost = '';
  drawStatus();
}

const drafts = new Map(); // session, or "" -> what was begun to be said

function closeSession() {
  drafts.set(page.open?.id || '', $('words').value);
  $('write-error').textContent = '';
  if (page.open) page.open.source.close();
  page.open = null;
  live.clear();
  transcriptList.clear();
  timelineList.clear();
  $('waiting').hidden = true;
  $('todo').hidden = true;
  $('follow').hidden = true;
}

function onRecords(entries) {
  const open = page.open, bottom = open.placed && atBottom();
  const { fresh, changed } = open.transcript.add(entries);
  const answer = live.row && fresh.find((r) => r.kind === 'step' && r.n >= live.n);
  const unfolded = answer && live.take();
  transcriptList.add(fresh);
  if (answer) {
    transcriptList.fill(answer.el); // at once: it stands where its words stood
    const details = [...answer.el.querySelectorAll('details.thinking')];
    unfolded.filter((_, i) => answer.entry.blocks[i]?.type === 'thinking').forEach((o, i) => { if (details[i]) details[i].open = o; });
  }
  for (const r of changed) transcriptList.refresh(r);
  drawSummary();
  if (page.view === 'timeline') drawTimeline();
  if (bottom) toBottom();
}

function onState(state) {
  const open = page.open;
  open.state = state;
  for (const r of open.transcript.asking(state.asking || [])) transcriptList.refresh(r);
  if (!state.asks) open.asks.take([]);
  drawState();
  if (state.asks) loadWaits();
  if (open.placed) return;
  open.placed = true;
  const row = open.at !== undefined && open.transcript.rows.find((r) => r.n === open.at);
  if (row) place(row);
  else if (['model', 'tools', ...waits].includes(state.doing)) toBottom();
  document.body.dataset.ready = open.id;
  performance.mark('ready');
}

/** onLive shows what of a response has come, and what running tools report. */
function onLive(view) {
  const open = page.open, bottom = open.placed && page.view === 'transcript' && atBottom();
  open.transcript.report(view.progress || {});
  if (!view.writing) live.clear();
  else if (!open.transcript.owner.has(view.n)) live.show(view, open.transcript.steps.length + 1);
  if (bottom) $('transcript').scrollTop = $('transcript').scrollHeight;
}

/** drawStatus says what the session does, or why nobody knows. */
function drawStatus() {
  const s = page.open?.state, trouble = page.open?.lost || page.failing;
  if (trouble) status('lost', trouble);
  else if (s) status(s.doing, doingText[s.doing] + (s.doing === 'failed' || s.doing === 'unreadable' ? ': ' + s.detail : '') + (s.read ? ' · has read: ' + s.read.map((r) => r.labels).join(', ') : ''));
  else status('', '');
}

/** drawState shows the state; what waits only if it is another than what is shown, since
 * somebody may write there. */
function drawState(always) {
  const s = page.open.state;
  drawStatus();
  const todo = $('todo');
  todo.hidden = !s.todo;
  if (s.todo) redraw(todo, todoList(s.todo, true));
  const box = $('waiting'), asks = page.open.asks;
  const below = page.sessions.find((o) => o.id === page.open.id)?.parent; // its caller's run drives it
  const resume = page.canResume && !below && (['model', 'tools'].includes(s.doing) || asks.list && waits.includes(s.doing));
  box.hidden = !asks.list?.length && !resume;
  const shown = JSON.stringify([asks.text, s.read, resume && s.records, page.readOnly]);
  if (!always && shown === page.open.shown) return;
  page.open.shown = shown;
  if (asks.list?.length) {
    redraw(box, [asks.build(),
      s.read && el('p', { class: 'read' }, 'The conversation has read: ', s.read.map((r) => `${r.labels} (${r.tool || 'record ' + r.record})`).join(', '))]);
  } else if (resume) {
    const id = page.open.id, error = el('p', { class: 'error', role: 'alert' });
    redraw(box, [el('span', {}, 'If nothing drives this session: '),
      el('button', { class: 'small', data: { key: 'resume' }, onclick: async (ev) => {
        const button = ev.currentTarget;
        button.disabled = true;
        error.replaceChildren();
        try {
          await call(`api/sessions/${encodeURIComponent(id)}/resume`, {});
        } catch (err) {
          say(error, err.message);
          button.disabled = false;
        }
      } }, 'Run it'), error]);
  }
}

/** loadWaits asks what waits here and in the sub-agents' sessions, whose records don't
 * come with this one's. */
async function loadWaits() {
  const open = page.open;
  if (!open?.state) return;
  const asked = open.asked = (open.asked || 0) + 1;
  let list;
  try {
    list = (await (await call(`api/sessions/${encodeURIComponent(open.id)}/waits`)).json()).waits;
  } catch {
    return; // the stream says what is wrong with the session
  }
  if (page.open === open && asked === open.asked && open.asks.take(list)) drawState(); // a newer answer may have come first
}

every(5000, () => page.open?.state?.asks && loadWaits());

/** every does something in intervals while the page is seen, once what was begun before is done. */
function every(ms, act) {
  let busy = false;
  setInterval(async () => {
    if (busy || document.hidden) return;
    busy = true;
    try { await act(); } finally { busy = false; }
  }, ms);
}

function status(kind, text) {
  const s = $('status');
  if (s.className === 'status ' + kind && s.title === plain(text)) return; // or it would be read out again
  s.className = 'status ' + kind;
  say(s, text);
  s.title = plain(text);
}

function drawSummary() {
  const t = page.open.transcript, all = totals(t.steps, t.asides), first = t.rows[0], last = t.rows[t.rows.length - 1];
  const items = [
    ['cost', all.money], ['steps', count(t.steps.length)], ['read', tokens(all.read)], ['written', tokens(all.written)], ['new', tokens(all.new)], ['output', tokens(all.output)],
    ['from cache', all.share], ['sent', size(all.sent)], ['time', first ? duration(last.entry.time - first.entry.time) : '–'],
  ];
  const brief = page.open.brief, parent = page.sessions.find((s) => s.id === page.open.id)?.parent;
  if (brief && brief.treeUSD > brief.usd) items.splice(1, 0, ['with sub-agents', usd(brief.treeUSD, brief.treeKnown)]);
  if (parent) items.push(['sub-agent of', el('a', { href: '#' + encodeURIComponent(parent) }, page.sessions.find((s) => s.id === parent)?.title || parent)]);
  if (all.misses) items.push(['cache misses', count(all.misses)]);
  $('totals').replaceChildren(...items.map(([k, v]) => el('div', { class: k.replaceAll(' ', '-') }, el('dt', {}, k), el('dd', {}, v))),
    el('div', { class: 'log' }, el('dt', {}, 'log'), el('dd', {}, el('a', { class: 'button small', href: `api/sessions/${encodeURIComponent(page.open.id)}/log`, download: 'session.jsonl' }, 'Download'))));
  strip.set(t.steps, t.selected);
}

function drawTimeline() {
  const box = $('timeline'), top = box.scrollTop, list = timeline.bars(page.open.transcript);
  const held = timelineList.items.get(document.activeElement?.closest('.row.bar'))?.index;
  timelineList.clear();
  const { items, whole } = timeline.items(list, Date.now());
  box.append(timeline.legend(), timeline.axis(whole));
  timelineList.add(items);
  box.scrollTop = top;
  if (held === undefined || !items[held]) return;
  timelineList.fill(items[held].el);
  items[held].el.querySelector('button').focus({ preventScroll: true });
}

/** showAll shows the list of all sessions. */
function showAll() {
  closeSession();
  $('title').textContent = 'Sessions';
  drawWrite();
  document.title = 'Sessions';
  delete document.body.dataset.ready;
  drawStatus();
  $('words').value = drafts.get('') || '';
  for (const id of ['summary', 'tabs', 'transcript', 'timeline']) $(id).hidden = true;
  $('overview').hidden = false;
  document.body.classList.add('all');
  overview.draw(page.sessions, page.full);
  drawSessions();
}

let forking = null; // what the dialog asks about

function askFork(id, at, before) {
  forking = { id, at };
  say($('fork-about'), `A new session with all that was said before ${before}. ${id} stays as it is.`);
  $('fork-name').value = '';
  $('fork-name').placeholder = plain(`${id}-fork-${at}`);
  $('fork-error').textContent = '';
  $('fork').showModal();
  $('fork-name').focus();
}

async function fork() {
  const { id, at } = forking;
  $('fork-go').disabled = true;
  try {
    const made = await (await call(`api/sessions/${encodeURIComponent(id)}/fork`, { at, id: $('fork-name').value })).json();
    $('fork').close();
    await loadSessions();
    location.hash = encodeURIComponent(made.id);
  } catch (err) {
    say($('fork-error'), err.message);
  }
  $('fork-go').disabled = false;
}

// ---- moving about

function select(row) {
  for (const r of page.open.transcript.select(row)) transcriptList.refresh(r);
  drawSummary();
}

/** place scrolls so that a row is at the top. */
function place(row) {
  transcriptList.around(row.el, 4, 12);
  row.el.scrollIntoView({ block: 'start' });
  requestAnimationFrame(() => row.el.scrollIntoView({ block: 'start' }));
}

function goTo(row, key) {
  if (!row) return;
  if (row.kind === 'step') select(row);
  place(row);
  (key && row.el.querySelector(`[data-key="${CSS.escape(key)}"]`) || row.el).focus({ preventScroll: true });
}

const atBottom = () => { const s = $('transcript'); return s.scrollHeight - s.scrollTop - s.clientHeight < 60; };
let following = false;

function toBottom() {
  const s = $('transcript');
  following = true;
  if (s.lastElementChild) transcriptList.around(s.lastElementChild, 12, 0);
  s.scrollTop = s.scrollHeight;
  requestAnimationFrame(() => { s.scrollTop = s.scrollHeight; requestAnimationFrame(() => { s.scrollTop = s.scrollHeight; following = false; }); });
}

function topRow() {
  const box = $('transcript').getBoundingClientRect();
  for (const dy of [4, 24, 48]) {
    const e = document.elementFromPoint(box.left + box.width / 2, box.top + dy)?.closest('[data-n]');
    if (e) return transcriptList.items.get(e);
  }
  return null;
}

let waiting = 0;
$('transcript').addEventListener('scroll', () => {
  if (waiting || !page.open?.placed) return;
  waiting = setTimeout(() => {
    waiting = 0;
    $('follow').hidden = !page.open || atBottom() || page.view !== 'transcript';
    const row = page.open && topRow();
    if (!row) return;
    const hash = '#' + encodeURIComponent(page.open.id) + (atBottom() ? '' : '/' + row.n);
    if (location.hash !== hash) history.replaceState(null, '', hash);
  }, 200);
}, { passive: true });
$('follow').addEventListener('click', toBottom);

function show(view) {
  page.view = view;
  for (const v of ['transcript', 'timeline']) {
    $(v).hidden = v !== view;
    $('tab-' + v).setAttribute('aria-selected', String(v === view));
    $('tab-' + v).tabIndex = v === view ? 0 : -1;
  }
  $('follow').hidden = view !== 'transcript' || !page.open || atBottom();
  if (view === 'timeline' && page.open) drawTimeline();
}

function stepFrom(delta) {
  const t = page.open.transcript, at = t.steps.indexOf(t.selected);
  return t.steps[Math.min(t.steps.length - 1, Math.max(0, at + delta))];
}

function route() {
  const [id, at] = location.hash.slice(1).split('/').map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  if (!id) { showAll(); return; }
  if (page.open && page.open.id === id) return;
  openSession(id, at === undefined ? undefined : Number(at));
  menu(false);
}

// ---- controls

function menu(open) {
  document.body.classList.toggle('menu', open);
  $('menu').setAttribute('aria-expanded', String(open));
}

document.querySelector('.skip').addEventListener('click', (ev) => {
  ev.preventDefault(); // the address tells the session
  (page.open ? $(page.view) : $('overview')).focus();
});
$('menu').addEventListener('click', () => menu(!document.body.classList.contains('menu')));
$('filter').addEventListener('input', drawSessions);
$('fork-cancel').addEventListener('click', () => $('fork').close());
$('fork-form').addEventListener('submit', (ev) => { ev.preventDefault(); fork(); });
$('help').addEventListener('click', () => $('keys').showModal());
for (const v of ['transcript', 'timeline']) $('tab-' + v).addEventListener('click', () => show(v));
document.querySelector('.tabs').addEventListener('keydown', (ev) => {
  if (ev.key !== 'ArrowLeft' && ev.key !== 'ArrowRight') return;
  show(page.view === 'transcript' ? 'timeline' : 'transcript');
  $('tab-' + page.view).focus();
});

/** drawWrite shows the box to write in, where a session can be told something: not in a
 * sub-agent's. */
function drawWrite() {
  const open = page.open && page.sessions.find((s) => s.id === page.open.id);
  $('write').hidden = !page.canResume || Boolean(open?.parent);
  $('words').placeholder = page.open ? 'Say something' : 'Begin a session';
}

let sending = false; // what was said once isn't said twice

$('write').addEventListener('submit', async (ev) => {
  ev.preventDefault();
  if (sending) return;
  const from = page.open?.id || '', text = $('words').value, button = $('write').querySelector('button');
  sending = button.disabled = true;
  $('write-error').textContent = '';
  try {
    const made = await (await call('api/messages', { id: from, text })).json();
    const here = (page.open?.id || '') === from;
    if (here && $('words').value === text) $('words').value = '';
    else if (drafts.get(from) === text) drafts.delete(from);
    await loadSessions();
    if (here && (page.open?.id || '') === from) location.hash = encodeURIComponent(made.id);
  } catch (err) {
    say($('write-error'), err.message);
  }
  sending = button.disabled = false;
});
$('words').addEventListener('keydown', (ev) => {
  if (ev.key === 'Enter' && !ev.shiftKey && !ev.isComposing) { ev.preventDefault(); $('write').requestSubmit(); }
});

function unit() {
  $('unit').textContent = money.on ? 'USD' : 'Tokens';
  $('unit').setAttribute('aria-label', `Chart and bars show ${money.on ? 'USD' : 'tokens'}; turn`);
  turnBars();
  strip.draw();
}
/** written turns Markdown to what the model wrote, letter by letter, and back. */
function written() {
  asWritten.on = !asWritten.on;
  $('written').setAttribute('aria-pressed', String(asWritten.on));
  if (page.open) for (const r of page.open.transcript.rows) transcriptList.refresh(r);
}
$('written').addEventListener('click', written);
$('unit').addEventListener('click', () => { money.turn(); unit(); });
unit();

const themes = ['', 'light', 'dark'];
function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  $('theme').textContent = '◐ ' + { '': 'Auto', light: 'Light', dark: 'Dark' }[name];
  strip.draw();
}
let stored = '';
try { stored = localStorage.getItem('theme') || ''; } catch { /* storage is off: the choice lasts for this page */ }
$('theme').addEventListener('click', () => {
  stored = themes[(themes.indexOf(stored) + 1) % themes.length];
  try { localStorage.setItem('theme', stored); } catch { /* as above */ }
  theme(stored);
});

document.addEventListener('keydown', (ev) => {
  const typing = ev.target.matches('input:not([type=range]), textarea, select');
  if (ev.key === 'Escape') { menu(false); if (typing) ev.target.blur(); return; }
  if (typing || ev.ctrlKey || ev.metaKey || ev.altKey || document.querySelector('dialog[open]')) return;
  if (ev.key === '/') {
    ev.preventDefault();
    if (page.open) { menu(true); $('filter').focus(); } else overview.filter.focus();
    return;
  }
  if (ev.key === '?') { $('keys').showModal(); return; }
  if (ev.key === 'h') { location.hash = ''; return; }
  if (!page.open) return;
  const t = page.open.transcript;
  switch (ev.key) {
    case 'j': goTo(stepFrom(1)); break;
    case 'k': goTo(stepFrom(-1)); break;
    case 'g': if (t.rows.length) place(t.rows[0]); break;
    case 'G': toBottom(); break;
    case 'f': if (t.selected && !page.readOnly) { ev.preventDefault(); t.forkBefore(t.selected); } break;
    case 'm': written(); break;
    case 'v': show(page.view === 'transcript' ? 'timeline' : 'transcript'); break;
    case 't': {
      const all = [...$('transcript').querySelectorAll('details.thinking')];
      const open = all.some((d) => !d.open);
      for (const d of all) d.open = open;
      break;
    }
    case 'Enter':
      if (ev.target.matches('button, a, summary, input')) return;
      ev.preventDefault(); // else it would press the button that gets the focus
      if (t.selected) t.act.request(t.selected);
      break;
  }
});

addEventListener('hashchange', route);
new ResizeObserver(() => { if (following) $('transcript').scrollTop = $('transcript').scrollHeight; }).observe($('transcript'));
theme(stored);
await loadSessions();
route();
every(5000, loadSessions);
document.addEventListener('visibilitychange', () => { if (!document.hidden) loadSessions(); });
