// The list of all sessions, with what each came to.

import { el, ago, count, tokens, usd, call } from './dom.js';
import { say } from './visible.js';
import { Waits } from './waits.js';

export const doingText = {
  model: 'waiting for the model', tools: 'waiting for tools', approval: 'waits for approval', answer: 'waits for an answer', below: 'waits for a sub-agent', done: 'done', failed: 'ended', empty: 'nothing to do', unreadable: 'unreadable',
};

export class Overview {
  constructor(box) {
    this.box = box;
    this.briefs = new Map(); // session -> what was told last
    this.asking = new Set();
    this.cells = new Map(); // session -> row
    this.sessions = [];
    this.list = el('div');
    this.by = 'changed'; // or cost, or a key of the metadata
    this.waits = new Waits((id) => this.sessions.find((s) => s.id === id));
    this.sums = el('details', { class: 'sums', ontoggle: () => this.sum() }, el('summary', {}, 'Sums per user, model and day'), el('div'));
    this.filter = el('input', { type: 'search', value: '', class: 'filter', placeholder: 'Filter sessions  /', title: 'Words, or metadata such as user:ann', 'aria-label': 'Filter sessions', autocomplete: 'off', oninput: () => this.draw(this.sessions) });
    this.user = el('select', { value: '', 'aria-label': 'User', onchange: () => { this.draw(this.sessions); this.sum(); } });
    this.order = el('select', { 'aria-label': 'Sort', onchange: () => this.sort(this.order.value) });
    this.note = el('p', { class: 'quiet note' });
    this.tools = el('div', { class: 'tools' }, this.filter, this.user, this.order);
    box.append(this.tools, this.waits.box, this.sums, this.list, this.note);
    // A session's log is read for what it cost: those in view come first.
    this.seen = new IntersectionObserver((changes) => {
      for (const c of changes) if (c.isIntersecting) this.ask(c.target.session);
    }, { root: box, rootMargin: '200px 0px' });
  }

  /** draw shows the sessions that the filters leave. full is true if there may be more. */
  draw(all, full = this.full) {
    this.sessions = all;
    this.full = full;
    this.tools.hidden = this.sums.hidden = !all.length;
    this.choices();
    const sessions = this.sorted(all.filter((s) => matches(s, this.filter.value) && (this.user.value === '' || userOf(s) === this.user.value.slice(1))));
    say(this.note, full ? `The ${count(all.length)} sessions that changed last.` : '');
    if (this.sums.open) this.sum();
    if (!sessions.length) {
      this.seen.disconnect();
      this.cells.clear();
      this.list.replaceChildren(el('div', { class: 'nothing' }, all.length
        ? el('p', {}, 'None match.')
        : [el('h2', {}, 'No sessions yet'), el('p', {}, 'They appear here once a run has begun in this store.')]));
    } else {
      const shown = JSON.stringify([this.by, this.users, sessions.map((s) => [s.id, s.title, s.depth, s.parent, s.origin, s.meta])]);
      if (!this.list.querySelector('tbody') || shown !== this.shown) this.build(sessions);
      this.shown = shown;
      for (const s of sessions) this.cells.get(s.id).changed.textContent = ago(s.changed);
    }
    this.sweep();
  }

  /** choices are the users and the orders to choose from. */
  choices() {
    const users = [...new Set(this.sessions.map(userOf))].sort(), keys = [...new Set(this.sessions.flatMap((s) => Object.keys(s.meta || {})))].sort().slice(0, 20);
    const fill = (select, list) => {
      if (JSON.stringify(list) === select.list) return;
      const was = select.value;
      select.list = JSON.stringify(list);
      select.replaceChildren(...list.map(([value, text]) => el('option', { value }, text)));
      select.value = list.some(([v]) => v === was) ? was : list[0][0];
    };
    fill(this.user, [['', 'All users'], ...users.map((u) => ['=' + u, u || 'no user'])]);
    this.user.hidden = users.length < 2;
    fill(this.order, [['changed', 'Newest first'], ['cost', 'Dearest first'], ...keys.map((k) => ['meta ' + k, 'By ' + k])]);
    this.order.value = this.by;
    this.users = users.some((u) => u);
  }

  /** sorted puts sub-agents' sessions behind their callers'. */
  sorted(sessions) {
    const cost = (s) => this.briefs.get(s.id)?.treeUSD || 0;
    let list = sessions;
    if (this.by === 'cost') list = [...list].sort((a, b) => cost(b) - cost(a));
    else if (this.by.startsWith('meta ')) {
      const key = this.by.slice(5), value = (s) => s.meta?.[key];
      // Those without one come last; of one value, the dearest is not known: the newest comes first.
      list = [...list].sort((a, b) => (value(a) === undefined) - (value(b) === undefined) || String(value(a)).localeCompare(String(value(b))));
    }
    const shown = new Set(list.map((s) => s.id)), below = new Map(), out = [];
    for (const s of list) if (shown.has(s.parent)) below.set(s.parent, [...below.get(s.parent) || [], s]);
    const put = (s, depth) => {
      if (depth > 20) return;
      s.depth = depth;
      out.push(s);
      for (const c of below.get(s.id) || []) put(c, depth + 1);
    };
    for (const s of list) if (!shown.has(s.parent)) put(s, 0);
    return out;
  }

  /** sum asks for the sums over the sessions of the list, of the user that is chosen, and shows them. */
  async sum() {
    if (!this.sums.open || this.summing) return;
    this.summing = true;
    const user = this.user.value;
    try {
      const all = await (await call('api/money' + (user ? '?user=' + encodeURIComponent(user.slice(1)) : ''))).json();
      const table = (name, lines, none, pick) => el('table', {}, el('caption', {}, name),
        el('thead', {}, el('tr', {}, ['', 'Sessions', 'Requests', 'Tokens', 'Cost'].map((t, i) => el('th', { scope: 'col', class: i ? 'number' : '' }, t)))),
        el('tbody', {}, lines.map((l) => el('tr', {}, el('th', { scope: 'row' }, pick ? el('button', { class: 'sort', onclick: () => pick(l.name) }, l.name || none) : l.name || none), [count(l.sessions), count(l.requests), tokens(l.tokens), usd(l.usd, l.known)].map((t) => el('td', { class: 'number' }, t))))));
      const pick = (name) => { this.user.value = '=' + name; this.draw(this.sessions); this.sum(); };
      this.sums.lastElementChild.replaceChildren(table('Users', all.users, 'no user', !user && all.users.length > 1 && pick), table('Models', all.models, 'beside the conversations'), table('Days (UTC)', all.days, ''));
    } catch { /* it is asked again with the next list */ }
    this.summing = false;
    if (user !== this.user.value) this.sum();
  }

  build(sessions) {
    const focused = document.activeElement?.dataset?.overview;
    this.seen.disconnect();
    this.cells.clear();
    const rows = sessions.map((s) => {
      const cell = (name, label) => el('td', { class: name, data: { label } }, '–');
      const row = { state: cell('state', ''), model: cell('model', 'model'), steps: cell('number steps', 'steps'), tokens: cell('number', 'tokens'), share: cell('number', 'from cache'), cost: cell('number cost', ''), changed: el('td', { class: 'number changed', data: { label: '' } }) };
      row.el = el('tr', { class: s.depth ? 'below' + (s.depth > 1 ? ' deep' : '') : '' },
        el('th', { scope: 'row' }, el('a', { href: '#' + encodeURIComponent(s.id), data: { overview: s.id } }, s.title || s.id),
          el('span', { class: 'about' }, s.id + (s.parent ? ' · of ' + s.parent : '') + (s.origin && s.origin !== s.parent ? ' · forked from ' + s.origin : '') + (meta(s) ? ' · ' + meta(s) : ''))),
        row.state, this.users ? el('td', { class: 'user', data: { label: 'user' } }, userOf(s) || '–') : null, row.model, row.steps, row.tokens, row.share, row.cost, row.changed);
      row.el.session = s.id;
      this.cells.set(s.id, row);
      this.fill(row, this.briefs.get(s.id));
      return row.el;
    });
    const head = [['Session'], ['State'], this.users ? ['User', 'meta user'] : null, ['Model'], ['Steps', '', 1], ['Tokens', '', 1], ['From cache', '', 1], ['Cost', 'cost', 1], ['Changed', 'changed', 1]];
    this.list.replaceChildren(el('table', { class: 'sessions' },
      el('thead', {}, el('tr', {}, head.filter(Boolean).map(([t, by, number]) => {
        const down = by === 'meta user' ? 'ascending' : 'descending';
        return el('th', { scope: 'col', class: number ? 'number' : '', 'aria-sort': by && by === this.by ? down : 'none' },
          by ? el('button', { class: 'sort', data: { overview: 'sort ' + by }, onclick: () => this.sort(by) }, t + (by === this.by ? { ascending: ' ↑', descending: ' ↓' }[down] : '')) : t);
      }))),
      el('tbody', {}, rows)));
    for (const r of rows) this.seen.observe(r);
    if (focused) this.list.querySelector(`[data-overview="${CSS.escape(focused)}"]`)?.focus();
  }

  async sort(by) {
    this.by = by;
    if (by === 'cost') await this.sweep(); // what all cost has to be known first
    this.cells.clear();
    this.draw(this.sessions);
  }

  /** sweep asks about all sessions that have changed, a few at a time, and then for what waits in them. */
  sweep() {
    this.sweeping ||= (async () => {
      await null; // so that the end comes behind the assignment
      const list = this.sessions;
      for (let i = 0; i < list.length && !this.box.hidden; i += 4) await Promise.all(list.slice(i, i + 4).map((s) => this.ask(s.id)));
      if (!this.box.hidden) await this.waits.load(list.filter((s) => this.briefs.get(s.id)?.waiting));
      this.sweeping = null;
    })();
    return this.sweeping;
  }

  /** ask asks what a session came to, unless that is known. */
  async ask(id) {
    const s = this.sessions.find((o) => o.id === id), known = this.briefs.get(id);
    if (!s || this.asking.has(id) || known && known.records === s.records) return known;
    this.asking.add(id);
    try {
      const brief = await (await call(`api/sessions/${encodeURIComponent(id)}/brief`)).json();
      this.briefs.set(id, brief);
      const row = this.cells.get(id);
      if (row) this.fill(row, brief);
    } catch { /* it is asked again with the next list */ }
    this.asking.delete(id);
    return this.briefs.get(id);
  }

  fill(row, b) {
    if (!b) return;
    row.state.replaceChildren(el('span', { class: 'status ' + b.doing, title: b.detail || '' }, doingText[b.doing] || b.doing));
    say(row.model, b.model || '–');
    row.steps.textContent = count(b.steps);
    row.tokens.textContent = tokens(b.prompt + b.output);
    row.share.textContent = b.prompt ? (100 * b.read / b.prompt).toFixed(0) + ' %' : '–';
    row.cost.textContent = b.steps ? usd(b.usd, b.known) : '–';
    if (b.treeUSD > b.usd || b.treeKnown !== b.known) row.cost.append(el('span', { class: 'about' }, 'with sub-agents ' + usd(b.treeUSD, b.treeKnown)));
  }
}

const userOf = (s) => s.meta?.user || '';

/** meta is a session's metadata in one line, without the user, who has a column. */
function meta(s) { return Object.entries(s.meta || {}).filter(([k]) => k !== 'user').map(([k, v]) => k + ': ' + v).join(' · '); }

/** matches reports whether a session has all words; those of the form key:value are
 * about its metadata. */
export function matches(s, words) {
  const all = (s.id + ' ' + s.title + ' ' + Object.values(s.meta || {}).join(' ')).toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => {
    const at = word.indexOf(':'), key = Object.keys(s.meta || {}).find((k) => at > 0 && k.toLowerCase() === word.slice(0, at));
    return all.includes(word) || key !== undefined && s.meta[key].toLowerCase().includes(word.slice(at + 1));
  });
}
