// Markdown as models write it: headings, nested lists, tables, code, quotes, links,
// emphasis. It makes elements and texts, never markup out of a string, so nothing that a
// model or a web page says can run. Links have one of three schemes; pictures are links,
// since loading one would tell a stranger what was said. agent/inspect and
// examples/server have the same file.
//
// Options: make(tag, props, ...children) makes an element. partial says that the text is
// still being written: then what only begins (half a table, half a link) looks already
// like what it will be, so that nothing jumps. top is added to the level of headings.
// copy(text), if there is one, copies code.

const deepest = 8; // of lists, quotes and emphasis in one another
const farthest = 2000; // characters to the other end of an emphasis or a link
const longest = 500; // characters of a link's words

/** draw makes an element show a text. Blocks that are as they were before stay. */
export function draw(box, text, options) {
  const blocks = parse(text.replace(/\r\n?/g, '\n').split('\n'), Boolean(options.partial), 0);
  const was = box.blocks || [];
  let same = 0;
  while (same < blocks.length && same < was.length && key(blocks[same]) === was[same].key) same++;
  for (const b of was.slice(same)) b.element.remove();
  box.blocks = was.slice(0, same).concat(blocks.slice(same).map((b) => {
    const element = build(b, options);
    box.append(element);
    return { key: key(b), element };
  }));
}

/** rendered is a text as a list of elements. */
export function rendered(text, options) {
  return parse(text.replace(/\r\n?/g, '\n').split('\n'), Boolean(options.partial), 0).map((b) => build(b, options));
}

const key = (b) => (b.open ? '…' : '') + b.source;

// ---- blocks

const fence = /^ {0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$/;
const heading = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const rule = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const marker = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const begun = /^ {0,3}(?:`{1,2}|~{1,2}|#{1,6}|[-*+_]{1,2}|\d{1,9}[.)]?|>)$/; // may become a block's beginning

const indent = (line) => line.length - line.trimStart().length;
const blank = (line) => line.trim() === '';

/** parse cuts lines into blocks. */
function parse(lines, partial, depth) {
  const out = [];
  let at = 0;
  lines = lines.map((l) => l.replace(/^[ \t]+/, (s) => s.replace(/\t/g, '    ')));
  const add = (type, end, more) => {
    const open = partial && end >= lines.length;
    out.push({ type, source: lines.slice(at, end).join('\n'), open, ...more });
    at = end;
  };
  while (at < lines.length) {
    const line = lines[at];
    let m;
    if (blank(line)) {
      at++;
    } else if ((m = fence.exec(line))) {
      let end = at + 1;
      const ends = (l) => { const t = l.trim(); return t.length >= m[1].length && t === m[1][0].repeat(t.length); };
      while (end < lines.length && !ends(lines[end])) end++;
      const code = lines.slice(at + 1, end);
      // The fence that ends it may be half there.
      if (partial && end >= lines.length && code.length && /^(`{1,}|~{1,})$/.test(code[code.length - 1].trim())) code.pop();
      add('code', Math.min(end + 1, lines.length), { text: code.join('\n'), language: /^[\w+#.-]{0,30}/.exec(m[2].trim())[0] });
    } else if ((m = heading.exec(line))) {
      add('heading', at + 1, { level: m[1].length, text: line.slice(m[0].length).trim().replace(/(^|[ \t])#+$/, '') });
    } else if (rule.test(line)) {
      add('rule', at + 1);
    } else if (/^ {0,3}>/.test(line)) {
      let end = at;
      const inner = [];
      while (end < lines.length && !blank(lines[end]) && (/^ {0,3}>/.test(lines[end]) || !starts(lines, end))) inner.push(lines[end++].replace(/^ {0,3}> ?/, ''));
      add('quote', end, depth < deepest ? { blocks: parse(inner, partial && end >= lines.length, depth + 1) } : { type: 'paragraph', text: inner.join('\n') });
    } else if (depth < deepest && (m = marker.exec(line))) {
      const { end, items, last } = list(lines, at, m);
      const ordered = /\d/.test(m[2]);
      add('list', end, { ordered, start: ordered ? Number.parseInt(m[2], 10) : 1, items: items.map((item, i) => {
        const blocks = parse(item, partial && end >= lines.length && i === last, depth + 1);
        const task = blocks[0]?.type === 'paragraph' && /^\[([ xX])\] /.exec(blocks[0].text);
        if (task) blocks[0].text = (task[1] === ' ' ? '☐ ' : '☑ ') + blocks[0].text.slice(4);
        return blocks;
      }) });
    } else if ((m = table(lines, at, partial))) {
      add('table', m.end, m);
    } else if (partial && at === lines.length - 1 && begun.test(line)) {
      at++; // nothing is shown of it yet
    } else {
      let end = at + 1;
      while (end < lines.length && !blank(lines[end]) && !starts(lines, end) && !table(lines, end, partial)) end++;
      let text = lines.slice(at, end).map((l) => l.trimStart()).join('\n');
      if (partial && end >= lines.length) text = text.replace(/\n {0,3}(?:`{1,2}|~{1,2}|#{1,6}|[-*+_]{1,2}|\d{1,9}[.)]?|>)$/, '');
      add('paragraph', end, { text });
    }
  }
  return out;
}

/** starts reports whether a line begins another block in the middle of a paragraph. */
function starts(lines, at) {
  const line = lines[at];
  const m = marker.exec(line);
  return fence.test(line) || heading.test(line) || rule.test(line) || /^ {0,3}>/.test(line) || m && m[0].length < line.length && (!/\d/.test(m[2]) || /^1[.)]$/.test(m[2]));
}

/** list takes the items of the list that begins at a line, each as lines of its own. */
function list(lines, at, first) {
  const base = first[1].length, ordered = /\d/.test(first[2]), items = [];
  let end = at, content = 0;
  while (end < lines.length) {
    const line = lines[end], m = marker.exec(line);
    if (blank(line)) {
      let next = end;
      while (next < lines.length && blank(lines[next])) next++;
      const n = next < lines.length && marker.exec(lines[next]);
      const goesOn = next < lines.length && (indent(lines[next]) >= content && content > base || n && (n[1].length > base || same(n)));
      if (!goesOn) break;
      for (; end < next; end++) items[items.length - 1].push('');
      continue;
    }
    if (m && m[1].length <= base + 1 && !rule.test(line)) {
      if (items.length && !same(m)) break;
      content = Math.min(m[0].length, m[1].length + m[2].length + 4);
      items.push([line.slice(m[0].length)]);
    } else if (indent(line) > base || !starts(lines, end) && !blank(lines[end - 1] || '')) {
      items[items.length - 1].push(line.slice(Math.min(indent(line), content)));
    } else {
      break;
    }
    end++;
  }
  return { end, items, last: items.length - 1 };
  function same(m) { return m[1].length <= base + 1 && /\d/.test(m[2]) === ordered && (ordered || m[2] === first[2]); }
}

/** cells are those of a row of a table. */
function cells(line) {
  const out = [];
  let text = line.trim(), cell = '';
  if (text.startsWith('|')) text = text.slice(1);
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && text[i + 1] === '|') { cell += '|'; i++; } else if (text[i] === '|') { out.push(cell.trim()); cell = ''; } else cell += text[i];
  }
  if (cell.trim() || !out.length) out.push(cell.trim());
  return out;
}

/** table is the table that begins at a line, if one does. */
function table(lines, at, partial) {
  if (!lines[at].includes('|')) return null;
  const head = cells(lines[at]), below = lines[at + 1], last = at + 2 >= lines.length;
  const delimiter = below !== undefined && below.includes('-') ? cells(below) : [];
  const whole = delimiter.length === head.length && delimiter.every((c) => /^:?-+:?$/.test(c));
  const half = partial && lines[at].trimStart().startsWith('|') && (below === undefined || last && /^[\s|:-]*$/.test(below));
  if (!whole && !half) return null;
  if (half && !whole) return { end: lines.length, head, align: [], rows: [] };
  let end = at + 2;
  while (end < lines.length && !blank(lines[end]) && lines[end].includes('|') && !fence.test(lines[end])) end++;
  if (partial && end === lines.length - 1 && lines[end].trim() === '') end = lines.length;
  return { end, head, align: delimiter.map((c) => (c.endsWith(':') ? (c.startsWith(':') ? 'center' : 'right') : '')), rows: lines.slice(at + 2, end).filter((l) => !blank(l)).map((l) => cells(l).slice(0, head.length)) };
}

function build(b, o) {
  const { make } = o;
  const inside = (text) => inline(text, o, b.open, 0);
  switch (b.type) {
    case 'code':
      return make('div', { class: 'code' },
        b.language || o.copy ? make('div', { class: 'codehead' }, make('span', {}, b.language || 'code'), o.copy ? make('button', { class: 'copy', type: 'button', onclick: (ev) => o.copy(b.text, ev.currentTarget) }, 'Copy') : '') : '',
        make('pre', { tabIndex: 0 }, make('code', {}, b.text)));
    case 'heading': return make('h' + Math.min(6, b.level + (o.top ?? 1)), {}, inside(b.text));
    case 'rule': return make('hr', {});
    case 'quote': return make('blockquote', {}, b.blocks.map((c) => build(c, o)));
    case 'list':
      return make(b.ordered ? 'ol' : 'ul', b.ordered && b.start !== 1 ? { start: b.start } : {}, b.items.map((blocks) =>
        make('li', {}, blocks.map((c, i) => (c.type === 'paragraph' && (i === 0 || blocks.length === 1) ? inline(c.text, o, c.open, 0) : build(c, o))))));
    case 'table': {
      const row = (list, tag) => make('tr', {}, b.head.map((_, i) => make(tag, { class: b.align[i] || '' }, inline(list[i] || '', o, b.open, 0))));
      return make('div', { class: 'table', tabIndex: 0, role: 'group', 'aria-label': 'Table' },
        make('table', {}, make('thead', {}, row(b.head, 'th')), make('tbody', {}, b.rows.map((r) => row(r, 'td')))));
    }
  }
  return make('p', {}, inside(b.text));
}

// ---- inside a block

const url = /^https?:\/\/[^\s<>"`|\\^{}]+/i;
const safe = /^(?:https?:\/\/|mailto:)[^\s\u0000-\u001f\u007f]+$/i;
const domain = /(?:[\w\u00a1-\uffff-]+\.)+[a-z\u00a1-\uffff]{2,}/gi; // and names of files, whose address does no harm
const letter = (c) => c >= '0' && c <= '9' || c.toLowerCase() !== c.toUpperCase() || c > '\u2e7f';

/** inline is a text with its emphasis, code and links, as strings and elements. */
function inline(text, o, open, depth) {
  const out = [], { make } = o, limit = (i) => Math.min(text.length, i + farthest);
  let plain = '', m;
  const flush = () => { if (plain) { out.push(plain); plain = ''; } };
  const push = (e) => { flush(); out.push(e); };
  const deep = (s, rest, options = o) => (depth < deepest ? inline(s, options, rest, depth + 1) : [s]);
  const none = {}; // mark -> where no end of an emphasis is in front of
  const runs = new Map(); // length of a run of backticks -> where such runs are
  const ticks = (n, from) => { // from grows from call to call
    if (!runs.size) {
      runs.set(0, { at: [], next: 0 });
      for (const m of text.matchAll(/`+/g)) {
        if (!runs.has(m[0].length)) runs.set(m[0].length, { at: [], next: 0 });
        runs.get(m[0].length).at.push(m.index);
      }
    }
    const r = runs.get(n);
    while (r && r.at[r.next] < from) r.next++;
    return r?.at[r.next] ?? -1;
  };
  for (let i = 0; i < text.length;) {
    const c = text[i];
    if (c === '\n') {
      plain = plain.replace(/ +$/, '');
      push(make('br', {}));
      i++;
    } else if (c === '\\' && /[!-/:-@[-`{-~]/.test(text[i + 1] || '')) {
      plain += text[i + 1];
      i += 2;
    } else if (c === '\\' && text[i + 1] === '\n') {
      i++;
    } else if (c === '`') {
      let n = 1;
      while (text[i + n] === '`') n++;
      const end = ticks(n, i + n);
      if (end > 0) {
        const code = text.slice(i + n, end).replace(/\n/g, ' ');
        push(make('code', {}, code.length > 2 && code.startsWith(' ') && code.endsWith(' ') && code.trim() ? code.slice(1, -1) : code));
        i = end + n;
      } else if (open && n < 3 && i + n < text.length) { // its end is to come
        push(make('code', {}, text.slice(i + n).replace(/`+$/, '')));
        i = text.length;
      } else {
        if (!open || i + n < text.length) plain += '`'.repeat(n);
        i += n;
      }
    } else if (c === '*' || c === '_' || c === '~' && text[i + 1] === '~') {
      const two = text[i + 1] === c, mark = two ? c + c : c;
      const from = i + mark.length, before = text[i - 1] || ' ', next = text[from];
      const opens = next !== undefined && !/\s/.test(next) && !(c === '_' && letter(before));
      let end = -1;
      if (opens) for (let j = text.indexOf(mark, Math.max(from + 1, none[mark] || 0)); ; j = text.indexOf(mark, j + 1)) {
        if (j < 0 || j > limit(from)) { none[mark] = limit(from); break; }
        if (/\s/.test(text[j - 1]) || text[j - 1] === '\\' || c === '_' && letter(text[j + mark.length] || ' ')) continue;
        if (!two && (text[j + 1] === c || text[j - 1] === c)) { while (text[j + 1] === c) j++; continue; }
        if (two && text[j + 2] === c && text[j + 3] !== c) j++; // of three, the last two
        end = j;
        break;
      }
      const tag = two ? (c === '~' ? 'del' : 'strong') : 'em';
      if (end > from) {
        push(make(tag, {}, deep(text.slice(from, end), false)));
        i = end + mark.length;
      } else if (opens && open && text.length - from < farthest) { // its end is to come
        push(make(tag, {}, deep(text.slice(from).replace(/[*_~]+$/, ''), true)));
        i = text.length;
      } else {
        if (!open || from < text.length) plain += mark;
        i = from;
      }
    } else if (!o.linked && (c === '[' || c === '!' && text[i + 1] === '[')) {
      const l = link(text, i + (c === '!' ? 2 : 1), limit(i), open);
      if (l) push(anchor(l.href, c === '!' ? [l.text || 'picture'] : deep(l.text, l.half, { ...o, linked: true }), o));
      else if (!open || i + 1 < text.length) plain += c;
      i = l ? l.end : i + 1;
    } else if (c === '<' && !o.linked && /^<(?:https?:\/\/|mailto:)[^\s<>]{1,2000}>/i.test(text.slice(i, limit(i)))) {
      const end = text.indexOf('>', i);
      push(anchor(text.slice(i + 1, end), [text.slice(i + 1, end)], o));
      i = end + 1;
    } else if ((c === 'h' || c === 'H') && !o.linked && !letter(text[i - 1] || ' ') && url.test(text.slice(i, limit(i)))) {
      let href = url.exec(text.slice(i, limit(i)))[0].replace(/[.,;:!?'*_~\]]+$/, '');
      while (href.endsWith(')') && href.split(')').length > href.split('(').length) href = href.slice(0, -1).replace(/[.,;:!?'*_~]+$/, '');
      push(anchor(href, [href], o));
      i += href.length;
    } else if (c === '&' && (m = /^&(amp|lt|gt|quot|nbsp|#39);/.exec(text.slice(i, i + 7)))) {
      plain += { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: '\u00a0', '#39': "'" }[m[1]];
      i += m[0].length;
    } else {
      if (!open || i + 1 < text.length || c !== '~') plain += c;
      i++;
    }
  }
  flush();
  return out;
}

/** link reads what follows the bracket of a link. */
function link(text, from, limit, open) {
  let depth = 1, at = from;
  for (const most = Math.min(limit, from + longest); at < most; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') depth++;
    else if (text[at] === ']' && --depth === 0) break;
  }
  if (depth) return open && at >= text.length && from < text.length && !text.slice(from).includes('\n') ? { text: text.slice(from), href: '', end: text.length, half: true } : null;
  const said = text.slice(from, at);
  if (open && at + 1 === text.length) return { text: said, href: '', end: text.length, half: true };
  if (text[at + 1] !== '(') return null;
  const m = /^\(\s*(?:<([^<>\n]*)>|((?:[^\s()\\]|\\.|\([^\s()]*\))*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/.exec(text.slice(at + 1, at + 1 + farthest));
  if (m) return { text: said, href: (m[1] ?? m[2]).replace(/\\([!-/:-@[-`{-~])/g, '$1'), end: at + 1 + m[0].length };
  const rest = text.slice(at + 1);
  return open && rest.length < farthest && !/[)\n]/.test(rest) ? { text: said, href: '', end: text.length, half: true } : null;
}

/** anchor is a link, or its words alone if its address is none that a click should open.
 * Words that are or have another address than the link's don't hide where it leads. */
function anchor(href, children, { make }) {
  if (!safe.test(href)) return make('span', href ? { title: href } : {}, children);
  const said = children.map((c) => (typeof c === 'string' ? c : c.textContent)).join('').trim(); // as it is seen: words in bold are words
  const host = /^https?:\/\/(?:[^/\\?#]*@)?([^/\\?#:@]+)/i.exec(href)?.[1];
  const other = (domain) => domain.replace(/^www\./i, '').toLowerCase() !== host?.replace(/^www\./i, '').toLowerCase();
  const hides = said !== href && said !== href.replace(/^mailto:/i, '') && (/^\W*(?:https?:\/\/|www\.)/i.test(said) || (said.match(domain) || []).some(other));
  return make('a', { href, title: href, target: '_blank', rel: 'noopener noreferrer nofollow' }, children, hides ? ` (${href})` : '');
}
