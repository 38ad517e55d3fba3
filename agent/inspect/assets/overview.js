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
    this.filter = el('input', { type: 'search', class: 'filter', placeholder: 'Filter sessions  /', 'aria-label': 'Filter sessions', autocomplete: 'off', oninput: () => this.draw(this.sessions) });
    box.append(this.filter, this.list);
    // A session's log is read for what it cost, so only those in view are asked about.
    this.seen = new IntersectionObserver((changes) => {
      for (const c of changes) { c.target.inView = c.isIntersecting; if (c.isIntersecting) this.ask(c.target); }
    }, { root: box, rootMargin: '200px 0px' });
  }

  draw(all) {
    this.sessions = all;
    this.filter.hidden = !all.length;
    const want = this.filter.value.toLowerCase();
    const sessions = all.filter((s) => (s.id + ' ' + s.title).toLowerCase().includes(want));
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

  build(sessions) {
    const focused = document.activeElement?.dataset?.overview;
    this.seen.disconnect();
    this.cells.clear();
    const rows = sessions.map((s) => {
      const cell = (name, label) => el('td', { class: name, data: { label } }, '–');
      const row = { state: cell('state', ''), model: cell('model', 'model'), steps: cell('number', 'steps'), tokens: cell('number', 'tokens'), share: cell('number', 'from cache'), cost: cell('number cost', 'cost'), changed: el('td', { class: 'number changed', data: { label: '' } }) };
      row.el = el('tr', {},
        el('th', { scope: 'row' }, el('a', { href: '#' + encodeURIComponent(s.id), data: { overview: s.id } }, s.title || s.id),
          el('span', { class: 'about' }, s.id + (s.parent ? ' · of ' + s.parent : '') + (s.origin && s.origin !== s.parent ? ' · forked from ' + s.origin : ''))),
        row.state, row.model, row.steps, row.tokens, row.share, row.cost, row.changed);
      row.el.session = s.id;
      this.cells.set(s.id, row);
      this.fill(row, this.briefs.get(s.id));
      return row.el;
    });
    this.list.replaceChildren(el('table', { class: 'sessions' },
      el('thead', {}, el('tr', {}, ['Session', 'State', 'Model', 'Steps', 'Tokens', 'From cache', 'Cost', 'Changed'].map((t, i) => el('th', { scope: 'col', class: i > 2 ? 'number' : '' }, t)))),
      el('tbody', {}, rows)));
    for (const r of rows) this.seen.observe(r);
    if (focused) this.list.querySelector(`[data-overview="${CSS.escape(focused)}"]`)?.focus();
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
