// How figures and times are written. Units are always there; unknown is a dash that says so, never a zero.

import { h } from "./dom.js";

const THIN = "\u202f";
const MINUS = "\u2212";

export const UNKNOWN = "\u2014";

/** A known figure as text, or the dash. */
function known(value, write) {
  return value === null || value === undefined ? UNKNOWN : write(Number(value));
}

function signed(text, value, isSigned) {
  if (value < 0) return MINUS + text;
  return isSigned && value > 0 ? `+${text}` : text;
}

function grouped(value, digits) {
  const size = Math.abs(value);
  return size.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** 0.0123 as 1.23 %. */
export function percent(fraction, { digits = 2, sign = false } = {}) {
  return known(
    fraction,
    (value) => signed(grouped(value * 100, digits), round(value * 100, digits), sign) + THIN + "%",
  );
}

/** The way from one spread to another, in percentage points. */
export function points(from, to) {
  return known(from === null || to === null ? null : to - from, (value) => {
    const text = grouped(value * 100, 2);
    return signed(text, round(value * 100, 2), true) + THIN + "pp";
  });
}

/** An amount of money. */
export function usdt(amount, { digits = 2, sign = false } = {}) {
  return known(amount, (value) => signed(grouped(value, digits), round(value, digits), sign) + THIN + "USDT");
}

/** A quantity or a price, without zeros at its end. */
export function plain(amount, digits = 8) {
  return known(amount, (value) => {
    const text = Math.abs(value).toLocaleString("en", { maximumFractionDigits: digits });
    return value < 0 ? MINUS + text : text;
  });
}

export function count(value) {
  return known(value, (number) => number.toLocaleString("en"));
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}

/** `take_profit` as it is said. */
export function words(name) {
  return name ? String(name).replaceAll("_", " ") : UNKNOWN;
}

/** 90061 s as "1 d 1 h": the two largest units. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([size]) => size > 0);
  if (first === -1) return `0${THIN}s`;
  return parts
    .slice(first, first + 2)
    .filter(([size], index) => index === 0 || size > 0)
    .map(([size, unit]) => size + THIN + unit)
    .join(" ");
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const YEAR_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** A moment in the reader's zone, with UTC on hover. `nowMs` decides whether the day is said. */
export function moment(iso, nowMs) {
  if (!iso) return h("span", { class: "quiet", title: "not yet, or not known" }, UNKNOWN);
  const at = new Date(iso);
  const utc = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return h("time", { datetime: at.toISOString(), title: utc }, dayBefore(at, new Date(nowMs)) + CLOCK.format(at));
}

export function clockTime(ms) {
  return CLOCK.format(new Date(ms));
}

export function dayOf(ms) {
  return DAY.format(new Date(ms));
}

function dayBefore(at, now) {
  if (at.toDateString() === now.toDateString()) return "";
  const day = at.getFullYear() === now.getFullYear() ? DAY : YEAR_DAY;
  return `${day.format(at)} `;
}

/** The tone of an amount: never the only sign of it, the amount has its own. */
export function tone(amount) {
  if (amount === null || amount === undefined || Number(amount) === 0) return "";
  return Number(amount) > 0 ? "gain" : "loss";
}
