// The bar at the top, and what is said across the page when something is away.

import { h } from "./dom.js";
import { clockTime, duration } from "./format.js";
import { status } from "./parts.js";
import { theme } from "./theme_choice.js";

const STALE_AFTER_MS = 6000;
const THEME_GLYPHS = { system: "◐", dark: "●", light: "○" };
const PAGES = [
  ["", "Desk"],
  ["signals", "Signals"],
  ["watchlist", "Watchlist"],
  ["system", "System"],
];

export function bar(desk, current) {
  return h(
    "div",
    { class: "bar-inner" },
    h("a", { class: "brand", href: "#/" }, "Tandem"),
    h(
      "nav",
      { "aria-label": "Pages" },
      PAGES.map(([name, title]) =>
        h(
          "a",
          { href: `#/${name}`, "aria-current": name === current ? "page" : null },
          title,
          name === "system" && troubles(desk),
        ),
      ),
    ),
    h("span", { class: "spring" }),
    freshness(desk),
    tradingState(desk),
    h(
      "button",
      { type: "button", class: "plain", "data-action": "theme", title: "dark, light, or as the system has it" },
      h("span", { class: "unseen" }, "Theme: "),
      h("span", { class: "glyph", "aria-hidden": "true" }, THEME_GLYPHS[theme()]),
      h("span", { class: "word" }, theme()),
    ),
    desk.session.is_required &&
      h(
        "button",
        {
          type: "button",
          class: "plain",
          "data-action": "sign-out",
          title: `signed in as ${desk.session.name}, who may ${desk.session.role}`,
        },
        `Sign out ${desk.session.name}`,
      ),
  );
}

function troubles(desk) {
  const count = desk.health.data?.problems.length ?? 0;
  return count > 0 && h("span", { class: "badge", title: "services that are not ready" }, `▲ ${count}`);
}

function freshness(desk) {
  const { answeredAtMs } = desk.overview;
  const age = answeredAtMs === null ? null : performance.now() - answeredAtMs;
  const isStale = age === null || age > STALE_AFTER_MS;
  const way = desk.stream.isLive ? "live" : "polling";
  const text = age === null ? "no answer yet" : isStale ? `${duration(age / 1000)} old` : way;
  const speed =
    desk.clock.isReplayed &&
    h("span", { class: "replay", title: "the market is a recording" }, `replay ×${Math.round(desk.clock.speed)}`);
  return h(
    "span",
    {
      class: `freshness ${isStale ? "is-stale" : desk.stream.isLive ? "is-live" : "is-polling"}`,
      title: desk.stream.isLive
        ? "events arrive as they happen"
        : "the stream of events is away; everything is asked for instead",
    },
    h("span", { class: "dot", "aria-hidden": "true" }, isStale ? "▲" : desk.stream.isLive ? "●" : "◐"),
    text,
    h("time", { class: "quiet", title: "the services' time, in your zone" }, clockTime(desk.nowMs)),
    speed,
  );
}

function tradingState(desk) {
  const state = desk.tradingState;
  if (!state) return h("button", { type: "button", class: "state", disabled: true }, "state not known");
  const title = `${state.reason}, by ${state.changed_by}${desk.mayOperate ? "" : "; your token may read only"}`;
  return h(
    "button",
    {
      type: "button",
      class: "state",
      "data-action": "trading-state",
      disabled: !desk.mayOperate,
      title,
      "aria-label": `Trading is ${state.state}. Change it`,
    },
    status(state.state),
    h("span", { class: "state-hint", "aria-hidden": "true" }, "change"),
  );
}

/** What it means to who has trades open that a service is away. */
const WITHOUT = {
  signal_ingest: "While it is away nothing new is seen.",
  executor: "While it is away nothing opens and nothing closes.",
  position_monitor: "While it is away nobody takes profits or stops losses.",
};

export function notices(desk) {
  const said = [];
  const { overview, health } = desk;
  if (overview.problem) {
    said.push(["broken", `✕ The gateway: ${overview.problem.message}. What is shown is as old as the bar says.`]);
  }
  for (const problem of health.data?.problems ?? []) {
    const without = WITHOUT[problem.split(" ", 1)[0]] ?? "The rest goes on.";
    said.push(["warning", `▲ ${problem}. ${without}`]);
  }
  for (const [venue, until] of bans(desk))
    said.push(["warning", `▲ ${venue} bans us until ${clockTime(until)}: nothing is asked of it.`]);
  if (!overview.problem && overview.data && !desk.stream.isLive && !document.hidden)
    said.push(["hint", "◐ The stream of events is away: the page asks instead, and comes back to it by itself."]);
  const state = desk.tradingState;
  if (state && state.state !== "active")
    said.push([
      "warning",
      `${state.state === "halted" ? "■" : "◐"} Trading is ${state.state} since ${state.changed_at ? clockTime(Date.parse(state.changed_at)) : "the start"}, by ${state.changed_by}: ${state.reason}`,
    ]);
  return h(
    "div",
    { role: "status", "aria-live": "polite" },
    said.map(([kind, text]) => h("p", { class: `notice ${kind}`, "data-key": text.slice(0, 40) }, text)),
  );
}

/** Venues that ban us, with the latest end (ms) that a service knows of. */
function bans({ health, nowMs }) {
  const until = new Map();
  for (const { venues } of Object.values(health.data?.services ?? {})) {
    for (const [venue, { banned_until: end }] of Object.entries(venues)) {
      const endMs = end === null ? 0 : Date.parse(end);
      if (endMs > nowMs) until.set(venue, Math.max(endMs, until.get(venue) ?? 0));
    }
  }
  return until;
}
