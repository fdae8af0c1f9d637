// Every signal: what became a trade, why the others did not, and whether that was right.

import { h } from "../dom.js";
import { moment, percent, tone, usdt, words } from "../format.js";
import { pair, status, tradeLink } from "../parts.js";
import { counterfactuals } from "./counterfactuals.js";
import { FROM, SYMBOL, TO, VENUE, listing } from "./listing.js";

const STATUSES = ["new", "skipped", "expired", "opening", "open", "closing", "closed", "failed"];

export function signalsView({ api, desk, query }) {
  const skipped = counterfactuals({ api, desk, query });
  const signals = listing({
    api,
    desk,
    query,
    place: "#/signals",
    path: "/api/live_trading/signals",
    title: "Signals",
    key: "signals",
    filters: [
      { name: "status", label: "Status", options: STATUSES },
      SYMBOL,
      VENUE,
      {
        name: "reason",
        label: "Reason",
        pattern: "[a-z][a-z0-9_]{0,79}",
        hint: "why it is no trade, such as below_threshold",
      },
      FROM,
      TO,
    ],
    columns,
    keyOf: (signal) => signal.id,
    size: 20,
    nothing: "No signal.",
    hears: (name) => name === "trade.changed",
  });
  return {
    title: "Signals",
    resources: [signals.resource, ...skipped.resources],
    render: () => [h("h1", { class: "unseen" }, "Signals"), signals.render(), skipped.render()],
  };
}

function columns(nowMs) {
  return [
    { name: "signal", cell: (signal) => tradeLink(signal.id) },
    { name: "recorded", cell: (signal) => moment(signal.created_at, nowMs) },
    { name: "symbol", cell: (signal) => h("strong", null, signal.symbol) },
    { name: "pair", cell: (signal) => pair(signal.long_venue, signal.short_venue) },
    { name: "status", cell: (signal) => status(signal.status) },
    {
      name: "why",
      cell: (signal) =>
        h("span", { title: signal.reason ?? signal.close_reason }, words(signal.reason ?? signal.close_reason)),
    },
    { name: "predicted", numeric: true, cell: (signal) => percent(signal.pnl_hat) },
    { name: "sure", numeric: true, cell: (signal) => percent(signal.win_prob, { digits: 0 }) },
    { name: "attempts", numeric: true, cell: (signal) => String(signal.attempts) },
    {
      name: "next attempt",
      cell: (signal) =>
        signal.next_attempt_at ? moment(signal.next_attempt_at, nowMs) : h("span", { class: "quiet" }, "none"),
    },
    { name: "entries", numeric: true, cell: (signal) => String(signal.entries_count) },
    {
      name: "net P&L",
      numeric: true,
      cell: (signal) => h("span", { class: tone(signal.net_pnl_usdt) }, usdt(signal.net_pnl_usdt, { sign: true })),
    },
  ];
}
