// What happens, as it happens. The browser resumes after a broken connection by itself; after a refusal we do.

const EVENTS = [
  "hello",
  "reset",
  "trade.changed",
  "watchlist.event.opened",
  "watchlist.event.changed",
  "watchlist.event.closed",
  "trading.state.requested",
];
const RETRY_MS = 2000;
const RETRY_MS_MAX = 15000;

export class Stream {
  isLive = false;
  #source = null;
  #lastId = null;
  #retryMs = RETRY_MS;
  #timer = null;
  #isWanted = false;

  /** `onEvent(name, payload)`; `onState()` when `isLive` changed. */
  constructor(path, onEvent, onState) {
    this.path = path;
    this.onEvent = onEvent;
    this.onState = onState;
    // A browser has six connections to one host, and a tab that nobody sees needs none of them.
    document.addEventListener("visibilitychange", () => this.#onVisibility());
  }

  start() {
    this.#isWanted = true;
    this.#open();
  }

  stop() {
    this.#isWanted = false;
    this.#close();
  }

  #onVisibility() {
    if (!this.#isWanted) return;
    if (document.hidden) this.#close();
    else this.#open();
  }

  #open() {
    this.#close();
    const after = this.#lastId === null ? "" : `?after=${this.#lastId}`;
    const source = new EventSource(this.path + after);
    this.#source = source;
    source.onopen = () => {
      this.#retryMs = RETRY_MS;
      this.#say(true);
    };
    source.onerror = () => {
      this.#say(false);
      if (source.readyState === EventSource.CLOSED) this.#openLater();
    };
    for (const name of EVENTS) source.addEventListener(name, (event) => this.#hear(name, event));
  }

  #hear(name, event) {
    this.#lastId = event.lastEventId;
    this.onEvent(name, JSON.parse(event.data).payload ?? null);
  }

  #openLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#say(false);
  }

  #say(isLive) {
    if (this.isLive === isLive) return;
    this.isLive = isLive;
    this.onState();
  }
}
