// Services, venues, errors, decisions and the settings in effect.

import { h } from "../dom.js";
import { count, duration, moment, plain, words, UNKNOWN } from "../format.js";
import { empty, errorKind, panel, shown, table, tradeLink } from "../parts.js";
import { Resource } from "../resource.js";
import { FROM, SYMBOL, TO, listing } from "./listing.js";
import { serviceList } from "./services.js";

const FIGURES_EVERY_MS = 5000;
const SERVICE = {
  name: "service",
  label: "Service",
  options: ["api_gateway", "signal_ingest", "executor", "position_monitor"],
};

export function systemView({ api, desk, query }) {
  const figures = new Resource(api, "/api/health/figures", FIGURES_EVERY_MS, { hears: () => false });
  const common = { api, desk, query, place: "#/system" };
  const errors = listing({
    ...common,
    path: "/api/live_trading/errors",
    title: "Errors and alarms",
    key: "errors",
    filters: [
      SERVICE,
      { name: "kind", label: "Kind", pattern: "[a-z][a-z0-9_.\\-]{0,79}", hint: "such as venue_banned" },
    ],
    columns: errorColumns,
    keyOf: (error) => error.id,
    nothing: "No error or alarm was recorded.",
    hears: () => true,
  });
  const decisions = listing({
    ...common,
    path: "/api/audit",
    title: "Decisions",
    key: "decisions",
    filters: [
      SERVICE,
      SYMBOL,
      {
        name: "decision",
        label: "Decision",
        pattern: "[a-z][a-z0-9_.:\\-]{0,119}",
        hint: "such as opened or skipped:below_threshold",
      },
      FROM,
      TO,
    ],
    columns: decisionColumns,
    keyOf: (item) => item.id,
    size: 20,
    nothing: "Nothing was decided yet.",
    hears: () => true,
  });
  return {
    title: "System",
    resources: [figures, errors.resource, decisions.resource],
    render: () => [
      h("h1", { class: "unseen" }, "System"),
      h(
        "div",
        { class: "columns even" },
        panel("Services", { key: "services" }, shown(desk.health, serviceList)),
        panel(
          "Venues",
          { key: "venues" },
          shown(figures, (data) => venuesTable(data, desk)),
        ),
        panel("Bus", { key: "bus", note: "messages of each consumer" }, shown(figures, busTable)),
        panel(
          "Positions",
          { key: "positions", note: "as the executor last read them", actions: flattenButton(desk) },
          shown(desk.positions, (data) => positionsTable(data.items, desk)),
        ),
      ),
      errors.render(),
      decisions.render(),
      panel(
        "Settings in effect",
        { key: "settings" },
        shown(desk.overview, (data) => settings(data.live_trading_config)),
      ),
    ],
  };
}

function positionsTable(positions, desk) {
  const rows = positions.flatMap((position) =>
    position.legs.map((leg) => ({ ...leg, symbol: position.symbol, signal_id: position.signal_id })),
  );
  if (rows.length === 0) return empty("Tandem holds nothing.");
  const columns = [
    { name: "venue", cell: (row) => h("strong", null, row.venue) },
    { name: "trade", cell: (row) => [row.symbol, " ", tradeLink(row.signal_id)] },
    { name: "ledger", numeric: true, cell: (row) => plain(row.ledger_quantity) },
    { name: "venue says", numeric: true, cell: (row) => plain(row.venue_quantity) },
    { name: "difference", numeric: true, cell: (row) => difference(row.difference) },
    { name: "read", cell: (row) => (row.venue_read_at ? ago(row.venue_read_at, desk) : UNKNOWN) },
    { name: "command", cell: (row) => flattenButton(desk, row) },
  ];
  return table("Positions", columns, rows, (row) => `${row.venue}-${row.signal_id}`);
}

/** Asks for a flatten: of this position, or of one that is yet to be named. */
function flattenButton(desk, { venue = null, symbol = null } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "danger small",
      "data-action": "flatten",
      "data-venue": venue,
      "data-symbol": symbol,
      "aria-label": venue && `Flatten ${symbol} on ${venue}…`,
      disabled: !desk.mayOperate,
      title: desk.mayOperate ? "bring what a venue holds of a symbol to zero" : "your token may read only",
    },
    "Flatten…",
  );
}

function difference(amount) {
  const isOff = Number(amount ?? 0) !== 0;
  return h("span", { class: isOff ? "loss" : null }, isOff && "▲ ", plain(amount));
}

function ago(iso, desk) {
  return `${duration((desk.nowMs - Date.parse(iso)) / 1000)} ago`;
}

/** Each venue as each service that asks it met it: both may be banned alone. */
function venuesTable({ services }, desk) {
  const rows = Object.entries(services).flatMap(([service, { venues }]) =>
    venues.map((venue) => ({ service, ...venue })),
  );
  if (rows.length === 0) return empty("No venue was asked yet.");
  rows.sort((one, other) => one.venue.localeCompare(other.venue));
  const columns = [
    { name: "venue", cell: (row) => h("strong", null, row.venue) },
    { name: "asked by", cell: (row) => words(row.service) },
    { name: "standing", cell: (row) => standing(row, desk) },
    { name: "bans", numeric: true, cell: (row) => count(row.bans) },
    { name: "clock", numeric: true, cell: (row) => offset(row.clock_offset_seconds) },
  ];
  return table("Venues", columns, rows, (row) => `${row.venue}-${row.service}`);
}

function standing({ banned_until: until }, desk) {
  const isBanned = until !== null && Date.parse(until) > desk.nowMs;
  if (!isBanned) return h("span", null, h("span", { class: "gain", "aria-hidden": "true" }, "● "), "not banned");
  return h("span", { class: "loss" }, "✕ banned until ", moment(until, desk.nowMs));
}

function offset(seconds) {
  if (seconds === null) return UNKNOWN;
  const milliseconds = Math.round(seconds * 1000);
  const sign = milliseconds < 0 ? "\u2212" : milliseconds > 0 ? "+" : "";
  return `${sign}${Math.abs(milliseconds)}\u202fms`;
}

function busTable({ services }) {
  const rows = Object.entries(services).flatMap(([service, figures]) => busRows(service, figures));
  const columns = [
    { name: "service", cell: (row) => words(row.service) },
    { name: "queue", cell: (row) => row.queue },
    { name: "waiting", numeric: true, cell: (row) => row.waiting },
    { name: "at work", numeric: true, cell: (row) => row.unanswered },
  ];
  return table("Bus", columns, rows, (row) => `${row.service}-${row.queue}`);
}

function busRows(service, { problem, outbox_oldest_seconds: oldest, consumers }) {
  if (problem) return [{ service, queue: h("span", { class: "loss" }, `✕ ${problem}`) }];
  const outbox = { service, queue: "outbox", waiting: oldest > 0 ? `for ${duration(oldest)}` : "nothing" };
  return [
    outbox,
    ...consumers.map(({ consumer, waiting, unanswered }) => ({
      service,
      queue: consumer,
      waiting: count(waiting),
      unanswered: count(unanswered),
    })),
  ];
}

function errorColumns(nowMs) {
  return [
    { name: "time", cell: (error) => moment(error.occurred_at, nowMs) },
    { name: "service", cell: (error) => words(error.service) },
    { name: "kind", cell: (error) => errorKind(error.kind) },
    {
      name: "trade",
      cell: (error) => (error.signal_id ? tradeLink(error.signal_id) : none()),
    },
    { name: "message", cell: (error) => h("span", { class: "message" }, error.message) },
  ];
}

function decisionColumns(nowMs) {
  return [
    { name: "time", cell: (item) => moment(item.decided_at, nowMs) },
    { name: "service", cell: (item) => words(item.service) },
    { name: "symbol", cell: (item) => (item.symbol ? h("strong", null, item.symbol) : none()) },
    { name: "trade", cell: (item) => (item.signal_id ? tradeLink(item.signal_id) : none()) },
    {
      name: "decision",
      cell: (item) => h("span", { title: item.decision }, words(item.decision).replace(":", ": ")),
    },
  ];
}

function none() {
  return h("span", { class: "quiet" }, "none");
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
