// Small things that all parts of the page use. Text gets into the page as text
// only: there is no innerHTML anywhere. Here, too, characters that can't be seen
// become code points.

import { nodes, plain, put } from './visible.js';

// Properties whose strings are shown.
const shown = ['textContent', 'title', 'alt', 'placeholder', 'label'];

/** el makes an element. Properties that begin with "on" are listeners; those with
 * a dash are attributes; class and data are what they say. */
export function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k === 'class') e.className = v;
    else if (k === 'data') Object.assign(e.dataset, v);
    else if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k.includes('-') || k === 'role') e.setAttribute(k, typeof v === 'string' ? plain(v) : v);
    else e[k] = shown.includes(k) ? plain(v) : v;
  }
  put(e, flat(children));
  return e;
}

/** flat takes lists in lists, leaves out what is nothing, and makes of text what can be seen. */
export const flat = (list) => list.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== false && c !== '')
  .flatMap((c) => typeof c === 'object' ? [c] : nodes(c));

export const $ = (id) => document.getElementById(id);

const numbers = new Intl.NumberFormat('en');
export const count = (n) => numbers.format(n);

/** tokens is a number of tokens in brief: 940, 12.3k, 1.25M, 1.20B. */
export function tokens(n) {
  if (n < 1000) return String(n);
  if (n < 1e6) return (n / 1e3).toFixed(n < 1e4 ? 2 : 1) + 'k';
  if (n < 1e9) return (n / 1e6).toFixed(n < 1e8 ? 2 : 0) + 'M';
  return (n / 1e9).toFixed(2) + 'B';
}

/** plural is "1 tool" or "3 tools". */
export const plural = (n, one, many = one + 's') => count(n) + ' ' + (n === 1 ? one : many);

export function usd(v, known = true) {
  if (known && v === 0) return '$0';
  if (!known && !v) return 'price unknown';
  const digits = v < 0.00001 ? 9 : v < 0.01 ? 5 : v < 1 ? 4 : 2;
  return (known ? '$' : 'over $') + v.toFixed(digits);
}

export function size(n) {
  if (n < 1024) return n + ' B';
  if (n < 1 << 20) return (n / 1024).toFixed(1) + ' KB';
  return (n / (1 << 20)).toFixed(1) + ' MB';
}

export function duration(ms) {
  if (ms < 1000) return Math.round(ms) + ' ms';
  if (ms < 60000) return (ms / 1000).toFixed(1) + ' s';
  if (ms < 3600000) return Math.floor(ms / 60000) + ' min ' + Math.round(ms % 60000 / 1000) + ' s';
  return Math.floor(ms / 3600000) + ' h ' + Math.round(ms % 3600000 / 60000) + ' min';
}

/** ago is how long a time is past, in whole seconds. */
export function ago(ms) {
  const d = Math.max(0, Date.now() - ms);
  return d < 5000 ? 'now' : duration(Math.floor(d / 1000) * 1000).replace('.0 s', ' s') + ' ago';
}

/** clock is a time with its date: 28 Nov, 10:05:03; of another year with that. */
export const clock = (ms) => {
  const d = new Date(ms), year = d.getFullYear() === new Date().getFullYear() ? {} : { year: 'numeric' };
  return d.toLocaleString([], { day: 'numeric', month: 'short', ...year, hour: '2-digit', minute: '2-digit', second: '2-digit' });
};

let inUSD = true;
try { inUSD = localStorage.getItem('unit') !== 'tokens'; } catch { /* storage is off: the choice lasts for this page */ }

/** money reports whether the chart and the bars show USD; it can be turned. */
export const money = {
  get on() { return inUSD; },
  turn() {
    inUSD = !inUSD;
    try { localStorage.setItem('unit', inUSD ? 'usd' : 'tokens'); } catch { /* as above */ }
  },
  /** of is a part of a step in the unit that is shown. */
  of: (s, k) => inUSD && s.usd.total ? s.usd[k] : s[k],
};

export async function call(path, body) {
  const r = await fetch(path, body === undefined ? {} : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  if (!r.ok) throw new Error((await r.text()).trim() || r.statusText);
  return r;
}

/** A LazyList holds many items in a scroller, and builds those that come near
 * the view. What is far away is a box of the height it had, or of a guess; the
 * browser skips its layout. */
export class LazyList {
  constructor(scroller, build) {
    this.scroller = scroller;
    this.build = build;
    this.items = new Map(); // element -> item
    this.seen = new IntersectionObserver((changes) => {
      for (const c of changes) if (c.isIntersecting) this.fill(c.target);
    }, { root: scroller, rootMargin: '800px 0px' });
  }
  clear() {
    this.seen.disconnect();
    this.items.clear();
    this.scroller.replaceChildren();
  }
  /** add appends items, each an object that gets an element of its own. */
  add(items) {
    const all = document.createDocumentFragment();
    for (const item of items) {
      item.el = el('article', { class: 'row ' + item.kind, data: { n: item.n }, tabIndex: -1 });
      this.items.set(item.el, item);
      all.append(item.el);
    }
    const first = !this.scroller.querySelector('.row');
    this.scroller.insertBefore(all, this.scroller.querySelector('.live')); // which stays the last
    for (const item of items) this.seen.observe(item.el);
    if (first && items.length) this.around(items[0].el, 0, 12);
  }
  /** around builds an element and some in front of it and behind it now, so that nothing jumps when the view gets there. */
  around(e, before, after) {
    this.fill(e);
    for (let i = 0, p = e.previousElementSibling; p && i < before; i++, p = p.previousElementSibling) this.fill(p);
    for (let i = 0, n = e.nextElementSibling; n && i < after; i++, n = n.nextElementSibling) this.fill(n);
  }
  fill(e) {
    const item = this.items.get(e);
    if (!item || item.built) return;
    item.built = true;
    e.replaceChildren();
    put(e, flat(this.build(item)));
    e.classList.add('built');
    this.seen.unobserve(e);
  }
  /** refresh builds an item again if it was built. */
  refresh(item) {
    if (item.built) redraw(item.el, this.build(item));
  }
}

/** redraw gives an element other children. What its user opened stays open, and where
 * the user is, and writes, stays too: details and controls are known by their data-key,
 * which each has for itself. */
export function redraw(e, children) {
  const open = new Map();
  for (const d of e.querySelectorAll('details[data-key]')) open.set(d.dataset.key, d.open);
  const active = document.activeElement, held = active && e.contains(active) ? active : null;
  const folded = held?.tagName === 'SUMMARY', key = (folded ? held.parentElement : held)?.dataset.key;
  const from = held?.selectionStart, to = held?.selectionEnd, top = held?.scrollTop;
  e.replaceChildren();
  put(e, flat([children]));
  for (const d of e.querySelectorAll('details[data-key]')) if (open.has(d.dataset.key)) d.open = open.get(d.dataset.key);
  let now = key ? e.querySelector(`[data-key="${CSS.escape(key)}"]`) : null;
  if (now && folded) now = now.querySelector('summary');
  now?.focus({ preventScroll: true });
  if (!now || typeof from !== 'number') return;
  now.setSelectionRange(from, to);
  now.scrollTop = top;
}
