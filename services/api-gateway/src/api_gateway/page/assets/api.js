// The gateway's API: JSON, problems, and the session's CSRF token.

const ANSWER_WITHIN_MS = 8000;
const COMMAND_WITHIN_MS = 40000;

/** What the gateway, or the way to it, said instead of an answer. `status` 0: nobody answered. */
export class Problem extends Error {
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

export class Api {
  csrfToken = null;

  /** `{status, data, tag}`; data is null of a 304. Raises Problem. `accepts` are statuses beyond 200 with a body. */
  async read(path, { tag = null, accepts = [] } = {}) {
    const headers = tag ? { "If-None-Match": tag } : {};
    const response = await this.#fetch(path, { headers }, ANSWER_WITHIN_MS);
    if (response.status === 304) return { status: 304, data: null, tag };
    if (!response.ok && !accepts.includes(response.status)) throw await problemOf(response);
    return { status: response.status, data: await bodyOf(response), tag: response.headers.get("ETag") };
  }

  /** Sends a command; `key` makes asking again safe. `accepts` are statuses that may come with an outcome, too. */
  async send(method, path, body, key = null, accepts = []) {
    const headers = { "Content-Type": "application/json" };
    if (this.csrfToken) headers["X-CSRF-Token"] = this.csrfToken;
    if (key) headers["Idempotency-Key"] = key;
    const request = { method, headers, body: body === null ? undefined : JSON.stringify(body) };
    const response = await this.#fetch(path, request, COMMAND_WITHIN_MS);
    const isOutcome = response.ok || (accepts.includes(response.status) && !isProblem(response));
    if (!isOutcome) throw await problemOf(response);
    return { status: response.status, data: response.status === 204 ? null : await bodyOf(response) };
  }

  async #fetch(path, request, withinMs) {
    try {
      return await fetch(path, { ...request, credentials: "same-origin", signal: AbortSignal.timeout(withinMs) });
    } catch (error) {
      const late = error.name === "TimeoutError" || error.name === "AbortError";
      throw new Problem(0, late ? `no answer within ${withinMs / 1000} s` : "the gateway cannot be reached");
    }
  }
}

function isProblem(response) {
  return response.headers.get("Content-Type")?.startsWith("application/problem+json");
}

async function bodyOf(response) {
  try {
    return await response.json();
  } catch {
    throw new Problem(response.status, "the answer broke off");
  }
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return new Problem(response.status, body.detail ?? body.title ?? response.statusText, body.errors ?? []);
  } catch {
    return new Problem(response.status, `the gateway answered ${response.status} ${response.statusText}`);
  }
}

/** A key for one command; the same one is sent when the same form is sent again. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
