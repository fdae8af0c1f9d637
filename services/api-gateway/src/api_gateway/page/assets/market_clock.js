// The services' own time, carried on between two answers. In a replay it runs faster than the reader's clock.

const LEARNS_MS = 1500;
const FORGETS_MS = 20000;

export class MarketClock {
  #heard = [];
  speed = 1;

  /** An answer said it was `iso` when the page's own clock said `atMs`. */
  hear(iso, atMs) {
    const timeMs = Date.parse(iso);
    this.#heard = this.#heard.filter((one) => atMs - one.atMs < FORGETS_MS);
    this.#heard.push({ timeMs, atMs });
    const first = this.#heard[0];
    if (atMs - first.atMs < LEARNS_MS) return;
    const speed = (timeMs - first.timeMs) / (atMs - first.atMs);
    this.speed = Math.abs(speed - 1) < 0.25 ? 1 : Math.max(0, speed);
  }

  /** Milliseconds since 1970 on the services' clock; the reader's own before the first answer. */
  nowMs() {
    const last = this.#heard.at(-1);
    return last ? last.timeMs + (performance.now() - last.atMs) * this.speed : Date.now();
  }

  get isReplayed() {
    return this.speed > 1.5;
  }
}
