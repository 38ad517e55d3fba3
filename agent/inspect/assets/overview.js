// The list of all sessions, with what each came to.

import { el, ago, count, tokens, usd, call } from './dom.js';
import { say } from './visible.js';

export const doingText = {
  model: 'waiting for the model', tools: 'waiting for tools', approval: 'waits for approval', answer: 'waits for an answer', below: 'waits for a sub-agent', done: 'done', failed: 'ended', empty: 'nothing to do', unreadable: 'unreadable',
};

export class Overview {
  constructor(box) {
    this.box = box;
    this.briefs = new Map(); // session -> what was told last
    this.cells = new Map(); // session -> row
    this.sessions = [];
    this.list = el('div');
    this.by = 'changed'; // or cost
    this.waiting = el('p', { class: 'waiting', hidden: true });
    this.sums = el('details', { class: 'sums', ontoggle: () => this.sum() }, el('summary', {}, 'Sums per user, model and day'), el('div'));
    this.filter = el('input', { type: 'search', class: 'filter', placeholder: 'Filter sessions  /', 'aria-label': 'Filter sessions', autocomplete: 'off', oninput: () => this.draw(this.sessions) });
    box.append(this.filter, this.waiting, this.sums, this.list);
    // A session's log is read for what it cost, so only those in view are asked about.
    this.seen = new IntersectionObserver((changes) => {
      for (const c of changes) { c.target.inView = c.isIntersecting; if (c.isIntersecting) this.ask(c.target); }
    }, { root: box, rootMargin: '200px 0px' });
  }

  draw(all) {
    this.sessions = all;
    this.filter.hidden = !all.length;
    const want = this.filter.value.toLowerCase();
    const sessions = this.order(all.filter((s) => (s.id + ' ' + s.title + ' ' + meta(s)).toLowerCase().includes(want)));
    this.sums.hidden = !all.length;
    if (this.sums.open) this.sum();
    if (!sessions.length) {
      this.seen.disconnect();
      this.cells.clear();
      this.list.replaceChildren(el('div', { class: 'nothing' }, all.length
        ? el('p', {}, 'None match.')
        : [el('h2', {}, 'No sessions yet'), el('p', {}, 'They appear here once a run has begun in this store.')]));
      return;
    }
    const same = this.list.querySelector('tbody') && sessions.map((s) => s.id).join('\n') === [...this.cells.keys()].join('\n');
    if (!same) this.build(sessions);
    for (const s of sessions) {
      const row = this.cells.get(s.id);
      row.changed.textContent = ago(s.changed);
      row.el.records = s.records;
      if (row.el.inView) this.ask(row.el);
    }
  }

  /** order puts the dearest first if that is asked for, and sub-agents' sessions behind
   * their callers'. */
  order(sessions) {
    const cost = (s) => this.briefs.get(s.id)?.treeUSD || 0;
    const list = this.by === 'cost' ? [...sessions].sort((a, b) => cost(b) - cost(a)) : sessions;
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

  /** sum asks for the sums over all sessions of the list, and shows them. */
  async sum() {
    if (!this.sums.open || this.summing) return;
    this.summing = true;
    try {
      const all = await (await call('api/money')).json();
      const table = (name, lines, none) => el('table', {}, el('caption', {}, name),
        el('thead', {}, el('tr', {}, ['', 'Sessions', 'Requests', 'Tokens', 'Cost'].map((t, i) => el('th', { scope: 'col', class: i ? 'number' : '' }, t)))),
        el('tbody', {}, lines.map((l) => el('tr', {}, el('th', { scope: 'row' }, l.name || none), [count(l.sessions), count(l.requests), tokens(l.tokens), usd(l.usd, l.known)].map((t) => el('td', { class: 'number' }, t))))));
      this.sums.lastElementChild.replaceChildren(table('Users', all.users, 'no user'), table('Models', all.models, 'beside the conversations'), table('Days (UTC)', all.days, ''));
    } catch { /* it is asked again with the next list */ }
    this.summing = false;
  }

  /** wait names the sessions that wait for somebody. */
  wait() {
    const list = this.sessions.filter((s) => this.briefs.get(s.id)?.waiting);
    this.waiting.hidden = !list.length;
    this.waiting.replaceChildren('Waits for you: ', ...list.flatMap((s, i) => [i ? ', ' : '', el('a', { href: '#' + encodeURIComponent(s.id) }, s.title || s.id)]));
  }

  build(sessions) {
    const focused = document.activeElement?.dataset?.overview;
    this.seen.disconnect();
    this.cells.clear();
    const rows = sessions.map((s) => {
      const cell = (name, label) => el('td', { class: name, data: { label } }, '–');
      const row = { state: cell('state', ''), model: cell('model', 'model'), steps: cell('number', 'steps'), tokens: cell('number', 'tokens'), share: cell('number', 'from cache'), cost: cell('number cost', 'cost'), changed: el('td', { class: 'number changed', data: { label: '' } }) };
      row.el = el('tr', { class: s.depth ? 'below' : '' },
        el('th', { scope: 'row' }, el('a', { href: '#' + encodeURIComponent(s.id), data: { overview: s.id } }, s.title || s.id),
          el('span', { class: 'about' }, s.id + (s.parent ? ' · of ' + s.parent : '') + (s.origin && s.origin !== s.parent ? ' · forked from ' + s.origin : '') + (meta(s) ? ' · ' + meta(s) : ''))),
        row.state, row.model, row.steps, row.tokens, row.share, row.cost, row.changed);
      row.el.session = s.id;
      this.cells.set(s.id, row);
      this.fill(row, this.briefs.get(s.id));
      return row.el;
    });
    this.list.replaceChildren(el('table', { class: 'sessions' },
      el('thead', {}, el('tr', {}, ['Session', 'State', 'Model', 'Steps', 'Tokens', 'From cache', 'Cost', 'Changed'].map((t, i) => {
        const by = { Cost: 'cost', Changed: 'changed' }[t];
        return el('th', { scope: 'col', class: i > 2 ? 'number' : '', 'aria-sort': by && by === this.by ? 'descending' : 'none' },
          by ? el('button', { class: 'sort', data: { overview: 'sort ' + by }, onclick: () => this.sort(by) }, t + (by === this.by ? ' ↓' : '')) : t);
      }))),
      el('tbody', {}, rows)));
    for (const r of rows) this.seen.observe(r);
    this.wait();
    if (focused) this.list.querySelector(`[data-overview="${CSS.escape(focused)}"]`)?.focus();
  }

  async sort(by) {
    this.by = by;
    if (by === 'cost') { // what all cost has to be known first
      const rows = [...this.cells.values()].map((r) => r.el);
      for (let i = 0; i < rows.length; i += 4) await Promise.all(rows.slice(i, i + 4).map((r) => this.ask(r)));
    }
    this.cells.clear();
    this.draw(this.sessions);
  }

  async ask(tr) {
    const id = tr.session, known = this.briefs.get(id);
    if (tr.asking || known && known.records === tr.records) return;
    tr.asking = true;
    try {
      const brief = await (await call(`api/sessions/${encodeURIComponent(id)}/brief`)).json();
      this.briefs.set(id, brief);
      const row = this.cells.get(id);
      if (row) this.fill(row, brief);
      this.wait();
    } catch { /* it is asked again with the next list */ }
    tr.asking = false;
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

/** meta is a session's metadata in one line. */
function meta(s) { return Object.entries(s.meta || {}).map(([k, v]) => k + ': ' + v).join(' · '); }
