'use strict';
// render makes elements of the Markdown that models write. It makes elements and texts
// only, never HTML out of a string, so that nothing a model or a page says can run.
function render(source) {
  const out = document.createElement('div');
  const lines = source.split('\n');
  let at = 0;
  const element = (name, text, parent = out) => {
    const e = document.createElement(name);
    inline(text, e);
    parent.append(e);
    return e;
  };
  while (at < lines.length) {
    const line = lines[at];
    let m;
    if ((m = /^\s*(```|~~~)/.exec(line))) {
      const code = [];
      for (at++; at < lines.length && !lines[at].trimStart().startsWith(m[1]); at++) code.push(lines[at]);
      at++;
      const pre = document.createElement('pre');
      const c = document.createElement('code');
      c.textContent = code.join('\n');
      pre.append(c);
      pre.tabIndex = 0;
      out.append(pre);
    } else if ((m = /^(#{1,6})\s+(.*)/.exec(line))) {
      element('h' + Math.min(6, m[1].length + 1), m[2]);
      at++;
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(line)) {
      const list = document.createElement(/^\s*\d/.test(line) ? 'ol' : 'ul');
      for (; at < lines.length && (m = /^\s*(?:[-*+]|\d+[.)])\s+(.*)/.exec(lines[at])); at++) element('li', m[1], list);
      out.append(list);
    } else if (/^\s*\|.*\|\s*$/.test(line) && /^\s*\|[\s:|-]+\|\s*$/.test(lines[at + 1] || '')) {
      const table = document.createElement('table');
      const row = (text, cell) => {
        const tr = document.createElement('tr');
        text.trim().replace(/^\||\|$/g, '').split('|').forEach((t) => element(cell, t.trim(), tr));
        table.append(tr);
      };
      row(line, 'th');
      for (at += 2; at < lines.length && /^\s*\|.*\|\s*$/.test(lines[at]); at++) row(lines[at], 'td');
      out.append(table);
    } else if ((m = /^>\s?(.*)/.exec(line))) {
      const quote = [];
      for (; at < lines.length && (m = /^>\s?(.*)/.exec(lines[at])); at++) quote.push(m[1]);
      const q = document.createElement('blockquote');
      q.append(...render(quote.join('\n')).childNodes);
      out.append(q);
    } else if (line.trim() === '') {
      at++;
    } else {
      const text = [];
      for (; at < lines.length && lines[at].trim() !== '' && !/^\s*(```|~~~|#{1,6}\s|>|[-*+]\s|\d+[.)]\s)/.test(lines[at]); at++) text.push(lines[at]);
      if (text.length === 0) text.push(lines[at++]);
      element('p', text.join('\n'));
    }
  }
  return out;
}

// inline adds a text with its emphasis, code and links.
function inline(text, parent) {
  const mark = /(`+)([\s\S]+?)\1|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^()\s]+)\)/;
  for (let m; (m = mark.exec(text)); text = text.slice(m.index + m[0].length)) {
    parent.append(text.slice(0, m.index));
    const link = m[5] && /^https?:\/\//i.test(m[6]);
    const e = document.createElement(m[2] ? 'code' : m[3] ? 'strong' : m[4] ? 'em' : link ? 'a' : 'span');
    if (link) {
      e.href = m[6];
      e.rel = 'noopener noreferrer';
      e.target = '_blank';
    }
    if (m[2]) e.textContent = m[2];
    else inline(m[3] || m[4] || (link ? m[5] : m[0].replace(/[[\]]/g, '')), e);
    parent.append(e);
  }
  parent.append(text);
}
