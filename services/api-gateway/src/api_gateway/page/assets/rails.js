// How far one open trade is from the limits that end or bound it.

import { h } from "./dom.js";
import { duration, percent, plain, usdt, UNKNOWN } from "./format.js";
import { notionalCap, notionalPerLeg } from "./standing.js";

/** `known` as tradeCard has it; `sample` is the latest valuation or null. */
export function rails({ trade, position, settings, nowMs }, sample) {
  const setting = (name) => settings?.[name]?.value ?? null;
  const funding = sample?.funding_per_hour ?? null;
  const stop =
    sample?.evidence?.stop_loss_funding_per_hour ?? negative(setting("LIVE_TRADING_STOP_LOSS_FUNDING_PER_HOUR_PCT"));
  const notional = notionalPerLeg(trade.entries);
  const cap = notionalCap(settings);
  const left = trade.force_close_at ? (Date.parse(trade.force_close_at) - nowMs) / 1000 : null;
  const hold =
    trade.force_close_at && trade.opened_at
      ? (Date.parse(trade.force_close_at) - Date.parse(trade.opened_at)) / 1000
      : null;
  const stopLoss = setting("LIVE_TRADING_STOP_LOSS_TOTAL_PCT");
  return h(
    "section",
    { class: "rails", "aria-label": "Rails" },
    h("h4", null, "Rails"),
    h(
      "dl",
      null,
      rail(
        "Max-hold",
        left === null ? UNKNOWN : `${duration(left)} left`,
        share(hold - left, hold),
        "the trade is closed then, counted from the first entry",
        true,
      ),
      rail(
        "Funding",
        [percentPerHour(funding), h("small", null, `hard stop ${percentPerHour(stop)}`)],
        funding === null ? null : share(-funding, -stop),
        "per hour on the position; above zero is received",
        true,
      ),
      rail(
        "Notional a leg",
        [usdt(notional, { digits: 0 }), h("small", null, `of ${usdt(cap, { digits: 0 })}`)],
        share(notional, cap),
        "what one leg holds, and the cap",
      ),
      rail(
        "Entries",
        `${trade.entries_count} of ${trade.max_entries}`,
        share(trade.entries_count, trade.max_entries),
        "filled, and how many there may be",
      ),
      rail(
        "Stop-loss",
        trade.enabled ? ["off", h("small", null, "scale-in is on")] : `${percent(negative(stopLoss))} of notional`,
        null,
        "a total P&L that cuts the trade; only with scale-in disabled",
      ),
      rail("Hedge", hedge(position), null, "ledger against what the venues say they hold"),
    ),
  );
}

/** `used` is the share of the limit, null where there is none to show; `isAlarm` says that coming near it is bad. */
function rail(name, value, used, title, isAlarm = false) {
  const isNear = isAlarm && used !== null && used >= 0.8;
  const meter =
    used === null
      ? null
      : h(
          "div",
          { class: `meter ${isNear ? "near" : ""}`, "aria-hidden": "true" },
          h("span", { style: { width: `${Math.round(used * 100)}%` } }),
        );
  return h(
    "div",
    { class: "rail", title },
    h("dt", null, name),
    h("dd", null, value, isNear && h("small", { class: "warn" }, "▲ near")),
    meter,
  );
}

function share(part, whole) {
  if (part === null || whole === null || !(whole > 0)) return null;
  return Math.min(1, Math.max(0, part / whole));
}

function negative(value) {
  return value === null ? null : -Math.abs(Number(value));
}

function percentPerHour(fraction) {
  return fraction === null ? UNKNOWN : `${percent(fraction, { digits: 3, sign: true })}/h`;
}

function hedge(position) {
  if (!position) return UNKNOWN;
  if (position.legs.some((leg) => leg.difference === null)) return ["not read yet", h("small", null, "by the venues")];
  const off = position.legs.filter((leg) => Number(leg.difference) !== 0);
  if (off.length === 0)
    return ["● even", h("small", null, position.legs.map((leg) => plain(leg.venue_quantity)).join(" / "))];
  return h(
    "span",
    { class: "warn" },
    off.map((leg) => `▲ ${leg.venue} differs by ${plain(leg.difference)}`).join(", "),
  );
}
