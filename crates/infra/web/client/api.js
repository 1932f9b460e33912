// REST, as docs/api.md has it.

import { sentence } from "./words.js";

/** The server said no: `message` is a sentence for people, `code` is for programs. */
export class Refusal extends Error {
  constructor({ detail, error, code, retry_after: retryAfter }) {
    super(sentence(detail ?? error));
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Nobody answered, or not the lobby. */
export class Unreachable extends Error {
  code = "unreachable";

  constructor() {
    super("The lobby cannot be reached. Is the network there?");
  }
}

export function logIn(pseudonym) {
  return ask("POST", "/login", { body: { pseudonym, claim: true } });
}

export function logOut({ token, pseudonym }) {
  return ask("POST", "/logout", { token, body: { pseudonym } });
}

export function earlier(token, before) {
  return ask("GET", `/messages?before=${before}&limit=50`, { token });
}

/** Everybody online, a page at a time: `{users, revision}`. */
export async function* everybody(token) {
  let path = "/users?sort_by=connected_at&limit=1000";
  while (path) {
    const response = await request("GET", path, { token });
    yield { users: await answer(response), revision: Number(response.headers.get("Lobby-Roster-Revision")) };
    const next = /<([^>]+)>; rel="next"/.exec(response.headers.get("Link") ?? "");
    path = next?.[1];
  }
}

async function ask(method, path, options) {
  return answer(await request(method, path, options));
}

async function request(method, path, { token, body }) {
  const headers = new Headers();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (body) headers.set("Content-Type", "application/json");
  try {
    return await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Unreachable();
  }
}

async function answer(response) {
  let body;
  try {
    body = await response.json();
  } catch {
    throw new Unreachable();
  }
  if (!response.ok) throw new Refusal(body);
  return body;
}
