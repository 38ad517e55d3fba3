// Characters that can't be seen: control characters, marks that turn the text
// around, what is invisible. The page shows them as code points, as agent/visible
// does on a terminal.

// Ranges of code points, first and last. A test compares them with agent/visible.
const hidden = [
  [0x0, 0x1f], [0x7f, 0x9f], [0xad, 0xad], [0x34f, 0x34f], [0x61c, 0x61c], [0x115f, 0x1160],
  [0x17b4, 0x17b5], [0x180b, 0x180f], [0x200b, 0x200f], [0x2028, 0x202e], [0x2060, 0x206f], [0x2800, 0x2800],
  [0x3164, 0x3164], [0xd800, 0xdfff], [0xfe00, 0xfe0f], [0xfeff, 0xfeff], [0xffa0, 0xffa0], [0xfff0, 0xfffb],
  [0x13430, 0x1343f], [0x1bca0, 0x1bca3], [0x1d173, 0x1d17a], [0xe0000, 0xe0fff],
];

const within = (c, ranges) => ranges.some(([from, to]) => c >= from && c <= to);
const newline = (c) => c === 0x0a || c === 0x09;
export const isHidden = (c) => !newline(c) && within(c, hidden);

// Where joiners and selectors belong: behind symbols, and in scripts that join.
const symbols = [[0xa9, 0xa9], [0xae, 0xae], [0x203c, 0x203c], [0x2049, 0x2049], [0x2122, 0x2122], [0x2190, 0x27ff], [0x2900, 0x2bff], [0x3030, 0x3030], [0x1f000, 0x1faff]];
const keys = [[0x23, 0x23], [0x2a, 0x2a], [0x30, 0x39]];
const joining = [[0x620, 0x77f], [0x8a0, 0x8c9], [0x900, 0xdff], [0x1000, 0x109f], [0x1780, 0x17b3]];

function belongs(before, c) {
  switch (c) {
    case 0xfe0e: case 0xfe0f: return within(before, symbols) || within(before, keys);
    case 0x200d: return before === 0xfe0f || within(before, symbols) || within(before, joining);
    case 0x200c: return within(before, joining);
  }
  return false;
}

const name = (c) => 'U+' + c.toString(16).toUpperCase().padStart(4, '0');

/** split cuts a text into strings and the numbers of hidden code points. Without
 * exact, joiners and selectors stay where they belong. */
export function split(text, exact) {
  text = String(text);
  if (!/[^\n\t\x20-\x7e]/.test(text)) return text === '' ? [] : [text];
  const out = [];
  let from = 0, before = 0;
  for (let i = 0; i < text.length;) {
    const c = text.codePointAt(i), next = i + (c > 0xffff ? 2 : 1);
    if (isHidden(c) && (exact || !belongs(before, c))) {
      if (i > from) out.push(text.slice(from, i));
      out.push(c);
      from = next;
    }
    before = c;
    i = next;
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

// The most elements that one text gets: a browser stands still over a million of them.
const most = 2000;

/** nodes is a text as strings, and elements for the hidden code points. Those behind
 * the first most are written in the text, as plain does. */
export function nodes(text, exact, room = most) {
  const parts = split(text, exact), out = [];
  let rest = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      if (room > 0) out.push(part);
      else rest += part;
    } else if (room > 0) {
      const e = document.createElement('span');
      e.className = 'codepoint';
      e.textContent = name(part);
      out.push(e);
      room--;
    } else rest += `<${name(part)}>`;
  }
  if (rest) out.push(rest);
  return out;
}

/** exact is for what runs as it stands: every character of it is seen. */
export const exact = (text) => nodes(text, true);

/** plain is a text for where only a string can stand: titles and labels. */
export const plain = (text) => split(text).map((part) => typeof part === 'string' ? part : `<${name(part)}>`).join('');

/** put adds nodes to an element, however many: a function takes some ten thousand
 * arguments, and no more. */
export function put(e, list) {
  for (let i = 0; i < list.length; i += 5000) e.append(...list.slice(i, i + 5000));
}

/** say makes a text all that an element holds. */
export function say(e, text) { e.replaceChildren(...nodes(text)); }

/** extend adds to the text of an element. */
export function extend(e, text) {
  for (const n of nodes(text, false, most - e.childElementCount)) {
    if (typeof n === 'string' && e.lastChild && e.lastChild.nodeType === 3) e.lastChild.appendData(n);
    else e.append(n);
  }
}

/** escapes writes the hidden characters of JSON text as escapes; its value stays. */
export function escapes(json) {
  return split(json, true).map((part) => {
    if (typeof part === 'string') return part;
    if (part === 0x0d) return '\r'; // between tokens: JSON has none in its strings
    return String.fromCodePoint(part).split('').map((u) => '\\u' + u.charCodeAt(0).toString(16).padStart(4, '0')).join('');
  }).join('');
}
