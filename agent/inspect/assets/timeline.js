// The timeline: when each model call, tool call and wait began and ended.

import { el, duration, clock } from './dom.js';
import { callState } from './rows.js';

/** bars lists what took time, in the order in which it began. */
export function bars(transcript) {
  const out = [];
  for (const r of transcript.steps) {
    const s = r.entry.step, end = r.entry.time;
    out.push({ kind: 'model', label: `Step ${s.number}`, from: end - s.took, to: end, first: s.first, row: r });
    for (const c of r.calls) {
      if (c.asked) out.push({ kind: 'wait', label: `wait: ${c.name}`, from: c.asked, to: c.decided || null, row: r });
      if (c.started) out.push({ kind: 'tool ' + callState(c).name, label: c.name, from: c.started, to: c.ended || null, row: r });
    }
  }
  return out;
}

/** items makes list items of bars, and tells how long the scale is, in ms. Long gaps in which nothing happened are cut out of it. */
export function items(list, now) {
  const cuts = [];
  let end = -Infinity, origin = list.length ? list[0].from : 0, removed = 0;
  const sorted = [...list].sort((a, b) => a.from - b.from);
  const most = 60000;
  for (const b of sorted) {
    if (end > -Infinity && b.from - end > most) {
      removed += b.from - end - most;
      cuts.push([b.from, removed]);
    }
    end = Math.max(end, b.to === null ? now : b.to);
  }
  if (sorted.length) origin = sorted[0].from;
  const at = (t) => { let gone = 0; for (const [from, r] of cuts) if (t >= from) gone = r; return t - origin - gone; };
  const whole = Math.max(1, at(end));
  const items = list.map((b, i) => ({ kind: 'bar', n: b.row.n, index: i, bar: b, left: at(b.from) / whole, width: (at(b.to === null ? now : b.to) - at(b.from)) / whole }));
  return { items, whole };
}

/** axis tells the times of the scale, which begins with the first bar. */
export function axis(whole) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((at) => {
    const mark = el('span', {}, at ? (whole < 20 ? (whole * at).toFixed(1) + ' ms' : duration(whole * at)) : '0');
    mark.style.left = 100 * at + '%';
    return mark;
  });
  return el('div', { class: 'axis', 'aria-hidden': 'true' }, el('span'), el('div', {}, marks), el('span'));
}

export function legend() {
  const part = (name, text) => el('span', {}, el('span', { class: name }), text);
  return el('p', { class: 'legend' }, part('first', 'until the first chunk'), part('line model', 'model writes'), part('line', 'tool'), part('line wait', 'waits for approval'), 'Pauses of more than a minute are cut out.');
}

export function build(item, go) {
  const b = item.bar, took = b.to === null ? 'not ended' : duration(b.to - b.from);
  const line = el('span', { class: 'line ' + b.kind });
  line.style.left = (100 * item.left).toFixed(3) + '%';
  line.style.width = `max(2px, ${(100 * item.width).toFixed(3)}%)`;
  if (b.first) {
    const first = el('span', { class: 'first' });
    first.style.width = (100 * Math.min(1, b.first / Math.max(1, b.to - b.from))).toFixed(2) + '%';
    line.append(first);
  }
  return [el('button', { class: 'timeline-row', title: clock(b.from), onclick: () => go(b.row) },
    el('span', { class: 'label ' + b.kind.split(' ')[0] }, b.label), el('span', { class: 'track' }, line), el('span', { class: 'took' }, took))];
}
