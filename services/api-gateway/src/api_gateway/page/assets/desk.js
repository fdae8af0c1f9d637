// What every view needs: the session, the services' health, the open trades and their valuations, the stream.

import { MarketClock } from "./market_clock.js";
import { Resource } from "./resource.js";
import { mergeSamples } from "./standing.js";
import { Stream } from "./stream.js";

const LIVE = "/api/live_trading";
const BUSY_MS = 1000;
const CALM_MS = 3000;
const HEALTH_MS = 3000;
const SAMPLES_FIRST = 200;
const SAMPLES_MORE = 20;
const SAMPLES_KEPT = 2000;
const isOfWatchlist = (name) => name.startsWith("watchlist.");
const isOfTrading = (name) => !isOfWatchlist(name);
const HOLDING = ["opening", "open", "closing"];

export class Desk {
  clock = new MarketClock();
  samples = new Map();
  #followed = [];
  #readingSamples = new Set();

  /** `onChange()` when anything to show changed; `onNews(name, payload)` hears the stream. */
  constructor(api, session, onChange, onNews) {
    this.api = api;
    this.session = session;
    this.onChange = onChange;
    const pace = () => (this.openTrades.length > 0 ? BUSY_MS : CALM_MS);
    this.overview = new Resource(api, `${LIVE}/overview?limit=20`, pace, {
      hears: isOfTrading,
      onAnswer: (data, at) => this.clock.hear(data.timestamp, at),
    });
    this.health = new Resource(api, "/api/health", HEALTH_MS, { accepts: [503], hears: () => false });
    this.positions = new Resource(api, `${LIVE}/positions?limit=200`, CALM_MS, { hears: isOfTrading });
    this.holding = HOLDING.map(
      (status) =>
        new Resource(api, `${LIVE}/scale_in?status=${status}&limit=200`, pace, {
          hears: isOfTrading,
          onAnswer: () => this.#readNewSamples(),
        }),
    );
    this.stream = new Stream(`${LIVE}/stream`, (name, payload) => this.#hear(name, payload, onNews), onChange);
  }

  start() {
    for (const resource of this.#own()) resource.start(() => this.#changed(resource));
    this.stream.start();
  }

  stop() {
    for (const resource of [...this.#own(), ...this.#followed]) resource.stop();
    this.stream.stop();
  }

  get mayOperate() {
    return this.session.role === "operate";
  }

  get settings() {
    return this.overview.data?.live_trading_config ?? null;
  }

  get tradingState() {
    return this.overview.data?.trading_state ?? null;
  }

  get nowMs() {
    return this.clock.nowMs();
  }

  /** Trades that hold or may hold something, newest first. A trade on its way from one list to the next counts once. */
  get openTrades() {
    const byId = new Map();
    for (const list of this.holding) for (const trade of list.data?.items ?? []) byId.set(trade.signal_id, trade);
    return [...byId.values()].sort((one, other) => other.signal_id - one.signal_id);
  }

  samplesOf(id) {
    return this.samples.get(id) ?? [];
  }

  positionOf(id) {
    return this.positions.data?.items.find((position) => position.signal_id === id) ?? null;
  }

  /** Resources of the view that is shown; asked as long as it is. */
  follow(resources) {
    for (const resource of this.#followed) resource.stop();
    this.#followed = resources;
    for (const resource of resources) resource.start(() => this.#changed(resource));
  }

  /** Everything is asked again. */
  poke() {
    for (const resource of [...this.#own(), ...this.#followed]) resource.poke();
  }

  #own() {
    return [this.overview, ...this.holding, this.positions, this.health];
  }

  #changed(resource) {
    this.onChange(resource);
  }

  #hear(name, payload, onNews) {
    for (const resource of [...this.#own(), ...this.#followed]) if (resource.hears(name)) resource.poke();
    onNews(name, payload);
  }

  async #readNewSamples() {
    const open = new Set(this.openTrades.map((trade) => trade.signal_id));
    for (const id of this.samples.keys()) if (!open.has(id)) this.samples.delete(id);
    await Promise.all(this.openTrades.map((trade) => this.#readSamples(trade)));
  }

  async #readSamples(trade) {
    const id = trade.signal_id;
    const known = this.samplesOf(id);
    const latest = trade.latest_sample?.sampled_at ?? null;
    if (!latest || known.at(-1)?.sampled_at >= latest || this.#readingSamples.has(id)) return;
    this.#readingSamples.add(id);
    try {
      const newest = known.length > 0 ? await this.#newestSamples(id, SAMPLES_MORE) : [];
      const isJoined = newest.some((sample) => sample.id === known.at(-1).id);
      const newer = isJoined ? newest : await this.#newestSamples(id, SAMPLES_FIRST);
      this.samples.set(id, mergeSamples(known, newer).slice(-SAMPLES_KEPT));
      this.onChange();
    } catch (problem) {
      // The next answer of the list asks again, and says what is wrong if it still is.
      if (problem.status === undefined) throw problem;
    } finally {
      this.#readingSamples.delete(id);
    }
  }

  async #newestSamples(id, limit) {
    return (await this.api.read(`${LIVE}/samples?signal_id=${id}&limit=${limit}`)).data.items;
  }
}
