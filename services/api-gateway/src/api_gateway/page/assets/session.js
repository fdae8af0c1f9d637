// Signing in: a token is exchanged for a cookie that no script can read.

import { fill, h } from "./dom.js";

/** The session, or null where a token is needed. Raises Problem when nobody answers. */
export async function currentSession(api) {
  try {
    const { data } = await api.read("/api/session");
    api.csrfToken = data.csrf_token;
    return data;
  } catch (problem) {
    if (problem.status === 401) return null;
    throw problem;
  }
}

export async function signOut(api) {
  await api.send("DELETE", "/api/session", null);
  api.csrfToken = null;
}

/** The form; `onSession(session)` when a token was accepted. `note` says why it is asked for. */
export function signInForm(api, note, onSession) {
  const outcome = h("div", { class: "outcome", role: "alert" });
  const token = h("input", {
    name: "token",
    type: "password",
    required: true,
    maxlength: 500,
    autocomplete: "current-password",
  });
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h(
    "form",
    { class: "sign-in panel" },
    h("h1", null, "Tandem"),
    h("p", { class: "quiet" }, note ?? "Sign in with a token of this gateway."),
    h("label", { class: "field" }, h("span", null, "Token"), token),
    outcome,
    submit,
    h(
      "p",
      { class: "quiet small" },
      "A token is made with ",
      h("code", null, "python -m common.runtime.new_token NAME read|operate"),
      ".",
    ),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      const { data } = await api.send("POST", "/api/session", { token: token.value });
      api.csrfToken = data.csrf_token;
      onSession(data);
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      fill(outcome, h("p", { class: "loss" }, `✕ ${problem.message}.`));
      token.select();
    } finally {
      submit.disabled = false;
    }
  });
  return form;
}
