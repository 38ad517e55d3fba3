// What waits for people: calls for a decision, questions for an answer, in the
// session and in those of its sub-agents. And the list of what is to be done.

import { el, ago, duration } from './dom.js';
import { pretty } from './rawjson.js';
import { exact } from './visible.js';

/** Asks shows what waits. What its user has begun to write stays when it is drawn again. */
export class Asks {
  constructor(act) {
    this.act = act;
    this.list = null; // nothing is known yet
    this.text = '';
    this.drafts = new Map(); // hash of a question -> what was written and chosen
  }

  /** take takes what waits, and tells whether that is something new. */
  take(list) {
    const text = JSON.stringify(list), fresh = text !== this.text;
    this.list = list;
    this.text = text;
    const there = new Set(list.map((w) => w.question?.hash));
    for (const hash of this.drafts.keys()) if (!there.has(hash)) this.drafts.delete(hash);
    return fresh;
  }

  build() {
    const calls = this.list.filter((w) => !w.question), questions = this.list.filter((w) => w.question);
    return [
      calls.length ? el('strong', {}, calls.length === 1 ? 'A call waits for your approval: ' : `${calls.length} calls wait for your approval: `) : null,
      calls.map((w) => el('button', { class: 'small', title: since(w).slice(3), onclick: () => this.act.show(w) }, who(w))),
      questions.length ? el('strong', { class: 'asked' }, questions.length === 1 ? 'A question waits for an answer:' : `${questions.length} questions wait for an answer:`) : null,
      questions.map((w) => this.question(w)),
    ];
  }

  question(w) {
    const q = w.question;
    const out = el('section', { class: 'ask', 'aria-label': `Question of ${who(w)}` },
      el('p', { class: 'quiet' }, `${who(w)} asks`, w.kind && w.kind !== 'user' ? ` (${w.kind})` : '', `${since(w)}${until(w, q)}`),
      el('p', { class: 'prompt' }, w.why || 'It has no words.'),
      q.data ? el('details', { open: w.kind === 'approval', data: { key: 'data-' + q.hash } }, el('summary', {}, 'Data'), json(q.data)) : null,
      q.schema ? el('details', { data: { key: 'schema-' + q.hash } }, el('summary', {}, 'Schema of the answer'), json(q.schema)) : null);
    if (this.act.readOnly()) {
      if (q.choices) out.append(el('ul', {}, q.choices.map((c) => el('li', {}, c.label))));
      return out;
    }
    if (!this.drafts.has(q.hash)) this.drafts.set(q.hash, { chosen: new Set(), fields: begun(q.fields || []), reason: '' });
    const draft = this.drafts.get(q.hash), buttons = [], error = el('p', { class: 'error', role: 'alert' }, draft.error || '');
    const send = async (form) => {
      if (draft.sending) return;
      draft.sending = true;
      draft.error = '';
      error.replaceChildren();
      buttons.forEach((b) => { b.disabled = true; });
      try {
        await this.act.answer({ session: w.session, call: w.call, key: q.key, hash: q.hash, ...form });
      } catch (err) {
        draft.sending = false;
        draft.error = err.message;
        this.act.draw(); // it may have been drawn again meanwhile
      }
    };
    const button = (cls, key, text, title, act) => {
      const b = el('button', { class: cls, data: { key: key + q.hash }, title, disabled: Boolean(draft.sending), onclick: act }, text);
      buttons.push(b);
      return b;
    };
    const choices = q.choices || [], value = (c) => title(c);
    if (q.several) {
      out.append(el('div', { class: 'choices' }, choices.map((c, i) => {
        const box = el('input', { type: 'checkbox', checked: draft.chosen.has(i), data: { key: `choice-${i}-${q.hash}` },
          onchange: () => { if (box.checked) draft.chosen.add(i); else draft.chosen.delete(i); } });
        return el('label', { title: value(c) }, box, ' ', c.label);
      })), el('div', { class: 'buttons' }, button('approve', 'choose', 'Answer with these', null,
        () => send({ value: '[' + choices.filter((_, i) => draft.chosen.has(i)).map((c) => c.value).join(',') + ']' }))));
    } else if (choices.length) {
      out.append(el('div', { class: 'buttons choices' }, choices.map((c, i) => button('', `choice-${i}-`, c.label, value(c), () => send({ value: c.value })))));
    }
    if (q.fields) {
      out.append(el('div', { class: 'fields' }, q.fields.map((f) => field(f, draft, q.hash, choices.length > 0))),
        el('div', { class: 'buttons' }, button('approve', 'answer', 'Answer', null, () => send({ given: given(q.fields, draft) }))));
    }
    const reason = el('input', { type: 'text', placeholder: 'Reason, if declined', 'aria-label': 'Reason, if declined', value: draft.reason, data: { key: 'reason-' + q.hash }, oninput: () => { draft.reason = reason.value; } });
    out.append(el('div', { class: 'buttons' }, button('deny', 'decline', 'Decline', null, () => send({ decline: true, reason: reason.value })), reason), error);
    return out;
  }
}

/** begun is what the fields of a form begin with: a text, or the set of the choices. */
function begun(fields) {
  const start = (f) => f.kind === 'choices' ? new Set() : f.default || '';
  return new Map(fields.map((f) => [f.name, start(f)]));
}

/** given is what was filled in, as the server takes it. */
function given(fields, draft) {
  const list = (v) => v instanceof Set ? [...v] : v === '' ? [] : [v];
  return Object.fromEntries(fields.map((f) => [f.name, f.kind === 'text' && f.required ? [draft.fields.get(f.name)] : list(draft.fields.get(f.name))]));
}

const yesOrNo = [{ value: 'true', label: 'yes' }, { value: 'false', label: 'no' }];

/** field is what one part of an answer is filled in with. */
function field(f, draft, hash, besides) {
  const whole = { json: 'An answer, as JSON', number: 'A number' }[f.kind] || (besides ? 'An answer in other words' : 'An answer');
  const name = f.name ? (f.title || f.name) + (f.required ? '' : ' (may be left out)') : f.title || whole;
  const hint = f.description ? el('p', { class: 'quiet' }, f.description) : null;
  const key = `field-${f.name}-${hash}`, value = draft.fields.get(f.name);
  if (f.kind === 'choice' || f.kind === 'choices' || f.kind === 'boolean') {
    const several = f.kind === 'choices';
    return el('div', { class: 'choices', role: 'group', 'aria-label': name }, f.name ? el('p', {}, name) : null, (f.kind === 'boolean' ? yesOrNo : f.choices).map((c, i) => {
      const box = el('input', { type: several ? 'checkbox' : 'radio', name: key, checked: several ? value.has(c.value) : value === c.value, data: { key: `${key}-${i}` },
        onchange: () => { if (!several) draft.fields.set(f.name, c.value); else if (box.checked) value.add(c.value); else value.delete(c.value); } });
      return el('label', { title: title(c) }, box, ' ', c.label);
    }), hint);
  }
  const props = { value, placeholder: name, 'aria-label': name, spellcheck: f.kind === 'text', data: { key }, oninput: () => { draft.fields.set(f.name, text.value); } };
  const text = f.kind === 'number' ? el('input', { type: 'text', ...props }) : el('textarea', { rows: 2, ...props });
  return el('div', {}, f.name ? el('p', {}, name) : null, text, hint);
}

/** who is the tool that asks, behind the names of the sub-agents that it is of. */
const who = (w) => [...(w.agents || []), w.tool].join(' › ');

const since = (w) => w.since ? ` · since ${new Date(w.since).toLocaleString()} (${ago(w.since)})` : '';

function until(w, q) {
  if (!w.until) return '';
  const left = w.until - Date.now();
  return ` · until ${new Date(w.until).toLocaleString()} (${left > 0 ? 'another ' + duration(left) : 'over'})${q.default ? ', then: ' + q.default : ''}`;
}

/** title is what a choice stands for, if its label doesn't say it. */
const title = (c) => c.value === c.label || c.value === JSON.stringify(c.label) ? null : c.value;

function json(text) {
  return el('pre', { class: 'json' }, exact(pretty(text)));
}

const marks = { completed: '✓ ', in_progress: '▸ ', pending: '○ ' };

/** todoList shows the list of what is to be done. */
export function todoList(items, open) {
  const done = items.filter((it) => it.status === 'completed').length;
  return el('details', { open, data: { key: 'todo' } }, el('summary', {}, `To do: ${done} of ${items.length} done`),
    el('ul', {}, items.map((it) => el('li', { class: it.status, 'aria-label': `${it.status.replace('_', ' ')}: ${it.text}` }, marks[it.status] || '○ ', it.text))));
}
