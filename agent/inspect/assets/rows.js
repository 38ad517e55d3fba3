// The rows of the transcript.

import { el, tokens, usd, size, duration, clock, count, plural, call, money } from './dom.js';
import { rendered } from './markdown.js';
import { pretty } from './rawjson.js';
import { exact, escapes, say } from './visible.js';

/** asWritten says whether Markdown is shown as it was written. */
export const asWritten = { on: false };

/** A Transcript turns a session's records into rows, as they come. */
export class Transcript {
  constructor(id, act) {
    this.id = id;
    this.act = act; // what the rows' buttons do
    this.rows = [];
    this.steps = [];
    this.asides = []; // requests beside the conversation
    this.owner = new Map(); // record -> row
    this.calls = new Map(); // call id -> call
    this.added = []; // what the next request has beyond the one before
    this.selected = null;
    this.follow = true; // the selected step is the newest
    this.next = 0; // the record that comes next
  }

  /** add takes entries and returns the rows that are new and those that changed. */
  add(entries) {
    const fresh = [], changed = new Set();
    const row = (kind, e) => {
      const r = { kind, n: e.n, entry: e };
      this.rows.push(r);
      fresh.push(r);
      this.owner.set(e.n, r);
      return r;
    };
    const callOf = (id, e) => {
      const c = this.calls.get(id);
      if (c) { this.owner.set(e.n, c.row); changed.add(c.row); }
      return c;
    };
    for (const e of entries) {
      if (e.n < this.next) continue; // a stream that was cut off may begin with what is there
      this.next = e.n + 1;
      switch (e.kind) {
        case 'run': row('run', e); break;
        case 'input':
          row('input', e);
          this.added.push({ name: e.role === 'system' ? 'system message' : 'the user', bytes: bytes(e) });
          break;
        case 'note': case 'sealed': case 'omission':
          if (e.aside) this.asides.push(row('note', e)); else row('note', e);
          break;
        case 'summary': row('summary', e); break;
        case 'response': {
          const r = row('step', e);
          r.calls = [];
          r.added = this.added;
          this.added = [];
          for (const b of e.blocks || []) {
            if (b.type !== 'tool_use') continue;
            const c = { id: b.id, name: b.name, row: r };
            r.calls.push(c);
            this.calls.set(b.id, c);
          }
          this.steps.push(r);
          break;
        }
        case 'started':
          for (const id of e.calls || []) { const c = callOf(id, e); if (c) c.started = e.time; }
          break;
        case 'result': {
          const c = callOf(e.blocks[0].id, e);
          this.added.push({ name: 'result of ' + (c ? c.name : 'a call'), bytes: bytes(e) });
          if (c) { c.result = e.blocks[0]; c.resultRecord = e.n; c.ended = e.time; }
          break;
        }
        case 'ask':
          for (const a of e.asks || []) { const c = callOf(a.call, e); if (c) { c.ask = a; c.asked = e.time; } }
          break;
        case 'decision': {
          const c = callOf(e.decision.call, e);
          if (c) { c.decision = e.decision; c.decided = e.time; }
          break;
        }
      }
    }
    const before = this.selected;
    if (this.follow && this.steps.length) this.selected = this.steps[this.steps.length - 1];
    if (before !== this.selected) for (const r of this.marked(before, this.selected)) changed.add(r);
    for (const r of fresh) changed.delete(r);
    return { fresh, changed };
  }

  /** report shows what running calls tell. It comes often: the rows are not drawn again. */
  report(progress) {
    for (const c of this.calls.values()) {
      const told = Object.hasOwn(progress, c.id) ? progress[c.id] : undefined;
      if (c.result || c.progress === told) continue;
      c.progress = told;
      if (c.shown) say(c.shown, callState(c).text);
    }
  }

  /** asking notes which calls wait for an answer; returns the rows to draw again. */
  asking(ids) {
    const changed = new Set();
    for (const c of this.calls.values()) {
      const asks = ids.includes(c.id) && !c.result;
      if (Boolean(c.asks) === asks) continue;
      c.asks = asks;
      changed.add(c.row);
    }
    return changed;
  }

  /** select makes a step the one whose request is drawn; returns the rows to draw again. */
  select(step) {
    const before = this.selected;
    this.selected = step;
    this.follow = step === this.steps[this.steps.length - 1];
    return this.marked(before, step);
  }

  marked(...steps) {
    const rows = new Set();
    for (const s of steps) {
      if (!s) continue;
      rows.add(s);
      for (const m of s.entry.step.marks || []) {
        const r = m.record >= 0 ? this.owner.get(m.record) : this.configRow(s);
        if (r) rows.add(r);
      }
    }
    return rows;
  }

  /** configRow is the newest row in front of a step that tells the configuration. */
  configRow(step) {
    let found = null;
    for (const r of this.rows) {
      if (r === step) break;
      if (r.kind === 'run' && r.entry.config) found = r;
    }
    return found;
  }

  build(row) {
    switch (row.kind) {
      case 'run': return this.run(row);
      case 'input': return this.input(row);
      case 'step': return this.step(row);
      case 'summary': return this.summary(row);
    }
    return this.note(row);
  }

  run(row) {
    const c = row.entry.config;
    const out = [el('p', { class: 'divider' }, 'Run · ' + clock(row.entry.time))];
    if (!c) return out;
    const marks = this.selected && this.configRow(this.selected) === row ? (this.selected.entry.step.marks || []).filter((m) => m.record < 0) : [];
    out.push(el('details', { class: 'config', data: { key: 'config' } },
      el('summary', {}, `${c.model} · ${plural(c.tools.length, 'tool')} · system prompt of ${size(c.system.reduce((n, b) => n + b.bytes, 0))}`),
      el('p', {}, 'Tools: ', c.tools.join(', ') || 'none'),
      c.system.map((b) => el('pre', { class: 'text' }, b.text || '', b.cut ? '…' : ''))));
    if (marks.length) out.push(markLine(marks));
    return out;
  }

  input(row) {
    const e = row.entry;
    return [el('header', { class: 'rowhead' }, el('h2', {}, e.role === 'system' ? 'System message' : 'User'), el('span', { class: 'time' }, clock(e.time)),
      el('span', { class: 'spacer' }), this.forkButton(e.n, 'this message')),
    this.blocks(e)];
  }

  summary(row) {
    const e = row.entry;
    return [el('header', { class: 'rowhead' }, el('h2', {}, 'Summary'), el('span', { class: 'time' }, `in the place of the first ${plural(e.replaces, 'message')}`)), this.blocks(e)];
  }

  note(row) {
    const e = row.entry, about = { aside: 'A request beside the conversation', warm: 'The cache was kept warm', interrupted: 'A response that was cut off' }[e.note];
    return [e.aside && [el('header', { class: 'rowhead' }, el('h2', {}, about || e.note)), moneyBar(e.aside)], el('details', { class: 'note', data: { key: 'note' } }, el('summary', {}, e.kind === 'sealed' ? 'Encrypted record' : e.note === 'taint' ? 'What was read' : 'Note: ' + e.note),
      (e.blocks || []).map((b) => json(b.json)))];
  }

  step(row) {
    const e = row.entry, s = e.step;
    row.el.classList.toggle('selected', row === this.selected);
    row.el.setAttribute('aria-label', `Step ${s.number}`);
    const out = [
      el('header', { class: 'rowhead' },
        el('h2', {}, 'Step ' + s.number),
        el('span', { class: 'stop ' + s.stop }, stopText(s.stop)),
        el('span', { class: 'time' }, duration(s.took), s.first ? el('span', { class: 'first-chunk' }, ` · first chunk ${duration(s.first)}`) : '', s.sent ? ` · sent ${size(s.sent)}` : '', s.retries ? ' · ' + plural(s.retries, 'retry', 'retries') : ''),
        el('span', { class: 'spacer' }),
        el('span', { class: 'acts' }, el('button', { class: 'small', data: { key: 'request' }, 'aria-label': `Request of step ${s.number}`, onclick: () => this.act.request(row) }, 'Request'),
          this.forkButton(e.n, `step ${s.number}`))),
      moneyBar(s),
    ];
    if (s.miss) out.push(missBox(s.miss));
    out.push(this.blocks(e), causes(row)); // behind the blocks, whose place it doesn't move
    return out;
  }

  forkButton(at, before) {
    if (this.act.readOnly()) return null;
    return el('button', { class: 'small', data: { key: 'fork' }, 'aria-label': 'Fork before ' + before, title: 'Fork before ' + before, onclick: () => this.act.fork(at, before) }, 'Fork');
  }

  forkBefore(step) { this.act.fork(step.n, `step ${step.entry.step.number}`); }

  blocks(e) {
    const calls = this.owner.get(e.n)?.calls || []; // of this row: ids may come again in others
    return (e.blocks || []).map((b, i) => {
      const call = b.type === 'tool_use' && calls.find((c) => c.id === b.id);
      const inner = call ? this.toolCall(call, b, e, i) : this.block(b, e.n, i);
      return [inner, this.marksAt(e.n, i)];
    });
  }

  marksAt(record, block) {
    const marks = this.selected ? this.selected.entry.step.marks || [] : [];
    const here = marks.filter((m) => m.record === record && m.block === block);
    return here.length ? [markLine(here)] : [];
  }

  block(b, record, i) {
    switch (b.type) {
      case 'text':
        return el('div', { class: 'block' }, this.text(b, record, i, this.owner.get(record)?.kind !== 'input'), b.json && el('details', { data: { key: `citations-${i}` } }, el('summary', {}, 'Citations'), json(b.json)));
      case 'thinking':
        if (!b.text) return el('p', { class: 'quiet' }, `Thinking, not shown by the service (${size(b.bytes)} signed)`);
        return el('details', { class: 'thinking', data: { key: `block-${i}` } }, el('summary', {}, 'Thinking · ' + size(b.bytes)), this.text(b, record, i));
      case 'redacted_thinking':
        return el('p', { class: 'quiet' }, `Thinking, encrypted by the service (${size(b.bytes)})`);
      case 'image':
        if (b.image) return el('img', { class: 'image', src: b.image, alt: 'Image in the conversation' });
        break;
    }
    const title = b.type.replaceAll('_', ' ') + (b.name ? ' · ' + b.name : '') + ' · ' + size(b.bytes);
    return el('details', { class: 'other', data: { key: `block-${i}` } }, el('summary', {}, title), json(b.json), this.more(b, record, i));
  }

  text(b, record, i, markdown) {
    const md = markdown && b.text && !asWritten.on;
    return el('div', { class: md ? 'text md' : 'text' }, md ? rendered(b.text, { make: el, top: 2 }) : b.text, this.more(b, record, i));
  }

  /** more is the button that gets the rest of a block that was cut. */
  more(b, record, i) {
    if (!b.cut) return null;
    const button = el('button', { class: 'more', data: { key: `more-${record}-${i}` }, onclick: async () => {
      button.disabled = true;
      await this.whole(b, record, i, (err) => say(button, err.message));
    } }, `Show all ${size(b.bytes)}`);
    return button;
  }

  /** whole gets the rest of a block, and draws its row again. */
  async whole(b, record, i, failed) {
    try {
      const all = await (await call(`api/sessions/${encodeURIComponent(this.id)}/records/${record}/blocks/${i}`)).json();
      Object.assign(b, all, { cut: false });
      this.act.refresh(this.owner.get(record));
    } catch (err) {
      failed(err);
    }
  }

  toolCall(c, b, e, i) {
    const state = callState(c);
    const args = (c.decision && c.decision.input) || b.json || '';
    const asked = c.ask && !c.decision && !c.result;
    const short = args.length <= 120 && !asked;
    const out = el('section', { class: 'call ' + state.name, 'aria-label': `Tool call ${b.name}` },
      el('header', {},
        el('span', { class: 'tool' }, b.name),
        short && args !== '{}' ? el('code', { class: 'args' }, exact(args)) : null,
        el('span', { class: 'spacer' }),
        c.shown = el('span', { class: 'state' }, state.text)),
      short ? null : el('details', { open: asked, data: { key: 'arguments-' + c.id } }, el('summary', {}, `Arguments · ${size(b.bytes)}`), json(args), this.more(b, e.n, i)),
      c.decision && c.decision.input ? el('p', { class: 'quiet' }, 'The arguments were changed by whoever approved the call.') : null);
    const child = this.act.child(c.id);
    if (child) out.append(el('p', { class: 'child' }, el('a', { href: '#' + encodeURIComponent(child.id) }, 'The sub-agent’s session'), child.brief ? ` · ${plural(child.brief.steps, 'step')} · ${usd(child.brief.treeUSD, child.brief.treeKnown)}` : ''));
    if (asked) out.append(this.approval(c, b, i));
    if (c.result) {
      const r = c.result, lines = (r.text || '').split('\n').length;
      const body = [r.text ? this.text(r, c.resultRecord, 0) : null, r.json ? json(r.json) : null];
      if (!r.text && !r.json) body.push(el('p', { class: 'quiet' }, 'An empty result'));
      const long = (r.text || '').length > 400 || lines > 6 || r.json;
      out.append(long
        ? el('details', { class: 'result' + (r.error ? ' error' : ''), data: { key: 'result-' + c.id } }, el('summary', {}, el('span', { class: 'peek' }, (r.text || r.json).slice(0, 160)), el('span', { class: 'bytes' }, size(r.bytes))), body)
        : el('div', { class: 'result' + (r.error ? ' error' : '') }, body));
      out.append(...this.marksAt(c.resultRecord, 0));
    }
    return out;
  }

  /** approval asks for a decision. What is said yes to is shown to the end: a call
   * that was cut is got whole first, and arguments are shown as they would run. */
  approval(c, b, i) {
    if (this.act.readOnly()) return el('p', { class: 'quiet' }, 'Waits for an approval.');
    const fail = (err) => { // the row may have been drawn again meanwhile
      c.sending = false;
      c.error = err.message;
      this.act.refresh(c.row);
    };
    const before = escapes(pretty(b.json || '{}'));
    const edit = el('textarea', { rows: 6, value: c.draft ?? before, 'aria-label': `Arguments of ${b.name}`, spellcheck: false, data: { key: 'draft-' + c.id }, oninput: () => { c.draft = edit.value; preview(); } });
    const runs = el('pre', { class: 'json' });
    const editor = el('div', { class: 'editor', hidden: !c.editing }, edit, el('p', { class: 'quiet' }, 'It would run with:'), runs);
    const preview = () => runs.replaceChildren(...exact(pretty(edit.value)));
    preview();
    const reason = el('input', { type: 'text', placeholder: 'Reason, if denied', 'aria-label': 'Reason, if denied', value: c.reason || '', data: { key: 'reason-' + c.id }, oninput: () => { c.reason = reason.value; } });
    const send = async (approve) => {
      if (c.sending) return;
      c.sending = true;
      c.error = '';
      error.replaceChildren();
      buttons.forEach((x) => { x.disabled = true; });
      const changed = approve && c.editing && edit.value !== before;
      try {
        await this.act.decide({ record: c.row.n, call: c.id, hash: b.hash, approve, reason: approve ? '' : reason.value, input: changed ? edit.value : undefined });
      } catch (err) {
        fail(err);
      }
    };
    const error = el('p', { class: 'error', role: 'alert' }, c.error || '');
    const buttons = [
      el('button', { class: 'approve', data: { key: 'approve-' + c.id }, disabled: Boolean(b.cut || c.sending), onclick: () => send(true) }, 'Approve'),
      el('button', { class: 'deny', data: { key: 'deny-' + c.id }, disabled: Boolean(c.sending), onclick: () => send(false) }, 'Deny'),
      el('button', { data: { key: 'edit-' + c.id }, disabled: Boolean(b.cut || c.sending), onclick: () => { c.editing = editor.hidden; editor.hidden = !editor.hidden; } }, 'Edit arguments'),
    ];
    if (b.cut && !c.getting) {
      c.getting = true;
      this.whole(b, c.row.n, i, fail);
    }
    return el('div', { class: 'approval' }, el('p', {}, el('strong', {}, 'Waits for your approval. '), c.ask.reason || ''), editor, el('div', { class: 'buttons' }, buttons, reason), error);
  }
}

function json(text) {
  return el('pre', { class: 'json' }, exact(pretty(text || '')));
}

/** markLine is the line of the breakpoints of one place, with a pill for all of them. */
function markLine(marks) {
  return el('p', { class: 'mark', title: marks.map((m) => m.place).join(', ') },
    el('span', {}, el('i', {}, marks.length > 1 ? 'cache breakpoints · ' : 'cache breakpoint · '), marks.map((m) => `${m.ttl} · ${m.place}`).join(', ')));
}

function stopText(stop) {
  return { end_turn: 'finished', tool_use: 'calls tools', pause_turn: 'paused', max_tokens: 'cut at max_tokens', refusal: 'refused' }[stop] || stop.replaceAll('_', ' ');
}

export function callState(c) {
  if (!c) return { name: 'unknown', text: '' };
  const took = c.started && c.ended ? duration(Math.max(0, c.ended - c.started)) : '';
  if (c.decision && !c.decision.approve) return { name: 'denied', text: 'denied' };
  if (c.result) return c.result.error ? { name: 'failed', text: ['failed', took].filter(Boolean).join(' · ') } : { name: 'ok', text: took || 'answered' };
  if (c.ask && !c.decision) return { name: 'waits', text: 'waits for approval' };
  if (c.asks) return { name: 'waits', text: 'waits for an answer' };
  if (c.started) return { name: 'running', text: ['running', c.progress].filter(Boolean).join(' · ') };
  return { name: 'open', text: 'not yet run' };
}

const bytes = (e) => (e.blocks || []).reduce((n, b) => n + b.bytes, 0);

export const parts = [['read', 'read'], ['written', 'written'], ['new', 'new'], ['output', 'output']];

export function moneyText(s) {
  return parts.map(([k, name]) => `${name} ${count(s[k])}`).join(', ') + ', ' + usd(s.usd.total, s.usd.known);
}

export function moneyBar(s) {
  return el('div', { class: 'money' },
    el('div', { class: 'bar', role: 'img', 'aria-label': 'Tokens and price: ' + moneyText(s) },
      parts.map(([k]) => {
        if (!s[k]) return null;
        const seg = el('span', { class: k });
        segments.set(seg, [s, k]);
        stretch(seg);
        return seg;
      })),
    el('ul', {},
      parts.map(([k, name]) => el('li', { class: k + (s[k] ? '' : ' none') }, el('span', { class: 'dot' }), `${name} ${tokens(s[k])}`, el('span', { class: 'usd' }, usd(s.usd[k], s.usd.known)))),
      s.usd.other ? el('li', {}, 'searches', el('span', { class: 'usd' }, usd(s.usd.other))) : null,
      el('li', { class: 'total' }, usd(s.usd.total, s.usd.known))));
}

const segments = new WeakMap(); // of bars: the step and the part

function stretch(seg) {
  const [s, k] = segments.get(seg), total = parts.reduce((n, [p]) => n + money.of(s, p), 0) || 1;
  seg.style.flexGrow = money.of(s, k) / total;
}

/** turnBars draws all bars in the unit that is shown now. */
export function turnBars() {
  for (const seg of document.querySelectorAll('.money .bar span')) if (segments.has(seg)) stretch(seg);
}

/** causes names what was added to the prompt before a step, and about what each part
 * cost: by its share of the bytes. */
function causes(row) {
  const s = row.entry.step, all = row.added.reduce((n, a) => n + a.bytes, 0);
  const cost = s.usd.new + s.usd.written;
  if (s.miss || s.number === 1 || !all || !cost) return null;
  const dear = [...row.added].sort((a, b) => b.bytes - a.bytes).slice(0, 3);
  return el('p', { class: 'causes' }, 'Added to the prompt: ', dear.map((a, i) => [i ? ', ' : '', el('strong', {}, a.name), ` ${size(a.bytes)}, about ${usd(cost * a.bytes / all)}`]),
    row.added.length > 3 ? ` and ${row.added.length - 3} more` : '');
}

function missBox(m) {
  return el('div', { class: 'miss' },
    el('p', {}, el('strong', {}, `Cache miss: ${m.reason.replaceAll('_', ' ')}. `), `${count(m.tokens)} tokens were there before and were not read`, m.usd ? [', which cost ', el('strong', {}, usd(m.usd, m.known)), ' more'] : '', '. ', m.detail),
    m.place ? el('div', {}, el('p', {}, 'First block that differs: ', el('code', {}, m.place)),
      el('pre', { class: 'before' }, '− ' + (m.before || '(nothing)')), el('pre', { class: 'after' }, '+ ' + (m.after || '(nothing)'))) : null);
}
