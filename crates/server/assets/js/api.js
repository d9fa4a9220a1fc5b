// Requests to the server under the token of whoever looks. The token lives in this tab's session storage alone.

import { signal } from "@preact/signals";

const STORED = "kapell.token";

/// Whose token it is: undefined while unknown, null where there is none that is valid.
export const session = signal(undefined);
/// Why the last token was refused, in words.
export const refusal = signal("");

export const token = () => sessionStorage.getItem(STORED);

/// A refusal of the server, or a server that cannot be reached.
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/// Returns a key that nobody used before, with the moment in it: a UUID of version 7.
function freshKey() {
  const time = Date.now().toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
}

/// How often a question is asked again where the server is too busy.
const AGAIN_MAX = 8;

export async function request(method, path, body, accept, tried = 0) {
  const headers = { authorization: `Bearer ${token()}` };
  if (accept) headers.accept = accept;
  if (method !== "GET") headers["idempotency-key"] = freshKey();
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, { code: "unreachable", detail: "The server cannot be reached." });
  }
  if (answer.ok) return answer.status === 204 ? null : accept ? answer.text() : answer.json();
  const problem = await answer.json().catch(() => ({ detail: `The server answered ${answer.status}.` }));
  if (answer.status === 401) leave("The token is not valid, or it was taken back.");
  if (problem.code === "busy" && method === "GET" && tried < AGAIN_MAX) {
    await new Promise((wake) => setTimeout(wake, problem.retry_after_ms || 250));
    return request(method, path, body, accept, tried + 1);
  }
  throw new Refused(answer.status, problem);
}

export const get = (path) => request("GET", path);
/// Asks for a text instead of JSON.
export const text = (path, accept) => request("GET", path, undefined, accept);
export const post = (path, body = {}) => request("POST", path, body);

/// Reads every page of a list, at most `most` items.
export async function pages(path, most = 5000) {
  const items = [];
  let cursor = "";
  do {
    const joint = path.includes("?") ? "&" : "?";
    const page = await get(`${path}${joint}limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}

/// Takes the token of a link (`#token=...`) out of the address, so that it is neither kept in the history nor shared with it.
function fromAddress() {
  const found = location.hash.match(/^#token=([A-Za-z0-9_]+)$/);
  if (!found) return;
  sessionStorage.setItem(STORED, found[1]);
  location.replace("#/now");
}

/// Whether it may well be gone on the next try: no answer, one that broke off, or a server in trouble.
export const passing = ({ status }) => !(status >= 400 && status < 500);

/// What stands in the way of the beginning, while it is tried again.
export const obstacle = signal("");

/// Asks until there is an answer, for as long as `wanted`; throws what is not going to pass.
export async function insist(path, wanted = () => true) {
  for (let pause = 500; ; pause = Math.min(2 * pause, 5000)) {
    try {
      const answer = await get(path);
      obstacle.value = "";
      return answer;
    } catch (error) {
      if (!wanted() || !passing(error)) throw error;
      obstacle.value = error.message;
    }
    await new Promise((wake) => setTimeout(wake, pause));
  }
}

/// Finds out whose token this tab has. One that was given is tried once; one that the tab has already is kept until there is an answer.
export async function enter(given) {
  if (given) sessionStorage.setItem(STORED, given);
  else fromAddress();
  if (!token()) {
    session.value = null;
    return;
  }
  try {
    session.value = await (given ? get("/v1/session") : insist("/v1/session"));
    refusal.value = "";
  } catch (error) {
    if (error.status === 401) return;
    refusal.value = error.message;
    session.value = null;
  }
}

export function leave(why = "") {
  sessionStorage.removeItem(STORED);
  refusal.value = why;
  session.value = null;
}

/// Whether the token may steer: assign, settle, set the policy.
export const maySteer = () => ["admin", "manager"].includes(session.value?.access);
