// What waits for somebody, over all sessions, in one place.

import { el, ago, call, count } from './dom.js';
import { plain } from './visible.js';

const most = 50; // sessions that are asked

export class Waits {
  /** about(id) is what the list of sessions says of one. */
  constructor(about) {
    this.about = about;
    this.box = el('section', { class: 'waiting', 'aria-label': 'What waits for you', hidden: true });
  }

  /** load asks what waits in some sessions, and shows it. What waits in a sub-agent's
   * session is told with the outermost one. */
  async load(sessions) {
    const ids = new Set(sessions.map((s) => s.id)), items = [], told = new Set();
    const roots = sessions.filter((s) => !ids.has(s.parent));
    for (const s of roots.slice(0, most)) {
      try {
        for (const w of (await (await call(`api/sessions/${encodeURIComponent(s.id)}/waits`)).json()).waits) {
          const key = JSON.stringify([w.session, w.call, w.question?.key]);
          if (!told.has(key)) items.push(w);
          told.add(key);
        }
      } catch { /* the session's own line says what is wrong */ }
    }
    items.sort((a, b) => (a.since || 0) - (b.since || 0));
    this.show(items, roots.length - most);
  }

  show(items, more) {
    this.box.hidden = !items.length;
    const focus = document.activeElement?.dataset?.waits;
    this.box.replaceChildren(el('h2', {}, items.length === 1 ? 'One waits for you' : `${count(items.length)} wait for you`),
      el('ul', {}, items.map((w, i) => {
        const root = this.about(w.session) || {}, user = root.meta?.user;
        return el('li', {},
          el('a', { href: '#' + encodeURIComponent(w.session), data: { waits: i } }, w.question ? [el('strong', {}, w.tool), ' asks'] : ['May ', el('strong', {}, w.tool), ' be called?']),
          w.why ? el('span', { class: 'why' }, w.why) : null,
          el('span', { class: 'about' }, [root.title || w.session, user, w.since ? ago(w.since) : ''].filter(Boolean).map(plain).join(' · ')));
      })), more > 0 ? el('p', { class: 'quiet' }, `And in ${count(more)} more sessions.`) : '');
    if (focus) this.box.querySelector(`[data-waits="${CSS.escape(focus)}"]`)?.focus();
  }
}
