// The story of one trade: what it came to, the curve with its entries and its exit, every line, order, fill and payment.

import { chartHost, chartReadout, drawChart } from "../chart.js";
import { h } from "../dom.js";
import { duration, moment, percent, plain, tone, usdt, words } from "../format.js";
import { empty, evidence, figure, fillList, pair, panel, shown, status, table } from "../parts.js";
import { Resource } from "../resource.js";
import { exitMark, filledEntries, mergeSamples, profit, spreadCurve } from "../standing.js";
import { closeButton, ladderTable, profitSplit } from "../trade_card.js";
import { counterfactualOf, counterfactualPanel } from "./counterfactuals.js";

const CHART_HEIGHT_PX = 300;
const EARLIER = 200;

export function tradeView({ api, desk, id }) {
  const path = `/api/live_trading/signals/${id}`;
  const isOver = () =>
    trade.data?.signal.finalised_at || ["skipped", "expired", "failed"].includes(trade.data?.signal.status);
  const trade = new Resource(api, path, () => (isOver() ? 30000 : 1500));
  const earlier = new EarlierSamples(api, id, desk);
  let skipped = null;
  return {
    title: `Trade #${id}`,
    resources: [trade],
    actions: { "earlier-samples": () => earlier.read(trade.data) },
    render: () => [
      h("p", { class: "back" }, h("a", { href: "#/" }, "← Desk")),
      trade.problem?.status === 404 && !trade.data
        ? h("h1", null, `There is no trade #${id}.`)
        : shown(trade, (data) => whole(data, desk, earlier, skipped)),
    ],
    drawn() {
      if (!trade.data) return;
      if (!skipped && ["skipped", "expired"].includes(trade.data.signal.status)) {
        skipped = counterfactualOf(api, trade.data.signal);
        desk.follow([trade, skipped]);
      }
      const { signal, entries, totals } = trade.data;
      const limit = desk.settings?.LIVE_TRADING_SCALE_IN_MAX_ENTRIES?.value ?? null;
      const curve = spreadCurve(earlier.joined(trade.data), entries, limit);
      const exit = exitMark(signal, totals);
      drawChart("story", exit ? { ...curve, marks: [...curve.marks, exit], isOver: true } : curve);
    },
  };
}

/** A trade's answer has its newest valuations only; earlier ones are read when somebody wants them. */
class EarlierSamples {
  #items = [];
  #isReading = false;

  constructor(api, id, desk) {
    this.api = api;
    this.id = id;
    this.desk = desk;
  }

  joined(trade) {
    return mergeSamples(this.#items, trade.samples.items);
  }

  async read(trade) {
    const [oldest] = this.joined(trade);
    if (!oldest || this.#isReading) return;
    this.#isReading = true;
    try {
      const { data } = await this.api.read(
        `/api/live_trading/samples?signal_id=${this.id}&limit=${EARLIER}&before=${oldest.id}`,
      );
      this.#items = mergeSamples(this.#items, data.items);
      this.desk.onChange();
    } finally {
      this.#isReading = false;
    }
  }
}

function whole(trade, desk, earlier, skipped) {
  const { signal, totals } = trade;
  const nowMs = desk.nowMs;
  const isTrade = signal.opened_at !== null || trade.entries.length > 0;
  return [
    h(
      "header",
      { class: "trade-head story-head" },
      h("h1", null, signal.symbol, h("span", { class: "quiet" }, ` #${signal.id}`)),
      pair(signal.long_venue, signal.short_venue),
      status(signal.status),
      (signal.close_reason ?? signal.reason) &&
        h("span", { class: "quiet" }, words(signal.close_reason ?? signal.reason)),
      h("span", { class: "spring" }),
      isTrade && signal.status !== "closed" && closeButton({ ...signal, signal_id: signal.id }, desk.mayOperate),
    ),
    h("dl", { class: "figures" }, facts(trade, nowMs)),
    isTrade &&
      h(
        "div",
        { class: "trade-body panel" },
        curve(trade, earlier),
        h(
          "div",
          { class: "trade-side" },
          profitSplit(profit(trade.samples.items.at(-1), totals, signal.closed_at !== null)),
          legs(totals),
        ),
      ),
    signal.reason_evidence &&
      !isTrade &&
      panel("Why it is no trade", { key: "why", note: words(signal.reason) }, evidence(signal.reason_evidence)),
    skipped && !isTrade && counterfactualPanel(skipped, signal, nowMs),
    panel(
      "Story",
      { key: "story", note: trade.story.length === 1 ? "1 line" : `${trade.story.length} lines` },
      story(trade.story, nowMs),
    ),
    isTrade && panel("Ladder of entries", { key: "entries" }, entriesTable(trade, nowMs)),
    isTrade && panel("Orders and fills", { key: "orders" }, ordersTable(trade, nowMs)),
    isTrade && panel("Funding", { key: "funding" }, fundingTable(trade.funding, nowMs)),
  ];
}

function facts({ signal, entries, samples }, nowMs) {
  const held =
    signal.opened_at && (signal.closed_at ? Date.parse(signal.closed_at) : nowMs) - Date.parse(signal.opened_at);
  return [
    figure("Recorded", moment(signal.created_at, nowMs)),
    signal.opened_at && figure("Opened", moment(signal.opened_at, nowMs)),
    signal.closed_at && figure("Closed", moment(signal.closed_at, nowMs)),
    signal.opened_at && figure("Held", duration(held / 1000)),
    figure("Predicted P&L", [
      percent(signal.pnl_hat),
      h("small", null, `${percent(signal.win_prob, { digits: 0 })} sure, ${words(signal.prediction_source)}`),
    ]),
    signal.opened_at && figure("Profit taken at", [percent(signal.take_profit_pnl), h("small", null, "of spread P&L")]),
    figure("Entries", String(filledEntries(entries).length)),
    figure("Attempts", String(signal.attempts)),
    signal.opened_at && figure("Valuations", String(samples.count)),
    signal.force_close_at &&
      !signal.closed_at &&
      figure("Max-hold", [duration((Date.parse(signal.force_close_at) - nowMs) / 1000), h("small", null, "left")]),
  ];
}

function curve(trade, earlier) {
  const { samples, signal } = trade;
  const shownCount = earlier.joined(trade).length;
  const summary = `Exit spread of ${signal.symbol} over ${shownCount} valuations with ${filledEntries(trade.entries).length} entries${signal.closed_at ? " and the exit" : ""} marked; the story below tells the same in words.`;
  return h(
    "div",
    { class: "trade-chart" },
    chartReadout("story"),
    chartHost("story", summary, CHART_HEIGHT_PX),
    shownCount < samples.count &&
      h(
        "p",
        { class: "quiet small" },
        `The newest ${shownCount} of ${samples.count} valuations. `,
        h("button", { type: "button", class: "small", "data-action": "earlier-samples" }, `Show ${EARLIER} earlier`),
      ),
  );
}

function legs({ legs: both }) {
  const rows = [
    ["opened", (leg) => plain(leg.opened_quantity)],
    ["held now", (leg) => plain(leg.open_quantity)],
    ["entry price", (leg) => plain(leg.average_entry_price, 4)],
    ["exit price", (leg) => plain(leg.average_exit_price, 4)],
    ["fees", (leg) => usdt(leg.fees_usdt, { digits: 4 })],
    ["funding", (leg) => usdt(leg.funding_booked_usdt, { digits: 4, sign: true })],
  ];
  return h("section", { "aria-label": "Legs" }, legTable(rows, both));
}

function legTable(rows, both) {
  return h(
    "table",
    { class: "legs" },
    h("caption", null, "Legs"),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("td", null),
        h("th", { scope: "col", class: "numeric" }, "long"),
        h("th", { scope: "col", class: "numeric" }, "short"),
      ),
    ),
    h(
      "tbody",
      null,
      rows.map(([name, cell]) =>
        h(
          "tr",
          null,
          h("th", { scope: "row" }, name),
          h("td", { class: "numeric" }, cell(both.long)),
          h("td", { class: "numeric" }, cell(both.short)),
        ),
      ),
    ),
  );
}

function story(lines, nowMs) {
  if (lines.length === 0) return empty("Nothing is told yet.");
  return h(
    "ol",
    { class: "story" },
    lines.map((line, index) =>
      h(
        "li",
        { "data-key": `line-${index}-${line.at}` },
        moment(line.at, nowMs),
        h("span", { class: "quiet" }, words(line.service)),
        h("details", null, h("summary", null, line.what), evidence(line.figures)),
      ),
    ),
  );
}

function entriesTable(trade, nowMs) {
  const { signal } = trade;
  const first = filledEntries(trade.entries)[0]?.entry_spread_pct ?? null;
  // Of a trade that is looked back at only what happened is shown: no rungs that may still come.
  return (
    ladderTable(
      { entries: trade.entries, enabled: false, entry_spread_pct_first: first, status: signal.status },
      null,
      nowMs,
      false,
    ) ?? empty("No entry was filled.")
  );
}

function ordersTable({ orders, fills }, nowMs) {
  if (orders.length === 0) return empty("No order was sent.");
  const of = (order) => fills.filter((fill) => fill.order_id === order.id);
  const columns = [
    { name: "intended", cell: (order) => moment(order.intended_at, nowMs) },
    {
      name: "for",
      cell: (order) => [
        words(order.purpose),
        order.entry > 0 && h("span", { class: "quiet" }, ` entry ${order.entry}`),
      ],
    },
    { name: "leg", cell: (order) => `${order.leg}, ${order.venue}` },
    { name: "side", cell: (order) => [order.side, order.reduce_only && h("span", { class: "quiet" }, " reduce-only")] },
    { name: "quantity", numeric: true, cell: (order) => plain(order.quantity) },
    { name: "filled", numeric: true, cell: (order) => plain(order.filled_quantity) },
    { name: "reference", numeric: true, cell: (order) => plain(order.reference_price) },
    { name: "average", numeric: true, cell: (order) => plain(order.average_price) },
    {
      name: "status",
      cell: (order) => [status(order.status), order.error && h("small", { class: "loss" }, ` ${order.error}`)],
    },
    { name: "fills", cell: (order) => fillList(of(order)) },
  ];
  return table("Orders and fills", columns, orders, (order) => order.id);
}

function fundingTable(payments, nowMs) {
  if (payments.length === 0) return empty("No funding was settled.");
  const columns = [
    { name: "settled", cell: (payment) => moment(payment.settled_at, nowMs) },
    { name: "leg", cell: (payment) => `${payment.leg}, ${payment.venue}` },
    {
      name: "amount",
      numeric: true,
      cell: (payment) =>
        h("span", { class: tone(payment.amount_usdt) }, usdt(payment.amount_usdt, { digits: 4, sign: true })),
    },
  ];
  return table("Funding", columns, payments, (payment) => payment.id);
}
