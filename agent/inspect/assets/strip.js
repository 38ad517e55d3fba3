// The strip of all requests: one column each, as high as its price or its tokens.

import { $, usd, count, money } from './dom.js';
import { moneyText, parts } from './rows.js';

export class Strip {
  constructor(pick) {
    this.canvas = $('strip');
    this.range = $('pick');
    this.text = $('picked');
    this.steps = [];
    this.selected = null;
    this.range.addEventListener('input', () => pick(this.steps[this.range.value - 1]));
    // The range lies over the canvas, unseen, for the keyboard; the pointer picks a column.
    const at = (ev) => {
      const box = this.canvas.getBoundingClientRect();
      const step = this.steps[Math.floor((ev.clientX - box.left) / this.width())];
      if (step && step !== this.selected) pick(step);
    };
    this.canvas.addEventListener('pointerdown', (ev) => { this.canvas.setPointerCapture(ev.pointerId); at(ev); });
    this.canvas.addEventListener('pointermove', (ev) => { if (ev.buttons) at(ev); });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  width() {
    return Math.min(28, this.canvas.clientWidth / Math.max(1, this.steps.length));
  }

  set(steps, selected) {
    this.steps = steps;
    this.selected = selected;
    this.range.max = Math.max(1, steps.length);
    if (selected) {
      const s = selected.entry.step, told = moneyText(s);
      this.range.value = s.number;
      this.range.setAttribute('aria-valuetext', `Request ${s.number}: ${told}`);
      this.text.textContent = `Request ${s.number} of ${count(steps.length)}: ${told}`;
    } else {
      this.text.textContent = '';
    }
    if (!this.waits) {
      this.waits = true;
      requestAnimationFrame(() => { this.waits = false; this.draw(); });
    }
  }

  draw() {
    const c = this.canvas, scale = devicePixelRatio || 1, w = c.clientWidth, h = c.clientHeight - 4;
    if (!w) return;
    c.width = w * scale;
    c.height = (h + 4) * scale;
    const g = c.getContext('2d');
    g.scale(scale, scale);
    const css = getComputedStyle(document.documentElement);
    const colour = Object.fromEntries(parts.map(([k]) => [k, css.getPropertyValue('--' + k)]));
    const column = this.width();
    let most = 0;
    for (const r of this.steps) most = Math.max(most, sum(r.entry.step));
    most ||= 1;
    // Columns narrower than a pixel share one: the highest of them is drawn.
    const wide = Math.max(1, column);
    for (let x = 0, i = 0; i < this.steps.length; x += wide) {
      const end = column >= 1 ? i + 1 : Math.max(i + 1, Math.round((x + 1) / column));
      let s = this.steps[i].entry.step, missed = false;
      for (; i < Math.min(end, this.steps.length); i++) {
        const other = this.steps[i].entry.step;
        if (sum(other) > sum(s)) s = other;
        missed = missed || other.miss;
      }
      let y = h;
      for (const [k] of parts) {
        const height = money.of(s, k) / most * (h - 6);
        g.fillStyle = colour[k];
        g.fillRect(x, y - height, wide - (wide > 3 ? 1 : 0), height);
        y -= height;
      }
      if (missed) {
        g.fillStyle = css.getPropertyValue('--bad');
        g.fillRect(x, 0, Math.max(2, wide - 1), 3);
      }
    }
    if (this.selected) {
      g.fillStyle = css.getPropertyValue('--ink');
      const x = (this.selected.entry.step.number - 1) * column, wide = Math.max(3, column - 1);
      g.fillRect(x, h, wide, 3);
      g.globalAlpha = 0.12;
      g.fillRect(x, 0, wide, h);
    }
  }
}

function sum(s) { return parts.reduce((n, [k]) => n + money.of(s, k), 0); }

/** totals is what the head of the page says of a session. */
export function totals(steps, asides) {
  const t = { read: 0, written: 0, new: 0, output: 0, usd: 0, known: true, misses: 0, sent: 0 };
  for (const r of steps) {
    const s = r.entry.step;
    for (const [k] of parts) t[k] += s[k];
    t.usd += s.usd.total;
    t.known = t.known && s.usd.known;
    if (s.miss) t.misses++;
    t.sent += s.sent || 0;
  }
  for (const { entry: { aside } } of asides) {
    for (const [k] of parts) t[k] += aside[k];
    t.sent += aside.sent || 0;
    t.usd += aside.usd.total;
    t.known = t.known && aside.usd.known;
  }
  const prompt = t.read + t.written + t.new;
  t.share = prompt ? (100 * t.read / prompt).toFixed(1) + ' %' : '–';
  t.money = steps.length ? usd(t.usd, t.known) : '–';
  return t;
}
