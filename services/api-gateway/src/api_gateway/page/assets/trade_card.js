// One open trade at a glance: where the spread stands, what happens next, and how far the rails are.

import { chartHost, chartReadout } from "./chart.js";
import { h } from "./dom.js";
import { duration, moment, percent, plain, points, tone, usdt } from "./format.js";
import { figure, pair, status } from "./parts.js";
import { rails } from "./rails.js";
import { ladder, profit, spreadOf } from "./standing.js";

const CHART_HEIGHT_PX = 250;

/** `known`: {trade, samples, position, settings, nowMs, mayOperate}; `trade` as scale_in lists it. */
export function tradeCard(known) {
  const { trade, nowMs } = known;
  const id = `trade-${trade.signal_id}`;
  const sample = known.samples.at(-1) ?? null;
  return h(
    "article",
    { class: "trade", "data-key": id, "data-trade": trade.signal_id, "aria-labelledby": `${id}-title` },
    cardHead(known, id),
    h(
      "div",
      { class: "trade-body" },
      h(
        "div",
        { class: "trade-chart" },
        keyFigures(trade, sample, nowMs),
        chartReadout(id),
        chartHost(id, inWords(trade, sample), CHART_HEIGHT_PX),
      ),
      h("div", { class: "trade-side" }, profitSplit(profit(sample)), rails(known, sample)),
    ),
    ladderTable(trade, sample, nowMs),
  );
}

function cardHead({ trade, nowMs, mayOperate }, id) {
  const opened = trade.opened_at
    ? ["open for ", duration((nowMs - Date.parse(trade.opened_at)) / 1000)]
    : "not open yet";
  return h(
    "header",
    { class: "trade-head" },
    h("h3", { id: `${id}-title` }, trade.symbol, h("span", { class: "quiet" }, ` #${trade.signal_id}`)),
    pair(trade.long_venue, trade.short_venue),
    status(trade.status),
    h("span", { class: "quiet" }, opened),
    h("span", { class: "spring" }),
    h("a", { class: "button", href: `#/trades/${trade.signal_id}` }, "Story"),
    closeButton(trade, mayOperate),
  );
}

/** Force close; disabled where it cannot be, with the reason. */
export function closeButton(trade, mayOperate) {
  const isClosable = trade.status === "open" || trade.status === "closing";
  const why = !mayOperate
    ? "your token may read only"
    : isClosable
      ? null
      : `a trade that is ${trade.status} cannot be closed`;
  const attributes = {
    type: "button",
    class: "danger",
    "data-action": "force-close",
    "data-id": trade.signal_id,
    "data-symbol": trade.symbol,
  };
  return h("button", { ...attributes, disabled: why !== null, title: why }, "Force close…");
}

function keyFigures(trade, sample, nowMs) {
  const now = sample?.exit_spread_pct ?? null;
  const age = sample ? `valued ${duration((nowMs - Date.parse(sample.sampled_at)) / 1000)} ago` : "not valued yet";
  return h(
    "dl",
    { class: "figures" },
    figure("Spread now", [h("strong", null, percent(now)), h("small", null, age)], {
      kind: "lead",
      title: "what closing now gives back: short buy over long sell, by the books swept for the whole position",
    }),
    figure("Weighted entry", percent(spreadOf(trade.entry_metric_weighted)), {
      title: "entries weighted by their notional",
    }),
    figure("Take profit at", [percent(trade.tp_exit_spread_pct), distance(now, trade.tp_exit_spread_pct, true)]),
    figure("Next scale-in at", nextTrigger(trade, now)),
  );
}

function nextTrigger(trade, now) {
  if (trade.next_trigger_spread_pct !== null)
    return [percent(trade.next_trigger_spread_pct), distance(now, trade.next_trigger_spread_pct)];
  const why = !trade.enabled
    ? "scale-in is off"
    : trade.entries_count >= trade.max_entries
      ? "ladder is full"
      : "not known yet";
  return ["none", h("small", null, why)];
}

/** How far it is to a line; `isBelow` of a line that is reached by falling. */
function distance(from, to, isBelow = false) {
  if (from === null || to === null) return null;
  return h("small", null, toGo(from, to, isBelow));
}

function toGo(from, to, isBelow = false) {
  const isReached = isBelow ? from <= to : from >= to;
  return isReached ? "reached" : `${points(from, to)} to go`;
}

function inWords(trade, sample) {
  const now = percent(sample?.exit_spread_pct ?? null);
  const trigger =
    trade.next_trigger_spread_pct === null
      ? "no further scale-in"
      : `next scale-in at ${percent(trade.next_trigger_spread_pct)}`;
  return `Spread of ${trade.symbol} over time: now ${now}, weighted entry ${percent(spreadOf(trade.entry_metric_weighted))}, take profit at ${percent(trade.tp_exit_spread_pct)}, ${trigger}.`;
}

/** P&L in its three parts and their sum. */
export function profitSplit(parts) {
  const rows = [
    ["Spread", parts.spread, "sales minus purchases, the open part at the swept exit prices"],
    ["Fees", parts.fees, "as booked by the venues"],
    ["Funding", parts.funding, "settlements booked so far"],
  ];
  const note = parts.isFinal
    ? "final"
    : parts.isClosed
      ? "closed; final once the venues booked everything"
      : parts.isComplete
        ? "if closed now, before the exit's fees"
        : "incomplete: not everything is booked yet";
  return h(
    "section",
    { class: "split", "aria-label": "Profit and loss" },
    h("header", null, h("h4", null, "P&L"), h("span", { class: "quiet" }, note)),
    h(
      "dl",
      null,
      rows.map(([name, amount, title]) =>
        h("div", { title }, h("dt", null, name), h("dd", { class: tone(amount) }, usdt(amount, { sign: true }))),
      ),
      h(
        "div",
        { class: "sum" },
        h("dt", null, parts.isClosed ? "Net" : "Total"),
        h("dd", { class: tone(parts.net) }, usdt(parts.net, { sign: true })),
      ),
    ),
  );
}

/** The ladder of entries, with the prices that the sweep before each one gave: filled ones and the rungs that may still come. */
export function ladderTable(trade, sample, nowMs, isTitled = true) {
  const rungs = ladder(trade);
  if (rungs.length === 0) return null;
  return h(
    "table",
    { class: "ladder rows" },
    h("caption", { class: isTitled ? null : "unseen" }, "Ladder of entries"),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        ["k", "state", "spread", "USDT a leg", "quantity", "swept buy", "swept sell", "time"].map((name, index) =>
          h("th", { scope: "col", class: index > 1 && index < 7 ? "numeric" : null }, name),
        ),
      ),
    ),
    h(
      "tbody",
      null,
      rungs.map((rung) => (rung.entry ? filledRung(rung, nowMs) : comingRung(rung, sample))),
    ),
  );
}

function filledRung({ k, kind, entry }, nowMs) {
  const execution = entry.snapshot?.execution ?? {};
  const cell = (name, value) => h("td", { class: "numeric", "data-label": name }, value);
  return h(
    "tr",
    { "data-key": `rung-${k}` },
    h("th", { scope: "row" }, `${k}`),
    h("td", { "data-label": "state" }, status(kind)),
    cell("spread", percent(entry.entry_spread_pct)),
    cell("USDT a leg", plain(entry.notional_usdt, 2)),
    cell("quantity", plain(entry.quantity ?? entry.planned_quantity)),
    cell("swept buy", plain(execution.long_buy?.price)),
    cell("swept sell", plain(execution.short_sell?.price)),
    h("td", { "data-label": "time" }, moment(entry.filled_at ?? entry.requested_at, nowMs)),
  );
}

function comingRung({ k, kind, trigger }, sample) {
  const now = sample?.exit_spread_pct ?? null;
  const away = now === null ? "" : ` · ${toGo(now, trigger)}`;
  return h(
    "tr",
    { class: "coming", "data-key": `rung-${k}` },
    h("th", { scope: "row" }, `${k}`),
    h(
      "td",
      { "data-label": "state" },
      h(
        "span",
        { class: "status" },
        h("span", { class: "glyph", "aria-hidden": "true" }, "○"),
        kind === "next" ? "next" : "later",
      ),
    ),
    h("td", { class: "numeric", "data-label": "trigger" }, percent(trigger)),
    h(
      "td",
      { class: "quiet", colspan: "5" },
      kind === "next" ? `asked for once the exit spread reaches it${away}` : "",
    ),
  );
}
