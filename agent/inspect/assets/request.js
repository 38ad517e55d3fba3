// The dialog that shows a request as it was sent.

import { $, el, size, call, count, plural } from './dom.js';
import { members, elements, get, pretty } from './rawjson.js';
import { exact } from './visible.js';
import { moneyBar } from './rows.js';

const shown = 40; // messages that are listed at first

export async function showRequest(session, row) {
  const s = row.entry.step, dialog = $('request');
  const path = `api/sessions/${encodeURIComponent(session)}/requests/${row.n}`;
  const body = el('div', { class: 'request-body' }, el('p', { class: 'quiet' }, 'Loading…'));
  const copy = el('button', { class: 'small', disabled: true }, 'Copy');
  dialog.replaceChildren(
    el('header', {},
      el('h2', { id: 'request-title' }, 'Request of step ' + s.number),
      el('span', { class: 'spacer' }), copy,
      el('a', { class: 'button small', href: path, download: `request-${s.number}.json` }, 'Download'),
      el('button', { class: 'small', autofocus: true, onclick: () => dialog.close() }, 'Close')),
    moneyBar(s), body);
  if (!dialog.open) dialog.showModal();
  let raw;
  try {
    raw = await (await call(path)).text();
  } catch (err) {
    body.replaceChildren(el('p', { class: 'error', role: 'alert' }, err.message));
    return;
  }
  copy.disabled = false;
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(raw);
      copy.textContent = 'Copied';
    } catch {
      copy.textContent = 'The browser refuses to copy'; // it does where the page comes without TLS
    }
  };
  const parts = new Map(members(raw));
  const head = [...parts].filter(([k]) => !['tools', 'system', 'messages'].includes(k));
  const tools = elements(parts.get('tools') || '[]');
  const system = elements(parts.get('system') || '[]');
  const messages = elements(parts.get('messages') || '[]');
  body.replaceChildren(
    s.configured ? '' : el('p', { class: 'miss' }, 'This log does not tell the configuration of its runs, only the messages.'),
    el('p', { class: 'quiet' }, `${size(new Blob([raw]).size)} · ${plural(tools.length, 'tool')} · ${plural(system.length, 'system block')} · ${plural(messages.length, 'message')} · ${plural((s.marks || []).length, 'breakpoint')}`),
    el('h3', {}, 'Parameters'),
    el('pre', { class: 'json' }, exact(head.map(([k, v]) => `${JSON.stringify(k)}: ${pretty(v)}`).join('\n'))),
    list('Tools', tools, (t) => name(t), 'tools'),
    list('System', system, (b) => peek(b), 'system'),
    messageList(messages));
}

function name(tool) {
  const n = get(tool, 'name') || get(tool, 'type');
  return n ? JSON.parse(n) : 'tool';
}

function peek(block) {
  const t = get(block, 'text');
  return t ? JSON.parse(t).slice(0, 90) : JSON.parse(get(block, 'type') || '""');
}

function badge(raw) {
  const control = get(raw, 'cache_control');
  if (!control) return null;
  const ttl = get(control, 'ttl');
  return el('span', { class: 'badge' }, 'breakpoint ' + (ttl ? JSON.parse(ttl) : '5m'));
}

/** fold shows JSON once it is opened. */
function fold(place, title, raw, marks) {
  const d = el('details', {}, el('summary', {}, el('code', {}, place), ' ', title, ' ', marks, el('span', { class: 'bytes' }, size(raw.length))));
  d.addEventListener('toggle', () => { if (d.open && d.children.length === 1) d.append(el('pre', { class: 'json' }, exact(pretty(raw)))); });
  return d;
}

function list(title, raws, label, part) {
  if (!raws.length) return el('p', { class: 'quiet' }, `No ${title.toLowerCase()}.`);
  return el('section', {}, el('h3', {}, title), raws.map((raw, i) => fold(`${part}.${i}`, label(raw), raw, badge(raw))));
}

function messageList(messages) {
  const box = el('section', {}, el('h3', {}, 'Messages'));
  const row = (raw, i) => {
    const blocks = elements(get(raw, 'content'));
    const marks = blocks.map((b, j) => [badge(b), j]).filter(([b]) => b).map(([b, j]) => { b.textContent += ` at content.${j}`; return b; });
    return fold(`messages.${i}`, JSON.parse(get(raw, 'role')) + ' · ' + blocks.map((b) => JSON.parse(get(b, 'type'))).slice(0, 4).join(', ') + (blocks.length > 4 ? ' …' : ''), raw, marks);
  };
  let from = Math.max(0, messages.length - shown);
  const earlier = el('button', { class: 'more', onclick: () => {
    const to = from;
    from = Math.max(0, from - 200);
    earlier.after(...messages.slice(from, to).map((m, i) => row(m, from + i)));
    earlier.hidden = from === 0;
    earlier.textContent = `Show earlier messages (${count(from)})`;
  } }, `Show earlier messages (${count(from)})`);
  earlier.hidden = from === 0;
  box.append(earlier, ...messages.slice(from).map((m, i) => row(m, from + i)));
  return box;
}
