// The watchlist: what would open now, the events, and what was seen but refused.

import { h } from "../dom.js";
import { count, moment, percent, words } from "../format.js";
import { pair, panel, shown, status } from "../parts.js";
import { candidateList, candidatesResource } from "./candidates.js";
import { FROM, SYMBOL, TO, VENUE, listing } from "./listing.js";

export function watchlistView({ api, desk, query }) {
  const candidates = candidatesResource(api);
  const common = { api, desk, query, place: "#/watchlist" };
  const events = listing({
    ...common,
    path: "/api/live_trading/events",
    title: "Watchlist events",
    key: "events",
    filters: [
      { name: "status", label: "Status", options: ["forming", "open", "closed"] },
      { name: "type", label: "Type", options: ["A", "B", "C"] },
      SYMBOL,
      VENUE,
      FROM,
      TO,
    ],
    columns: eventColumns,
    keyOf: (event) => event.id,
    size: 20,
    nothing: "No event.",
    hears: (name) => name.startsWith("watchlist."),
  });
  const observations = listing({
    ...common,
    path: "/api/live_trading/observations",
    title: "Observations",
    key: "observations",
    filters: [
      SYMBOL,
      {
        name: "refusal",
        label: "Refusal",
        pattern: "[a-z][a-z0-9_.\\-]{0,79}",
        hint: "why it counts for no event, such as funding_net_cost",
      },
    ],
    columns: observationColumns,
    keyOf: (one) => one.id,
    size: 20,
    nothing: "Nothing was observed.",
    hears: (name) => name.startsWith("watchlist."),
  });
  return {
    title: "Watchlist",
    resources: [candidates, events.resource, observations.resource],
    render: () => [
      h("h1", { class: "unseen" }, "Watchlist"),
      panel(
        "Would open now",
        { key: "candidates", note: "a dry run of the executor's whole revalidation; nothing is sent" },
        shown(candidates, (data) => candidateList(data.items, desk.nowMs)),
      ),
      events.render(),
      observations.render(),
    ],
  };
}

function eventColumns(nowMs) {
  return [
    { name: "event", cell: (event) => `#${event.id}` },
    { name: "type", cell: (event) => event.type },
    { name: "symbol", cell: (event) => h("strong", null, event.symbol) },
    { name: "pair", cell: (event) => pair(event.long_venue, event.short_venue) },
    { name: "status", cell: (event) => status(event.status) },
    { name: "first seen", cell: (event) => moment(event.first_observed_at, nowMs) },
    { name: "last seen", cell: (event) => moment(event.last_observed_at, nowMs) },
    { name: "seen", numeric: true, cell: (event) => `${count(event.observations)}×` },
    { name: "gap now", numeric: true, cell: (event) => percent(event.factors?.spread?.last ?? null) },
    { name: "widest", numeric: true, cell: (event) => percent(event.factors?.spread?.max ?? null) },
    { name: "predicted", numeric: true, cell: (event) => percent(event.pnl_hat) },
    { name: "sure", numeric: true, cell: (event) => percent(event.win_prob, { digits: 0 }) },
  ];
}

function observationColumns(nowMs) {
  return [
    { name: "observed", cell: (one) => moment(one.observed_at, nowMs) },
    { name: "symbol", cell: (one) => h("strong", null, one.symbol) },
    { name: "pair", cell: (one) => pair(one.long_venue, one.short_venue) },
    { name: "gap", numeric: true, cell: (one) => percent(one.spread) },
    {
      name: "outcome",
      cell: (one) =>
        one.triggered ? "● counts" : h("span", { class: "quiet" }, `○ ${words(one.refusal ?? "not wide enough")}`),
    },
    { name: "event", cell: (one) => (one.event_id ? `#${one.event_id}` : h("span", { class: "quiet" }, "none")) },
    { name: "source", cell: (one) => words(one.observation?.source) },
  ];
}
