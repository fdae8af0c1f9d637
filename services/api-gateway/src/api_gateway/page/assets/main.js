// Puts the page together: who is signed in, which view is shown, what is announced, and what buttons do.

import { Api } from "./api.js";
import { forgetCharts } from "./chart.js";
import { Desk } from "./desk.js";
import { forceCloseDialog, tradingStateDialog } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { flattenDialog } from "./flatten_dialog.js";
import { bar, notices } from "./frame.js";
import { words } from "./format.js";
import { currentSession, signInForm, signOut } from "./session.js";
import { nextTheme } from "./theme_choice.js";
import { deskView } from "./views/desk_view.js";
import { signalsView } from "./views/signals_view.js";
import { systemView } from "./views/system_view.js";
import { tradeView } from "./views/trade_view.js";
import { watchlistView } from "./views/watchlist_view.js";

const TICK_MS = 1000;
const SESSION_RETRY_MS = 3000;
const VIEWS = { "": deskView, signals: signalsView, watchlist: watchlistView, system: systemView };

const api = new Api();
const place = { bar: find("bar"), notices: find("notices"), main: find("main"), announcer: find("announcer") };
let desk = null;
let view = null;
let isPlanned = false;

function find(id) {
  return document.getElementById(id);
}

async function begin() {
  try {
    const session = await currentSession(api);
    if (session) enter(session);
    else askForToken();
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    fill(
      place.main,
      h(
        "div",
        { class: "empty broken", role: "alert" },
        h("p", null, `Nothing is known: ${problem.message}.`),
        h("p", { class: "quiet" }, "It is asked again by itself."),
      ),
    );
    setTimeout(begin, SESSION_RETRY_MS);
  }
}

function askForToken(note = null) {
  fill(place.bar);
  fill(place.notices);
  place.main.replaceChildren(signInForm(api, note, enter));
  place.main.querySelector("input").focus();
}

function enter(session) {
  desk = new Desk(api, session, changed, announce);
  desk.start();
  navigate();
}

/** The session ended under us: everything stops, and a token is asked for. */
function leave(note) {
  desk.stop();
  desk = null;
  view = null;
  askForToken(note);
}

function changed(resource) {
  if (resource?.problem?.status === 401) {
    if (desk) leave("The session has ended. Sign in again.");
    return;
  }
  if (isPlanned) return;
  isPlanned = true;
  requestAnimationFrame(() => {
    isPlanned = false;
    if (desk) render();
  });
}

function render() {
  fill(place.bar, bar(desk, route().name));
  fill(place.notices, notices(desk));
  fill(place.main, view.render());
  view.drawn?.();
  forgetCharts();
}

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id] = path.split("/");
  return { name, id, query: new URLSearchParams(query) };
}

/** Shows what the address says. Who moved here from another page goes on reading at its beginning. */
function navigate({ isMoved = false } = {}) {
  if (!desk) return;
  const { name, id, query } = route();
  const isTrade = name === "trades" && /^[1-9][0-9]{0,17}$/.test(id ?? "");
  const make = isTrade ? tradeView : (VIEWS[name] ?? notFound);
  view = make({ api, desk, query, id });
  document.title = `${view.title} · Tandem`;
  place.main.replaceChildren();
  desk.follow(view.resources);
  render();
  scrollTo(0, 0);
  if (isMoved) place.main.focus({ preventScroll: true });
}

function notFound() {
  const says = () =>
    h(
      "div",
      { class: "empty" },
      h("h1", null, "There is no such page."),
      h("p", null, h("a", { href: "#/" }, "To the desk")),
    );
  return { title: "Not found", resources: [], render: says };
}

/** Says to a screen reader what happens to trades. */
function announce(name, payload) {
  if (name !== "trade.changed" || !payload || payload.status === "skipped") return;
  place.announcer.textContent = `${payload.symbol} trade ${payload.signal_id}: ${words(payload.reason ?? payload.status)}`;
}

const ACTIONS = {
  "trading-state": () => tradingStateDialog(api, desk.tradingState.state, () => desk.poke()),
  "force-close": ({ id, symbol }) => forceCloseDialog(api, { id: Number(id), symbol }, () => desk.poke()),
  flatten: ({ venue, symbol }) => flattenDialog(api, desk, { venue, symbol }, () => desk.poke()),
  theme() {
    nextTheme();
    changed();
  },
  async "sign-out"() {
    try {
      await signOut(api);
    } catch (problem) {
      if (problem.status !== 401) throw problem; // without a session there is nothing to end
    }
    if (desk) leave("You are signed out.");
  },
  skip: () => place.main.focus(),
};

document.addEventListener("click", (event) => {
  const source = event.target.closest("[data-action]");
  if (!source || source.tagName === "FORM") return;
  const action = ACTIONS[source.dataset.action] ?? view?.actions?.[source.dataset.action];
  if (!action) return;
  event.preventDefault();
  action(source.dataset);
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-action=filter]");
  if (!form) return;
  event.preventDefault();
  goTo(form, [...new FormData(form)]);
});

document.addEventListener("reset", (event) => {
  const form = event.target.closest("form[data-action=filter]");
  if (!form) return;
  event.preventDefault();
  goTo(form, []);
});

/** The address with these filters, and what other lists of the view have. */
function goTo(form, filters) {
  const { place: hash, prefix } = form.dataset;
  const wanted = new URLSearchParams([...route().query].filter(([name]) => !name.startsWith(`${prefix}-`)));
  for (const [name, value] of filters) if (value !== "") wanted.set(name, value);
  const text = wanted.toString();
  location.hash = text ? `${hash}?${text}` : hash;
}

addEventListener("hashchange", () => navigate({ isMoved: true }));
addEventListener("resize", () => changed());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => changed());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) desk?.poke();
});
// Ages go on while nothing arrives.
setInterval(() => desk && changed(), TICK_MS);

begin();
