// Services, venues, errors and the settings in effect.

import { h } from "../dom.js";
import { duration, moment, plain, words } from "../format.js";
import { empty, panel, shown, table, tradeLink } from "../parts.js";
import { listing } from "./listing.js";
import { serviceList } from "./services.js";

export function systemView({ api, desk, query }) {
  const errors = listing({
    api,
    desk,
    query,
    place: "#/system",
    path: "/api/live_trading/errors",
    title: "Errors",
    key: "errors",
    filters: [
      { name: "service", label: "Service", options: ["api_gateway", "signal_ingest", "executor", "position_monitor"] },
      { name: "kind", label: "Kind", pattern: "[a-z][a-z0-9_.\\-]{0,79}", hint: "such as venue_banned" },
    ],
    columns: errorColumns,
    keyOf: (error) => error.id,
    nothing: "No error was recorded.",
    hears: () => true,
  });
  return {
    title: "System",
    resources: [errors.resource],
    render: () => [
      h("h1", { class: "unseen" }, "System"),
      h(
        "div",
        { class: "columns even" },
        panel("Services", { key: "services" }, shown(desk.health, serviceList)),
        panel(
          "Venues",
          { key: "venues", note: "positions as the executor last read them" },
          shown(desk.positions, (data) => venues(data.items, desk)),
        ),
      ),
      errors.render(),
      panel(
        "Settings in effect",
        { key: "settings" },
        shown(desk.overview, (data) => settings(data.live_trading_config)),
      ),
    ],
  };
}

function venues(positions, desk) {
  const legs = positions.flatMap((position) =>
    position.legs.map((leg) => ({ ...leg, symbol: position.symbol, signal_id: position.signal_id })),
  );
  const allowed = desk.settings?.LIVE_TRADING_ALLOWED_EXCHANGES?.value ?? [];
  const names = [...new Set([...allowed, ...legs.map((leg) => leg.venue)])].sort();
  if (names.length === 0) return empty("No venue is allowed.");
  const rows = names.flatMap((venue) => {
    const held = legs.filter((leg) => leg.venue === venue);
    return held.length > 0 ? held : [{ venue, signal_id: null }];
  });
  const columns = [
    { name: "venue", cell: (row) => h("strong", null, row.venue) },
    {
      name: "trade",
      cell: (row) =>
        row.signal_id ? [row.symbol, " ", tradeLink(row.signal_id)] : h("span", { class: "quiet" }, "holds nothing"),
    },
    { name: "ledger", numeric: true, cell: (row) => plain(row.ledger_quantity) },
    { name: "venue says", numeric: true, cell: (row) => plain(row.venue_quantity) },
    {
      name: "difference",
      numeric: true,
      cell: (row) => h("span", { class: Number(row.difference ?? 0) === 0 ? "" : "loss" }, plain(row.difference)),
    },
    {
      name: "read",
      cell: (row) =>
        row.venue_read_at
          ? h("span", null, duration((desk.nowMs - Date.parse(row.venue_read_at)) / 1000), " ago")
          : null,
    },
  ];
  return table("Venues", columns, rows, (row) => `${row.venue}-${row.signal_id}`);
}

function errorColumns(nowMs) {
  return [
    { name: "time", cell: (error) => moment(error.occurred_at, nowMs) },
    { name: "service", cell: (error) => words(error.service) },
    { name: "kind", cell: (error) => h("strong", { class: "loss" }, `✕ ${words(error.kind)}`) },
    {
      name: "trade",
      cell: (error) => (error.signal_id ? tradeLink(error.signal_id) : h("span", { class: "quiet" }, "none")),
    },
    { name: "message", cell: (error) => h("span", { class: "message" }, error.message) },
  ];
}

function settings(of) {
  const columns = [
    { name: "variable", cell: ([name]) => h("code", null, name) },
    {
      name: "value",
      cell: ([, { value }]) =>
        Array.isArray(value) ? value.join(", ") : value === "" ? h("span", { class: "quiet" }, "empty") : String(value),
    },
    {
      name: "source",
      cell: ([, { source }]) => (source === "default" ? h("span", { class: "quiet" }, "default") : words(source)),
    },
  ];
  return table("Settings in effect", columns, Object.entries(of), ([name]) => name);
}
