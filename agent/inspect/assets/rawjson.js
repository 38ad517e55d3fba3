// JSON as text. Parsing would change integers above 2^53 and the order of some
// keys, so what is shown as sent is never parsed.

/** skip returns the position behind the value that begins at i. */
export function skip(s, i) {
  const c = s[i];
  if (c === '"') {
    for (i++; i < s.length && s[i] !== '"'; i++) if (s[i] === '\\') i++;
    return i + 1;
  }
  if (c === '{' || c === '[') {
    let depth = 0;
    for (; i < s.length; i++) {
      const d = s[i];
      if (d === '"') i = skip(s, i) - 1;
      else if (d === '{' || d === '[') depth++;
      else if ((d === '}' || d === ']') && --depth === 0) return i + 1;
    }
    return i;
  }
  while (i < s.length && !',]} \n\r\t'.includes(s[i])) i++;
  return i;
}

const space = (s, i) => { while (i < s.length && ' \n\r\t'.includes(s[i])) i++; return i; };

/** members lists [key, text of the value] of an object. */
export function members(s) {
  const out = [];
  let i = space(s, s.indexOf('{') + 1);
  while (i < s.length && s[i] !== '}') {
    const keyEnd = skip(s, i);
    const key = JSON.parse(s.slice(i, keyEnd));
    const from = space(s, s.indexOf(':', keyEnd) + 1);
    const to = skip(s, from);
    out.push([key, s.slice(from, to)]);
    i = space(s, to);
    if (s[i] === ',') i = space(s, i + 1);
  }
  return out;
}

/** elements lists the texts of an array's values. */
export function elements(s) {
  const out = [];
  let i = space(s, s.indexOf('[') + 1);
  while (i < s.length && s[i] !== ']') {
    const to = skip(s, i);
    out.push(s.slice(i, to));
    i = space(s, to);
    if (s[i] === ',') i = space(s, i + 1);
  }
  return out;
}

/** get is the text of an object's member, or "". */
export function get(s, key) {
  for (const [k, v] of members(s)) if (k === key) return v;
  return '';
}

/** pretty lays JSON out over lines; its tokens stay as they are. */
export function pretty(s) {
  let out = '', depth = 0;
  const line = () => { out += '\n' + '  '.repeat(depth); };
  for (let i = 0; i < s.length; i++) {
    const c = s[i];
    if (c === '"') {
      const to = skip(s, i);
      out += s.slice(i, to);
      i = to - 1;
    } else if (c === '{' || c === '[') {
      const next = space(s, i + 1);
      if (s[next] === '}' || s[next] === ']') { out += c + s[next]; i = next; continue; }
      out += c; depth++; line();
    } else if (c === '}' || c === ']') {
      depth--; line(); out += c;
    } else if (c === ',') {
      out += c; line();
    } else if (c === ':') {
      out += ': ';
    } else if (!' \n\r\t'.includes(c)) {
      out += c;
    }
  }
  return out;
}
