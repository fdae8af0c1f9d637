// What skipped signals would have made, so that the rule that skipped them can be judged.

import { h } from "../dom.js";
import { count, moment, percent, tone, usdt, words, UNKNOWN } from "../format.js";
import { empty, link, pair, panel, shown, table, tradeLink } from "../parts.js";
import { Resource } from "../resource.js";
import { FROM, SYMBOL, TO, VENUE, listing } from "./listing.js";

const PATH = "/api/live_trading/counterfactuals";
const SUMMARY_EVERY_MS = 10000;
const ONE_EVERY_MS = 10000;
const METHOD = "one entry at the books of the skip, closed by the rules of trades; funding is left out";
const KNOWN_MIN = 10;
const STATES = {
  followed: "still followed",
  over: "over",
  no_entry: "no books to enter at",
  opened: "traded later",
  displaced: "gave way to a wider one",
};
// The settings that a reason rests on; the other reasons rest on none.
const RULES = {
  below_threshold: ["LIVE_TRADING_PNL_THRESHOLD", "LIVE_TRADING_WIN_PROB_THRESHOLD"],
  book_stale: ["LIVE_TRADING_MAX_BOOK_AGE_SEC"],
  concurrency_limit: ["LIVE_TRADING_MAX_CONCURRENT"],
  direction_flap: ["LIVE_TRADING_OB_CONFIRM_SAMPLES", "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC"],
  entry_spread_too_small: ["LIVE_TRADING_TP_RATIO"],
  funding_too_high: ["LIVE_TRADING_MAX_ABS_FUNDING"],
  insufficient_depth: ["LIVE_TRADING_PER_LEG_USDT"],
  trading_disabled: ["LIVE_TRADING_ENABLED"],
  unstable: ["LIVE_TRADING_OB_CONFIRM_SAMPLES", "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC"],
  venue_not_allowed: ["LIVE_TRADING_ALLOWED_EXCHANGES"],
};

/** `{resources, render()}` of both panels: the judgement by reason, and the skipped signals one by one. */
export function counterfactuals({ api, desk, query }) {
  const summary = new Resource(api, `${PATH}/summary`, SUMMARY_EVERY_MS, { hears: () => false });
  const skipped = listing({
    api,
    desk,
    query,
    place: "#/signals",
    path: PATH,
    title: "What each skipped signal would have made",
    key: "skipped",
    filters: [
      { name: "reason", label: "Reason", pattern: "[a-z][a-z0-9_]{0,79}", hint: "such as below_threshold" },
      { name: "status", label: "Followed", options: Object.keys(STATES) },
      SYMBOL,
      VENUE,
      FROM,
      TO,
    ],
    columns,
    keyOf: (one) => one.id,
    size: 20,
    nothing: "No skipped signal was followed.",
    hears: () => false,
  });
  return {
    resources: [summary, skipped.resource],
    render: () => [
      panel(
        "Was it right to skip?",
        { key: "judgement", note: METHOD },
        shown(summary, (data) => judgements(data.items, desk.settings)),
      ),
      skipped.render(),
    ],
  };
}

/** The resource with what one skipped signal would have made; there is no filter for it but its moment. */
export function counterfactualOf(api, { symbol, created_at: at }) {
  const wanted = new URLSearchParams({ symbol, from: at, to: at });
  return new Resource(api, `${PATH}?${wanted}`, ONE_EVERY_MS, { hears: () => false });
}

export function counterfactualPanel(resource, signal, nowMs) {
  const title = "What it would have made";
  const one = (data) => {
    const items = data.items.filter((item) => item.signal_id === signal.id);
    const about = ["signal", "symbol", "pair", "why"];
    const rest = columns(nowMs).filter(({ name }) => !about.includes(name));
    return items.length > 0
      ? table(title, rest, items, (item) => item.id)
      : empty(
          "It was not followed.",
          "Of the type B signals skipped at a time the widest are, as many as there are places.",
        );
  };
  return panel(title, { key: "counterfactual", note: METHOD }, shown(resource, one));
}

function judgements(items, settings) {
  if (items.length === 0)
    return empty(
      "Nothing was skipped yet.",
      "Each skipped signal is followed by the books, to see what it would have made.",
    );
  const reasonOf = (item) =>
    link(`#/signals?${new URLSearchParams({ "skipped-reason": item.reason })}`, words(item.reason));
  const judged = [
    { name: "skipped for", cell: reasonOf },
    { name: "rule in effect", cell: (item) => rule(item.reason, settings) },
    { name: "skipped", numeric: true, cell: (item) => count(item.count) },
    { name: "outcome known", numeric: true, cell: (item) => count(item.complete_count) },
    { name: "would have won", numeric: true, cell: (item) => percent(item.won_share, { digits: 0 }) },
    { name: "median P&L", numeric: true, cell: (item) => amount(item.median_pnl_usdt) },
    { name: "so far", cell: verdict },
  ];
  return table("Was it right to skip?", judged, items, (item) => item.reason);
}

function rule(reason, settings) {
  const names = RULES[reason];
  if (!names) return h("span", { class: "quiet" }, "no setting");
  return h(
    "ul",
    { class: "settings" },
    names.map((name) => h("li", null, h("code", null, name), " ", settings ? String(settings[name]?.value) : UNKNOWN)),
  );
}

function verdict({ complete_count: known, median_pnl_usdt: median }) {
  if (known < KNOWN_MIN) return h("span", { class: "quiet" }, `○ too few to judge, ${KNOWN_MIN} outcomes are needed`);
  if (Number(median) > 0) return h("span", { class: "warn" }, "▲ most would have won: the rule may be too strict");
  if (Number(median) < 0) return h("span", { class: "gain" }, "● most would have lost: the rule saved money");
  return "◐ it made no difference";
}

function columns(nowMs) {
  return [
    { name: "skipped", cell: (one) => moment(one.skipped_at, nowMs) },
    { name: "signal", cell: (one) => tradeLink(one.signal_id) },
    { name: "symbol", cell: (one) => h("strong", null, one.symbol) },
    { name: "pair", cell: (one) => pair(one.long_venue, one.short_venue) },
    { name: "why", cell: (one) => words(one.reason) },
    { name: "followed", cell: (one) => followed(one) },
    { name: "worst", numeric: true, cell: (one) => amount(one.worst_pnl_usdt) },
    { name: "best", numeric: true, cell: (one) => amount(one.best_pnl_usdt) },
    { name: "would have made", numeric: true, cell: (one) => h("strong", null, amount(one.exit_pnl_usdt)) },
    { name: "closed by", cell: (one) => (one.exit_pnl_usdt === null ? UNKNOWN : words(one.exit_reason)) },
  ];
}

function followed({ status, complete, missed_looks: missed, exit_reason: why }) {
  if (status === "no_entry") return [STATES[status], why && h("small", null, ` ${words(why)}`)];
  if (status === "over" && !complete) return ["over", h("small", null, ` not counted: ${missed} looks missed`)];
  return STATES[status];
}

function amount(value) {
  return h("span", { class: tone(value) }, usdt(value, { sign: true }));
}
