// The response that streams: a row that grows, until the record of it takes its
// place.

import { el, size } from './dom.js';
import { draw } from './markdown.js';
import { asWritten } from './rows.js';
import { extend } from './visible.js';

export class LiveRow {
  /** scroller is where the row stands, behind all others. */
  constructor(scroller) {
    this.scroller = scroller;
    this.row = null;
    this.blocks = []; // { text, details, bytes, label }
  }

  clear() {
    this.row?.remove();
    this.row = null;
    this.blocks = [];
  }

  /** take hands the row over to the record that came: tells which blocks were
   * unfolded, and removes it. */
  take() {
    const open = this.blocks.map((b) => Boolean(b?.details?.open));
    this.clear();
    return open;
  }

  /** show adds what came. number is that of the step. */
  show(view, number) {
    if (view.fresh) this.clear();
    this.n = view.n; // that its record will have
    if (!this.row) this.begin(number);
    for (const b of view.blocks || []) {
      const block = this.blocks[b.i] || (this.blocks[b.i] = this.block(b));
      block.add(b.add);
      block.bytes += b.add.length;
      if (block.label) block.label.textContent = size(block.bytes);
    }
  }

  begin(number) {
    this.body = el('div');
    this.row = el('article', { class: 'row step live built', 'aria-label': `Step ${number}, being written`, 'aria-busy': 'true' },
      el('header', { class: 'rowhead' }, el('h2', {}, 'Step ' + number), el('span', { class: 'stop writing' }, 'the model writes')),
      // As high as what will be told of the tokens and the money.
      el('div', { class: 'money', 'aria-hidden': 'true' }, el('div', { class: 'bar' }), el('ul', {}, el('li', { class: 'quiet' }, 'Tokens are counted at the end.'))),
      this.body);
    this.scroller.append(this.row);
  }

  block(b) {
    const text = el('span');
    let add = (more) => extend(text, more);
    const label = el('span', { class: 'bytes' });
    let details = null, box;
    switch (b.type) {
      case 'text':
        if (asWritten.on) {
          box = el('div', { class: 'block' }, el('div', { class: 'text' }, text));
          break;
        }
        box = el('div', { class: 'block' }, el('div', { class: 'text md' }));
        { // it is drawn once a frame, however many pieces come
          let all = '', waits = false;
          add = (more) => {
            all += more;
            if (!waits) requestAnimationFrame(() => { waits = false; draw(box.firstChild, all, { make: el, top: 2, partial: true }); });
            waits = true;
          };
        }
        break;
      case 'thinking':
        box = details = el('details', { class: 'thinking' }, el('summary', {}, 'Thinking · ', label), el('div', { class: 'text' }, text));
        break;
      case 'tool_use': case 'server_tool_use': case 'mcp_tool_use':
        box = el('section', { class: 'call', 'aria-label': 'Tool call ' + b.name },
          el('header', {}, el('span', { class: 'tool' }, b.name), el('code', { class: 'args' }, text)));
        break;
      default:
        box = el('p', { class: 'quiet' }, b.type.replaceAll('_', ' '), text);
    }
    this.body.append(box);
    return { add, details, bytes: 0, label: details && label };
  }
}
