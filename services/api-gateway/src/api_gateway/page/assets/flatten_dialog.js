// The command that brings what a venue holds of a symbol to zero, confirmed by typing, answered by what the venue says.

import { COMMANDS, NOT_DONE, commandDialog, isNotYet } from "./dialogs.js";
import { h } from "./dom.js";
import { moment, plain, usdt, words } from "./format.js";
import { fillList } from "./parts.js";

const WAIT_SECONDS = 30;
const IN_HAND = ["asked", "working"];
/** The executor leaves what it has not done ten minutes after it was asked; a little more for the way. */
const LEFT_AFTER_MS = 620000;

/**
 * Asks for a venue to hold nothing of a symbol, and shows what the venue says then. Both may be left to the operator;
 * `desk` knows the trades that would be closed with it.
 */
export function flattenDialog(api, desk, { venue = "", symbol = "" }, onDone) {
  const named = (name, label, value, pattern, hint) =>
    h(
      "label",
      { class: "field" },
      h("span", null, label),
      h("input", {
        name,
        value,
        pattern,
        title: hint,
        required: true,
        readonly: value !== "",
        autofocus: value === "",
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false",
      }),
    );
  const touched = h("p", { "aria-live": "polite" });
  const word = h("code");
  const typed = h("input", {
    name: "typed",
    required: true,
    autofocus: venue !== "",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
  });
  let askedAtMs = null;
  const { form, open } = commandDialog({
    title: venue ? `Flatten ${symbol} on ${venue}` : "Flatten a venue and symbol",
    fields: [
      h(
        "div",
        { class: "pair-of-fields" },
        named("venue", "Venue", venue, "[a-z][a-z0-9_]{1,19}", "small letters, such as bybit"),
        named("symbol", "Symbol", symbol, "[A-Z0-9]{1,20}", "capital letters and digits, such as SOL"),
      ),
      touched,
      h(
        "label",
        { class: "option" },
        h("input", { type: "checkbox", name: "include_unowned" }),
        h(
          "span",
          null,
          "Also what no trade of Tandem holds",
          h("small", null, "It may be your own position. Reduce-only market orders, whatever the price is now."),
        ),
      ),
      h("label", { class: "field" }, h("span", null, "Type ", word, " to confirm"), typed),
    ],
    button: "Flatten",
    isDanger: true,
    async send(values, key) {
      const body = {
        venue: values.get("venue"),
        symbol: values.get("symbol"),
        include_unowned: values.has("include_unowned"),
        why: values.get("why"),
        wait_seconds: WAIT_SECONDS,
      };
      askedAtMs = performance.now();
      return api.send("POST", `${COMMANDS}/flatten_position`, body, key, [NOT_DONE]);
    },
    show: (status, answer) => flattened(answer, desk.nowMs, status === NOT_DONE),
    async ask(answer) {
      const { data: status } = await api.read(answer.see);
      const isLeft = performance.now() - askedAtMs > LEFT_AFTER_MS;
      const reached = status.state === "flat" ? 200 : IN_HAND.includes(status.state) && !isLeft ? 202 : NOT_DONE;
      return { status: reached, data: { ...answer, status } };
    },
    // The fees may come a moment after the zero.
    goesOn: (status, answer) => isNotYet(status) || (status === 200 && !isBooked(answer.status.evidence.orders ?? [], answer.status.fills)),
    onDone,
  });
  const adapt = () => {
    const values = new FormData(form);
    const wanted = `${values.get("venue")} ${values.get("symbol")}`;
    word.textContent = wanted.trim() ? wanted : "venue and symbol";
    touched.textContent = touches(desk, values.get("venue"), values.get("symbol"));
    typed.setCustomValidity(typed.value.trim() === wanted ? "" : `Type ${wanted} to confirm.`);
  };
  form.addEventListener("input", adapt);
  adapt();
  open();
}

/** Which trade goes with it: one leg alone would leave the other one naked. */
function touches(desk, venue, symbol) {
  if (!venue || !symbol) return "A trade with a leg there is closed as a whole, on both venues.";
  if (!desk.positions.data) return "Positions are not known now. A trade with a leg there is closed as a whole.";
  const trade = desk.positions.data.items.find(
    (position) => position.symbol === symbol && position.legs.some((leg) => leg.venue === venue),
  );
  if (!trade) return `No trade of Tandem has ${symbol} on ${venue}.`;
  return `Trade #${trade.signal_id} is closed as a whole: ${trade.legs.map((leg) => `${leg.venue} ${plain(leg.ledger_quantity)}`).join(", ")}.`;
}

/** What the venue says; only its own zero is called flat. `isOver`: nobody is at it any more. */
function flattened({ venue, symbol, status }, nowMs, isOver) {
  const { state, evidence } = status;
  const isHeld = evidence.venue_quantity !== undefined;
  const held = isHeld && [
    `${venue} says that it holds ${plain(evidence.venue_quantity)} ${symbol}, read at `,
    moment(evidence.read_at, nowMs),
    ".",
  ];
  const waits = evidence.waits_for ?? null;
  const said = {
    flat: () => h("p", { class: "done" }, "● Flat: ", held),
    working: () => (isOver ? left(waits) : atWork(waits)),
    asked: () =>
      isOver
        ? h("p", { class: "loss" }, "✕ Not flat: the executor did not take it up within ten minutes; it is dropped.")
        : h("p", { class: "warn" }, "◐ Not yet: recorded. What is not taken up within ten minutes is dropped."),
  };
  const failed = () => [
    h("p", { class: "loss" }, `✕ Not flat: ${evidence.reason ?? "it could not be done"}.`),
    evidence.allowed && h("p", null, `Allowed: ${evidence.allowed.join(", ")}.`),
    isHeld && h("p", null, held),
  ];
  return [(said[state] ?? failed)(), ordersSent(evidence.orders ?? [], status.fills)];
}

function atWork(waits) {
  return [
    h("p", { class: "warn" }, "◐ Not yet: the executor is at it."),
    waits && h("p", null, h("strong", null, "It waits: "), `${waits}.`),
    h("p", { class: "quiet" }, "It tries again by itself. What is not done within ten minutes is left as it is."),
  ];
}

function left(waits) {
  return [
    h("p", { class: "loss" }, "✕ Not flat: ten minutes are over, and the executor leaves it as it is."),
    waits && h("p", null, h("strong", null, "It waited: "), `${waits}.`),
    h("p", null, "Look at what the venue holds, and ask for it again."),
  ];
}

/** Whether every unit that filled has its execution and its fee. */
function isBooked(orders, fills) {
  const filled = orders.reduce((sum, order) => sum + Number(order.filled_quantity), 0);
  const booked = fills.reduce((sum, fill) => sum + Number(fill.fee_usdt === null ? 0 : fill.quantity), 0);
  return Math.abs(filled - booked) <= filled * 1e-9;
}

function ordersSent(orders, fills) {
  if (orders.length === 0) return null;
  const line = (order) =>
    `${order.side} ${plain(order.quantity)}: ${words(order.status)}, ${plain(order.filled_quantity)} at ${plain(order.average_price)}`;
  const of = (order) => fills.filter((fill) => fill.client_order_id === order.client_order_id);
  const areKnown = isBooked(orders, fills);
  const fees = areKnown ? fills.reduce((sum, fill) => sum + Number(fill.fee_usdt), 0) : null;
  return [
    h(
      "ul",
      { class: "quiet", "aria-label": "Orders sent" },
      orders.map((order) => h("li", null, line(order), fillList(of(order)))),
    ),
    h("p", { class: "quiet" }, `Fees: ${areKnown ? usdt(fees, { digits: 4 }) : "not booked yet"}`),
  ];
}
