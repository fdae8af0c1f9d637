// What would open now, and if not, which rule refuses it and by which figures.

import { h } from "../dom.js";
import { moment, percent, plain, words } from "../format.js";
import { empty, evidence, pair, tradeLink } from "../parts.js";
import { Resource } from "../resource.js";

// Each look reads books and accounts at the venues: it is not asked for with every observation.
const EVERY_MS = 15000;
const HEARD = ["watchlist.event.opened", "watchlist.event.closed", "trade.changed", "trading.state.requested"];

export function candidatesResource(api) {
  return new Resource(api, "/api/live_trading/candidates?limit=10", EVERY_MS, {
    hears: (name) => HEARD.includes(name),
  });
}

export function candidateList(items, nowMs) {
  if (items.length === 0) return empty("No open event waits for a trade.");
  return h(
    "ul",
    { class: "candidates" },
    items.map((item) => candidate(item, nowMs)),
  );
}

function candidate(item, nowMs) {
  const { event } = item;
  const key = `candidate-${event.event_id}`;
  return h(
    "li",
    { "data-key": key },
    h(
      "div",
      { class: "candidate-head" },
      h("strong", null, event.symbol),
      pair(event.long_venue, event.short_venue),
      h("span", { class: "quiet" }, "gap ", percent(event.factors?.spread?.last ?? null)),
      item.signal_id && tradeLink(item.signal_id),
      h("span", { class: "spring" }),
      item.would_open
        ? h("span", { class: "gain" }, "● would open")
        : h("span", { class: "warn" }, "○ ", words(item.refusal?.reason)),
    ),
    h(
      "p",
      { class: "quiet small" },
      item.would_open
        ? planInWords(item.plan)
        : [
            item.refusal?.retryable ? "tried again" : "not tried again",
            item.next_attempt_at && [" at ", moment(item.next_attempt_at, nowMs)],
            ` · attempts: ${item.attempts}`,
          ],
    ),
    item.refusal && h("details", null, h("summary", null, "Figures"), evidence(item.refusal.evidence)),
  );
}

function planInWords(plan) {
  return `${plain(plan.quantity)} a leg: buy at ${plain(plan.long_price)}, sell at ${plain(plan.short_price)}; profit taken at ${percent(plan.take_profit_pnl)}`;
}
