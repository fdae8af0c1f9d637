// Small pieces that several views are made of.

import { h } from "./dom.js";
import { UNKNOWN, plain, usdt, words } from "./format.js";

/** A heading with what stands under it. */
export function panel(title, { key, note = null, actions = null, kind = "" }, ...children) {
  const id = `panel-${key}`;
  return h(
    "section",
    { class: `panel ${kind}`, "data-key": key, "aria-labelledby": id },
    h("header", { class: "panel-head" }, h("h2", { id }, title), note && h("p", { class: "quiet" }, note), actions),
    children,
  );
}

/** A figure under its name. `title` says more on hover. */
export function figure(name, value, { title = null, kind = "" } = {}) {
  return h("div", { class: `figure ${kind}`, title }, h("dt", null, name), h("dd", null, value));
}

// prettier-ignore
const GLYPHS = {
  open: "▲", opening: "△", closing: "▽", closed: "■", skipped: "–", expired: "○", failed: "✕", new: "·", forming: "△",
  active: "●", reducing: "◐", halted: "■", ready: "●", not_ready: "▲", unreachable: "✕",
  filled: "●", partly_filled: "◐", working: "…", unknown: "?", rejected: "✕", cancelled: "○", intent: "·", not_sent: "–",
};

/** A status as a shape with its word. */
export function status(name) {
  const glyph = h("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[name] ?? "·");
  return h("span", { class: `status is-${name}` }, glyph, words(name));
}

/** Long and short venue of a trade. */
export function pair(long, short) {
  return h(
    "span",
    { class: "pair" },
    h("span", null, h("abbr", { class: "leg", title: "bought on" }, "long"), " ", long),
    h("span", { class: "quiet", "aria-hidden": "true" }, " / "),
    h("span", null, h("abbr", { class: "leg", title: "sold on" }, "short"), " ", short),
  );
}

/**
 * A table that becomes a list of cards on a phone. `columns`: `{name, numeric?, cell(row)}`; `keyOf(row)` names a row.
 */
export function table(caption, columns, rows, keyOf) {
  const head = columns.map(({ name, numeric }) => h("th", { scope: "col", class: numeric ? "numeric" : null }, name));
  const body = rows.map((row) =>
    h(
      "tr",
      { "data-key": String(keyOf(row)) },
      columns.map(({ name, numeric, cell }) =>
        h("td", { "data-label": name, class: numeric ? "numeric" : null }, cell(row) ?? UNKNOWN),
      ),
    ),
  );
  return h(
    "table",
    { class: "rows" },
    h("caption", { class: "unseen" }, caption),
    h("thead", null, h("tr", null, head)),
    h("tbody", null, body),
  );
}

/** What is said where there is nothing to show. */
export function empty(text, more = null) {
  return h("div", { class: "empty" }, h("p", null, text), more && h("p", { class: "quiet" }, more));
}

/** One of: loading, broken without anything to show, or what `show(data)` makes. */
export function shown(resource, show) {
  if (resource.data) return [stale(resource), show(resource.data)];
  if (resource.problem) {
    return h(
      "div",
      { class: "empty broken", role: "alert" },
      h("p", null, `Not known now: ${resource.problem.message}.`),
      h("p", { class: "quiet" }, "It is asked again by itself."),
    );
  }
  return h("p", { class: "quiet pad", role: "status" }, "Loading…");
}

function stale(resource) {
  return (
    resource.problem && h("p", { class: "stale", role: "status" }, `▲ As it last was: ${resource.problem.message}.`)
  );
}

export function link(hash, ...children) {
  return h("a", { href: hash }, children);
}

export function tradeLink(id) {
  return link(`#/trades/${id}`, `#${id}`);
}

const CHANGES = new Set(["trading_state_changed"]);

/** The kind of a row of the error log. What only changed is there for somebody to know, and looks like no error. */
export function errorKind(kind) {
  if (CHANGES.has(kind)) return h("strong", null, `◆ ${words(kind)}`);
  return h("strong", { class: "loss" }, `✕ ${words(kind)}`);
}

/** The executions of one order, each with its fee. */
export function fillList(fills) {
  if (fills.length === 0) return h("span", { class: "quiet" }, "none booked");
  const list = fills.map((fill) =>
    h("li", null, `${plain(fill.quantity)} at ${plain(fill.price)}, fee ${usdt(fill.fee_usdt, { digits: 4 })}`),
  );
  return h("ul", { class: "fills" }, list);
}

/** JSON evidence as nested lists of names and values. */
export function evidence(value) {
  if (value === null || value === undefined) return h("span", { class: "quiet" }, UNKNOWN);
  if (Array.isArray(value)) {
    if (value.length === 0) return h("span", { class: "quiet" }, "none");
    if (value.every((one) => typeof one !== "object" || one === null)) return value.join(", ");
    return h(
      "ol",
      { class: "evidence-list" },
      value.map((one) => h("li", null, evidence(one))),
    );
  }
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return h("span", { class: "quiet" }, "none");
  return h(
    "dl",
    { class: "evidence" },
    entries.map(([name, one]) => [h("dt", null, words(name)), h("dd", null, evidence(one))]),
  );
}
