// A list of the API with filters and pages. Filters and place are in the address: it can be sent to somebody.

import { h } from "../dom.js";
import { empty, panel, shown, table } from "../parts.js";
import { Resource } from "../resource.js";

const NEWEST_EVERY_MS = 4000;
const OLDER_EVERY_MS = 60000;

/**
 * `place` is the view's hash, `query` its parameters. `filters`: `{name, label, options? | pattern? | type?}`.
 * `columns(nowMs)` as parts.table has them.
 */
export function listing({
  api,
  desk,
  place,
  query,
  path,
  title,
  key,
  filters,
  columns,
  keyOf,
  nothing,
  hears,
  size = 50,
}) {
  const asked = new URLSearchParams({ limit: String(size) });
  for (const { name, type } of filters) {
    const value = query.get(`${key}-${name}`);
    if (value) asked.set(name, type === "datetime-local" ? utc(value) : value);
  }
  const before = query.get(`${key}-before`);
  if (before) asked.set("before", before);
  const resource = new Resource(api, `${path}?${asked}`, before ? OLDER_EVERY_MS : NEWEST_EVERY_MS, {
    hears: before ? () => false : hears,
  });

  const page = (data) => [
    data.items.length === 0
      ? empty(nothing, hasFilters() ? "No row matches these filters." : null)
      : table(title, columns(desk.nowMs), data.items, keyOf),
    pager(data.next),
  ];
  const hasFilters = () => [...asked.keys()].some((name) => name !== "limit");
  const pager = (next) =>
    h(
      "nav",
      { class: "pager", "aria-label": `Pages of ${title}` },
      before
        ? h("a", { class: "button", href: address({ [`${key}-before`]: null }) }, "Newest")
        : h("span", { class: "quiet" }, "newest first"),
      next && h("a", { class: "button", href: address({ [`${key}-before`]: String(next) }) }, "Older"),
    );
  const address = (changes) => {
    const wanted = new URLSearchParams(query);
    for (const [name, value] of Object.entries(changes)) value === null ? wanted.delete(name) : wanted.set(name, value);
    const text = wanted.toString();
    return text ? `${place}?${text}` : place;
  };
  return {
    resource,
    render: () => panel(title, { key }, filterForm({ key, filters, query, place }), shown(resource, page)),
  };
}

/** A local time as the API wants it; what is none goes as it is, for the API to say what is wrong. */
function utc(local) {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? local : at.toISOString();
}

function filterForm({ key, filters, query, place }) {
  return h(
    "form",
    {
      class: "filters",
      "data-action": "filter",
      "data-place": place,
      "data-prefix": key,
      "data-key": `${key}-filters`,
      "data-keep": true,
    },
    filters.map((filter) =>
      h(
        "label",
        { class: "field" },
        h("span", null, filter.label),
        control(filter, `${key}-${filter.name}`, query.get(`${key}-${filter.name}`) ?? ""),
      ),
    ),
    h(
      "div",
      { class: "filter-actions" },
      h("button", { type: "submit" }, "Filter"),
      h("button", { type: "reset" }, "Clear"),
    ),
  );
}

function control({ options, pattern, type, hint }, name, value) {
  if (options) {
    const choices = ["", ...options].map((option) =>
      h("option", { value: option, selected: option === value }, option === "" ? "any" : option.replaceAll("_", " ")),
    );
    return h("select", { name }, choices);
  }
  return h("input", {
    name,
    value,
    type: type ?? "text",
    pattern,
    title: hint,
    placeholder: "any",
    autocomplete: "off",
    spellcheck: "false",
    step: type ? "1" : null,
  });
}

export const SYMBOL = {
  name: "symbol",
  label: "Symbol",
  pattern: "[A-Z0-9]{1,20}",
  hint: "capital letters and digits, such as SOL",
};
export const VENUE = {
  name: "venue",
  label: "Venue",
  pattern: "[a-z][a-z0-9_]{1,19}",
  hint: "small letters, such as bybit",
};
export const FROM = { name: "from", label: "From (local time)", type: "datetime-local" };
export const TO = { name: "to", label: "To (local time)", type: "datetime-local" };
