// A document that is as strict as the page's policy: nothing makes markup of text.
// It keeps the elements that are made, and refuses what isn't known to be harmless.
var made = [];

const harmless = new Set(['className', 'title', 'alt', 'placeholder', 'label', 'tabIndex', 'hidden', 'open', 'disabled', 'value', 'type',
  'checked', 'rows', 'cols', 'href', 'src', 'htmlFor', 'id', 'spellcheck', 'autocomplete', 'readOnly', 'width', 'height', 'colSpan', 'scope', 'max', 'min', 'download', 'name', 'start', 'target', 'rel', 'session', 'list', 'blocks', 'records', 'inView']);
const tags = new Set(['article', 'header', 'h2', 'h3', 'h4', 'span', 'div', 'p', 'pre', 'code', 'details', 'summary', 'button', 'a', 'ul', 'li', 'ol', 'dl', 'dt', 'dd', 'strong', 'em',
  'table', 'thead', 'tbody', 'tr', 'td', 'th', 'caption', 'label', 'input', 'textarea', 'img', 'form', 'section', 'figure', 'time', 'small', 'hr', 'br', 'blockquote', 'cite', 'del', 'h1', 'h5', 'h6', 'select', 'option']);

function Text(s) { this.nodeType = 3; this.data = String(s); }
Text.prototype.appendData = function (s) { this.data += s; };

function textOf(n) { return n.nodeType === 3 ? n.data : n.children.map(textOf).join(''); }

function makeElement(tag) {
  if (!tags.has(tag)) throw new Error('an element ' + JSON.stringify(tag) + ' is made');
  const at = { nodeType: 1, tag, children: [], attributes: {}, dataset: {}, style: {}, listeners: {} };
  const methods = {
    append(...list) { for (const n of list) at.children.push(typeof n === 'object' && n ? n : new Text(n)); },
    replaceChildren(...list) { at.children = []; methods.append(...list); },
    setAttribute(k, v) {
      if (/^on|^style$|^src|^href|^formaction/i.test(k)) throw new Error('the attribute ' + k + ' is set');
      at.attributes[k] = String(v);
    },
    addEventListener(kind, f) {
      if (typeof f !== 'function') throw new Error('a listener is no function');
      at.listeners[kind] = f;
    },
    remove() {}, focus() {}, querySelector() { return null; }, querySelectorAll() { return []; }, contains() { return false; },
    classList: { add() {}, remove() {}, toggle() {}, contains() { return false; } },
  };
  const e = new Proxy(at, {
    get(t, k) {
      if (k in methods) return methods[k];
      if (k === 'lastChild') return t.children[t.children.length - 1] || null;
      if (k === 'childElementCount') return t.children.filter((c) => c.nodeType === 1).length;
      if (k === 'textContent') return textOf(t);
      return t[k];
    },
    set(t, k, v) {
      if (k === 'textContent') { t.children = v === '' ? [] : [new Text(v)]; return true; }
      if (!harmless.has(k)) throw new Error('the property ' + String(k) + ' is set');
      if ((k === 'href' || k === 'src') && !/^(#|data:image\/(png|jpeg|gif|webp);base64,|api\/)/.test(v) && !(tag === 'a' && /^(https?:\/\/|mailto:)[!-~\u00a1-\uffff]+$/i.test(v))) throw new Error('an address of the data: ' + v);
      t[k] = v;
      return true;
    },
  });
  made.push(at);
  return e;
}

// shownOf is all that a user may see or hear of what was made.
function shownOf() {
  const out = [];
  for (const t of made) {
    for (const c of t.children) if (c.nodeType === 3) out.push(c.data);
    for (const k of ['title', 'alt', 'placeholder', 'label']) if (t[k] !== undefined) out.push(String(t[k]));
    for (const k of Object.keys(t.attributes)) out.push(t.attributes[k]);
  }
  return out.join('\n');
}

var IntersectionObserver = function () { this.observe = this.disconnect = () => {}; };
var document = { createElement: makeElement, getElementById: () => makeElement('div'), activeElement: null };
var Intl = { NumberFormat: function () { this.format = (n) => String(n); } };
