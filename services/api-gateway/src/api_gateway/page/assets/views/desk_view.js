// The first page: open trades, then what might open, what just happened, and how everything is.

import { drawChart } from "../chart.js";
import { h } from "../dom.js";
import { count, duration, moment, percent, tone, usdt, words } from "../format.js";
import { empty, errorKind, figure, pair, panel, shown, status, table, tradeLink } from "../parts.js";
import { Resource } from "../resource.js";
import { spreadCurve } from "../standing.js";
import { tradeCard } from "../trade_card.js";
import { candidateList, candidatesResource } from "./candidates.js";
import { serviceList } from "./services.js";

export function deskView({ api, desk }) {
  const candidates = candidatesResource(api);
  const decisions = new Resource(api, "/api/audit?limit=12", 5000);
  return {
    title: "Desk",
    resources: [candidates, decisions],
    render: () => [
      h("h1", { class: "unseen" }, "Desk"),
      totals(desk),
      openTrades(desk),
      h(
        "div",
        { class: "columns" },
        h(
          "div",
          null,
          panel(
            "Newest signals",
            { key: "newest", actions: h("a", { href: "#/signals" }, "All signals") },
            shown(desk.overview, (data) => newestSignals(data.signals.slice(0, 8), desk.nowMs)),
          ),
          panel(
            "What was decided",
            { key: "decisions", actions: h("a", { href: "#/system" }, "All decisions") },
            shown(decisions, (data) => decisionList(data.items, desk.nowMs)),
          ),
        ),
        h(
          "div",
          null,
          panel(
            "Would open now",
            { key: "candidates", note: judged(candidates, desk) },
            shown(candidates, (data) => candidateList(data.items, desk.nowMs)),
          ),
          panel(
            "Services",
            { key: "services", actions: h("a", { href: "#/system" }, "System") },
            shown(desk.health, serviceList),
          ),
          panel(
            "Errors and alarms",
            { key: "errors", actions: h("a", { href: "#/system" }, "All of them") },
            shown(desk.overview, (data) => errorList(data.errors.slice(0, 5), desk.nowMs)),
          ),
        ),
      ),
    ],
    drawn() {
      for (const trade of desk.openTrades) {
        drawChart(
          `trade-${trade.signal_id}`,
          spreadCurve(desk.samplesOf(trade.signal_id), trade.entries, trade.max_entries),
        );
      }
    },
  };
}

function totals(desk) {
  const of = desk.overview.data?.totals;
  const running = desk.openTrades.map((trade) => desk.samplesOf(trade.signal_id).at(-1)?.total_pnl_usdt ?? null);
  const isKnown = running.length > 0 && running.every((amount) => amount !== null);
  const sum = isKnown ? running.reduce((total, amount) => total + Number(amount), 0) : null;
  const limit = desk.settings?.LIVE_TRADING_MAX_CONCURRENT?.value;
  return h(
    "dl",
    { class: "figures totals", "data-key": "totals" },
    figure("Open trades", of ? `${desk.openTrades.length} of ${limit}` : "—"),
    figure("Notional a leg", usdt(of?.open_notional_usdt)),
    figure(
      "Open P&L",
      h("span", { class: tone(sum) }, running.length === 0 && of ? "none open" : usdt(sum, { sign: true })),
    ),
    figure(
      "Net P&L, finalised",
      h("span", { class: tone(of?.finalised_net_pnl_usdt) }, usdt(of?.finalised_net_pnl_usdt, { sign: true })),
    ),
    figure("Trades finalised", count(of?.finalised_trades)),
    figure("Skipped signals", count(of ? (of.by_status.skipped ?? 0) + (of.by_status.expired ?? 0) : null)),
  );
}

function openTrades(desk) {
  const trades = desk.openTrades;
  const [broken] = desk.holding.filter((list) => list.problem);
  const isKnown = desk.holding.every((list) => list.data);
  return panel(
    "Open trades",
    { key: "open", kind: "bare" },
    broken &&
      h(
        "p",
        { class: "stale", role: "status" },
        isKnown ? `▲ As it last was: ${broken.problem.message}.` : `▲ Not known now: ${broken.problem.message}.`,
      ),
    !isKnown && !broken && h("p", { class: "quiet pad", role: "status" }, "Loading…"),
    isKnown && trades.length === 0 && empty("No trade is open.", whyNoneOpens(desk)),
    trades.map((trade) =>
      tradeCard({
        trade,
        samples: desk.samplesOf(trade.signal_id),
        position: desk.positionOf(trade.signal_id),
        settings: desk.settings,
        nowMs: desk.nowMs,
        mayOperate: desk.mayOperate,
      }),
    ),
  );
}

function whyNoneOpens(desk) {
  if (desk.overview.data && !desk.overview.data.live_trading_enabled)
    return "LIVE_TRADING_ENABLED is 0: signals are recorded, nothing opens.";
  const state = desk.tradingState;
  if (state && state.state !== "active")
    return `Trading is ${state.state}: ${state.reason}. Nothing opens until it is active.`;
  return "Tandem waits for a gap that is wide enough, cheap enough to hold, and borne out by both books.";
}

function judged(candidates, desk) {
  if (!candidates.data) return null;
  const seconds = (desk.nowMs - Date.parse(candidates.data.judged_at)) / 1000;
  return `judged ${duration(seconds)} ago by the executor; nothing is sent`;
}

function newestSignals(signals, nowMs) {
  if (signals.length === 0)
    return empty("No signal yet.", "A signal is recorded for each watchlist event, also when it is skipped.");
  const columns = [
    { name: "signal", cell: (signal) => tradeLink(signal.id) },
    { name: "time", cell: (signal) => moment(signal.created_at, nowMs) },
    { name: "symbol", cell: (signal) => h("strong", null, signal.symbol) },
    { name: "pair", cell: (signal) => pair(signal.long_venue, signal.short_venue) },
    { name: "status", cell: (signal) => status(signal.status) },
    { name: "why", cell: (signal) => words(signal.reason ?? signal.close_reason) },
    { name: "predicted", numeric: true, cell: (signal) => percent(signal.pnl_hat) },
    {
      name: "net",
      numeric: true,
      cell: (signal) => h("span", { class: tone(signal.net_pnl_usdt) }, usdt(signal.net_pnl_usdt, { sign: true })),
    },
  ];
  return table("Newest signals", columns, signals, (signal) => signal.id);
}

function decisionList(items, nowMs) {
  if (items.length === 0) return empty("Nothing was decided yet.");
  return h(
    "ol",
    { class: "feed" },
    items.map((item) =>
      h(
        "li",
        { "data-key": `decision-${item.service}-${item.id}` },
        moment(item.decided_at, nowMs),
        h(
          "span",
          null,
          h("strong", null, item.symbol ?? ""),
          " ",
          words(item.decision).replace(":", ": "),
          item.signal_id && [" ", tradeLink(item.signal_id)],
        ),
        h("span", { class: "quiet" }, words(item.service)),
      ),
    ),
  );
}

function errorList(errors, nowMs) {
  if (errors.length === 0) return empty("No error or alarm was recorded.");
  return h(
    "ol",
    { class: "feed" },
    errors.map((error) =>
      h(
        "li",
        { "data-key": `error-${error.id}` },
        moment(error.occurred_at, nowMs),
        h(
          "span",
          null,
          errorKind(error.kind),
          " ",
          error.message,
          error.signal_id && [" ", tradeLink(error.signal_id)],
        ),
        h("span", { class: "quiet" }, words(error.service)),
      ),
    ),
  );
}
