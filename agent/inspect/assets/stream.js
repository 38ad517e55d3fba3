// The stream of a session's events, which goes on where it was when it is cut off.

const kinds = ['records', 'state', 'live', 'replaced'];
const again = 5000; // ms until a stream that was refused is tried again
const unseen = 30000; // ms until a page that nobody sees closes its stream

/** A Stream follows a session until it is closed. A page that nobody sees doesn't: a
 * browser has few connections to a server, which all its tabs share. */
export class Stream {
  /** on has a function for each kind of event, and lost(why, refused). */
  constructor(path, on) {
    this.path = path;
    this.on = on;
    this.last = ''; // id of the newest event
    this.look = () => this.turned();
    document.addEventListener('visibilitychange', this.look);
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    const source = new EventSource(this.path + (this.last ? '?after=' + encodeURIComponent(this.last) : ''));
    this.source = source;
    for (const kind of kinds) {
      source.addEventListener(kind, (ev) => {
        if (ev.lastEventId) this.last = ev.lastEventId;
        this.on[kind](JSON.parse(ev.data));
      });
    }
    source.onerror = () => {
      if (this.source !== source) return;
      if (source.readyState === EventSource.CLOSED) this.refused(); else this.on.lost('connection lost, trying again', false);
    };
  }

  /** refused asks why there is no stream, and tries again: the browser doesn't, once it
   * got an answer that is none, such as a proxy's whose server starts again. */
  async refused() {
    const source = this.source, asks = new AbortController();
    this.timer = setTimeout(() => { asks.abort(); this.open(); }, again);
    let why = 'connection lost';
    try {
      const r = await fetch(this.path, { signal: asks.signal });
      if (!r.ok) why = (await r.text()).trim() || r.statusText;
      asks.abort();
    } catch { /* there is nobody to ask */ }
    if (this.source === source) this.on.lost(why + ' · trying again', true);
  }

  turned() {
    clearTimeout(this.rest);
    if (document.hidden) this.rest = setTimeout(() => this.stop(), unseen);
    else if (!this.source) this.open();
  }

  stop() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  close() {
    document.removeEventListener('visibilitychange', this.look);
    clearTimeout(this.rest);
    this.stop();
  }
}
