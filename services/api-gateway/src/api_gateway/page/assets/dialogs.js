// The operator's commands: each asks why, says what came of it, and is safe to send again.

import { newKey } from "./api.js";
import { fill, h } from "./dom.js";
import { words } from "./format.js";

const STATES = {
  active: "Open, scale in and close.",
  reducing: "Close only: nothing opens, nothing scales in.",
  halted: "Neither open nor close; only an operator's close is carried out, and a stray leg is still taken back.",
};
export const COMMANDS = "/api/live_trading";
const ASK_AGAIN_MS = 1500;
/** The status of an outcome that is not what was asked for. */
export const NOT_DONE = 409;

/** Asks for another trading state. `onDone()` once it is so or asked for. */
export function tradingStateDialog(api, current, onDone) {
  const options = Object.entries(STATES).map(([state, what]) =>
    h(
      "label",
      { class: "option" },
      h("input", {
        type: "radio",
        name: "state",
        value: state,
        required: true,
        disabled: state === current,
        checked: state === suggested(current),
      }),
      h(
        "span",
        null,
        h("strong", null, words(state)),
        state === current && h("em", null, " now"),
        h("small", null, what),
      ),
    ),
  );
  const typed = h(
    "label",
    { class: "field", hidden: true },
    h("span", null, "Type ", h("code", null, "active"), " to let Tandem open trades again"),
    h("input", { name: "typed", autocomplete: "off", autocapitalize: "off", spellcheck: "false" }),
  );
  const { form, open } = commandDialog({
    title: "Trading state",
    fields: [h("fieldset", null, h("legend", null, "Move trading to"), options), typed],
    button: "Change state",
    async send(values, key) {
      return api.send("POST", `${COMMANDS}/trading_state`, { state: values.get("state"), why: values.get("why") }, key);
    },
    onDone,
  });
  const input = typed.querySelector("input");
  const adapt = () => {
    const isActive = new FormData(form).get("state") === "active";
    typed.hidden = !isActive;
    input.required = isActive;
    input.setCustomValidity(isActive && input.value.trim() !== "active" ? "Type the word active to confirm." : "");
  };
  form.addEventListener("input", adapt);
  adapt();
  open();
}

function suggested(current) {
  return current === "active" ? "halted" : "active";
}

/** Asks for the close of one trade. */
export function forceCloseDialog(api, { id, symbol }, onDone) {
  const { open } = commandDialog({
    title: `Force close ${symbol} #${id}`,
    fields: [h("p", null, "Both legs are closed with reduce-only market orders, whatever the spread is now.")],
    button: `Close trade #${id}`,
    isDanger: true,
    async send(values, key) {
      return api.send("POST", `${COMMANDS}/force_close`, { signal_id: id, why: values.get("why") }, key);
    },
    onDone,
  });
  open();
}

/**
 * A dialog that asks why, sends, and shows what came of it. `show(status, answer)` makes elements of an answer. Where
 * there is `ask(answer)`, it is asked again while `goesOn(status, answer)`, as long as the dialog is open.
 */
export function commandDialog({
  title,
  fields,
  button,
  isDanger = false,
  send,
  show = told,
  ask = null,
  goesOn = isNotYet,
  onDone,
}) {
  const outcome = h("div", { class: "outcome", role: "status", "aria-live": "polite" });
  const submit = h("button", { type: "submit", class: isDanger ? "danger solid" : "primary" }, button);
  const leave = h("button", { type: "button" }, "Cancel");
  const why = h("input", {
    name: "why",
    required: true,
    maxlength: 500,
    autocomplete: "off",
    placeholder: "kept in the audit",
  });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "dialog-title" }, title),
    fields,
    h("label", { class: "field" }, h("span", null, "Why"), why),
    outcome,
    h("div", { class: "dialog-actions" }, leave, submit),
  );
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  let key = newKey();

  leave.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("input", () => why.setCustomValidity(why.value && !why.value.trim() ? "Say why." : ""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = new FormData(form);
    submit.disabled = true;
    fill(outcome, h("p", { class: "quiet" }, "Asked; waiting for what comes of it…"));
    try {
      const answer = await send(values, key);
      fill(outcome, show(answer.status, answer.data));
      onDone();
      if (answer.status === NOT_DONE) {
        // It has ended: to want it again, otherwise, is a new question.
        submit.disabled = false;
        key = newKey();
        return;
      }
      for (const input of form.querySelectorAll("input")) input.disabled = true;
      submit.hidden = true;
      leave.textContent = "Done";
      leave.focus();
      if (ask) await askAgain(answer);
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      fill(outcome, refused(problem));
      submit.disabled = false;
      if (!mayBeAtWork(problem)) key = newKey();
    }
  });

  /** Until it is over, or nobody looks any more. */
  async function askAgain(answer) {
    let { status, data } = answer;
    while (goesOn(status, data) && dialog.isConnected) {
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      try {
        ({ status, data } = await ask(data));
      } catch (problem) {
        if (problem.status === undefined) throw problem;
        continue;
      }
      fill(outcome, show(status, data));
    }
    if (isNotYet(answer.status)) onDone();
  }

  return {
    form,
    open() {
      document.body.append(dialog);
      dialog.showModal();
      if (!form.querySelector("[autofocus]")) why.focus(); // the browser does it for who has the attribute
    },
  };
}

/** Nobody answered, or not in time, or another one with this key is still at work: the same key, to be done once. */
function mayBeAtWork({ status, errors }) {
  return status === 0 || status >= 500 || (status === 409 && errors.length === 0);
}

export function isNotYet(status) {
  return status === 202;
}

function told(status, answer) {
  const isDone = status === 200;
  return h("p", { class: isDone ? "done" : "warn" }, isDone ? "● Done: " : "◐ Not yet: ", answer.told);
}

function refused(problem) {
  const wrong = problem.errors.map(({ field, allowed }) => h("li", null, `${field}: ${allowed}`));
  const again = mayBeAtWork(problem) ? " Sending it again is safe: it is done once." : "";
  return [h("p", { class: "loss" }, `✕ ${problem.message}.${again}`), wrong.length > 0 && h("ul", null, wrong)];
}
