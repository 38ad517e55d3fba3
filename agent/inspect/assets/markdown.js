// Markdown as it was written, with its marks: what is bold, code or a heading looks so,
// and not a character is taken away, so that the text is still the model's.

import { el } from './dom.js';

// Bounded, so that a text made for it can't take the page's time.
const inline = /`[^`\n]{1,300}`|\*\*(?=\S)[^*\n]{1,500}\*\*|(?<![*\w])\*(?=\S)[^*\n]{1,500}\*(?![*\w])/g;

/** marked is a text as strings and elements. */
export function marked(text) {
  const out = [];
  let plain = '', fence = '', code = '';
  const flush = () => { if (plain) { out.push(...spans(plain)); plain = ''; } };
  for (const line of text.split(/(?<=\n)/)) {
    const m = /^\s*(```|~~~)/.exec(line);
    if (fence) {
      code += line;
      if (m && m[1] === fence) { out.push(el('code', { class: 'fence' }, code)); fence = code = ''; }
    } else if (m) {
      flush();
      fence = m[1];
      code = line;
    } else if (/^#{1,6}\s/.test(line)) {
      flush();
      out.push(el('strong', {}, line));
    } else {
      plain += line;
    }
  }
  flush();
  if (code) out.push(el('code', { class: 'fence' }, code));
  return out;
}

function spans(text) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(inline)) {
    out.push(text.slice(at, m.index), el(m[0][0] === '`' ? 'code' : m[0].startsWith('**') ? 'strong' : 'em', {}, m[0]));
    at = m.index + m[0].length;
  }
  out.push(text.slice(at));
  return out;
}
