// One path of the API that is kept up to date: asked again and again, cheaply, and sooner when something happened.

const HIDDEN_FACTOR = 6;
const AWAY_MS_MAX = 10000;
const POKE_PAUSE_MS = 200;

export class Resource {
  data = null;
  problem = null;
  answeredAtMs = null;
  #tag = null;
  #timer = null;
  #failures = 0;
  #asking = null;
  #isPoked = false;
  #isRunning = false;

  /**
   * `everyMs` may be a function; `accepts` as Api.read; `hears(event)` says which events of the stream make it ask
   * sooner; `onAnswer(data, atMs)` gets every answer with a body.
   */
  constructor(api, path, everyMs, { accepts = [], hears = () => true, onAnswer = null } = {}) {
    this.api = api;
    this.path = path;
    this.everyMs = everyMs;
    this.accepts = accepts;
    this.hears = hears;
    this.onAnswer = onAnswer;
    this.onChange = () => {};
  }

  start(onChange) {
    this.onChange = onChange;
    this.#isRunning = true;
    this.#ask();
    return this;
  }

  stop() {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** Something happened: ask soon. */
  poke() {
    if (!this.#isRunning) return;
    if (this.#asking) {
      this.#isPoked = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), POKE_PAUSE_MS);
  }

  /** Asks now; resolves when the answer is there. */
  refresh() {
    clearTimeout(this.#timer);
    return this.#ask();
  }

  #ask() {
    this.#asking ??= this.#answer().finally(() => {
      this.#asking = null;
      if (this.#isRunning) this.#plan();
    });
    return this.#asking;
  }

  async #answer() {
    try {
      const { data, tag } = await this.api.read(this.path, { tag: this.#tag, accepts: this.accepts });
      this.answeredAtMs = performance.now();
      this.problem = null;
      this.#failures = 0;
      if (data === null) return;
      this.data = data;
      this.#tag = tag;
      this.onAnswer?.(data, this.answeredAtMs);
    } catch (error) {
      if (error.status === undefined) throw error;
      this.problem = error;
      this.#failures += 1;
    } finally {
      if (this.#isRunning) this.onChange(this);
    }
  }

  #plan() {
    const every = typeof this.everyMs === "function" ? this.everyMs() : this.everyMs;
    const patience = Math.min(every * 2 ** this.#failures, Math.max(AWAY_MS_MAX, every));
    const pause = this.#isPoked ? POKE_PAUSE_MS : patience * (document.hidden ? HIDDEN_FACTOR : 1);
    this.#isPoked = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), pause);
  }
}
