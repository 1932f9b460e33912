"use strict";
// One person who uses the lobby from JavaScript. The protocol on stdin and stdout is in ../README.md.

const readline = require("node:readline");
const { io } = require("socket.io-client");

const ANSWER_WITHIN_MS = 10_000;
const EVENTS = ["new_message", "user_joined", "user_left", "session", "typing", "error"];

const url = process.argv[2];
const transports = (process.env.LOBBY_TRANSPORTS ?? "websocket").split(",");
const cookies = process.env.LOBBY_COOKIES ?? "all";
const limitSeconds = Number(process.env.LOBBY_TIME_LIMIT ?? 60);

/** A browser's cookies for one site. `headers` is one live object: whoever holds it always sends what is in the jar now. */
class CookieJar {
  headers = {};
  #pairs = new Map();

  store(response) {
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const name = pair.split("=", 1)[0];
      if (attributes.some(isPast)) this.#pairs.delete(name);
      else this.#pairs.set(name, pair);
    }
    if (this.#pairs.size > 0) this.headers.Cookie = [...this.#pairs.values()].join("; ");
    else delete this.headers.Cookie;
  }
}

function isPast(attribute) {
  const [key, value] = attribute.split("=");
  if (/^max-age$/i.test(key)) return Number(value) <= 0;
  return /^expires$/i.test(key) && Date.parse(value) <= Date.now();
}

const jar = new CookieJar();
const tabs = new Map();

function print(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

async function request(method, path, body) {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body && { "Content-Type": "application/json" }), ...jar.headers },
    body: body && JSON.stringify(body),
  });
  if (cookies !== "none") jar.store(response);
  return { status: response.status, body: await response.json() };
}

function connect({ tab = "main", auth }) {
  const options = { transports, forceNew: true, auth };
  if (cookies === "all") options.extraHeaders = jar.headers;
  const socket = io(url, options);
  tabs.set(tab, socket);

  const show = (event, data) => print({ event, tab, data });
  for (const event of EVENTS) socket.on(event, (data) => show(event, data));
  socket.on("connect", () => show("connect", { recovered: socket.recovered }));
  socket.on("disconnect", (reason) => show("disconnect", reason));
  socket.on("connect_error", (error) => show("connect_error", error.message));
  return new Promise((resolve, reject) => socket.once("connect", () => resolve({})).once("connect_error", reject));
}

function message({ sender, content }) {
  return { sender, content, timestamp: new Date().toISOString() };
}

const commands = {
  login: ({ pseudonym }) => request("POST", "/login", { pseudonym }),
  users: ({ sort_by }) => request("GET", sort_by ? `/users?sort_by=${sort_by}` : "/users"),
  logout: ({ pseudonym }) => request("POST", "/logout", { pseudonym }),
  connect,
  send: ({ tab = "main", ...rest }) => {
    tabs.get(tab).emit("send_message", message(rest));
  },
  send_with_ack: async ({ tab = "main", ...rest }) => {
    const socket = tabs.get(tab).timeout(ANSWER_WITHIN_MS);
    return { ack: await socket.emitWithAck("send_message", message(rest)) };
  },
  typing: ({ tab = "main", to }) => {
    if (to === undefined) tabs.get(tab).emit("typing");
    else tabs.get(tab).emit("typing", { to });
  },
  transport: ({ tab = "main" }) => ({ transport: tabs.get(tab).io.engine.transport.name }),
  disconnect: ({ tab = "main" }) => {
    tabs.get(tab).disconnect();
  },
};

async function obey(name, args) {
  if (!Object.hasOwn(commands, name)) throw new Error(`no such command: ${name}`);
  try {
    print({ answer: name, ...(await commands[name](args)) });
  } catch (error) {
    print({ answer: name, error: error.message });
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: name, ...args } = JSON.parse(line);
    if (name === "quit") return;
    await obey(name, args);
  }
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

setTimeout(() => fail(`not done within ${limitSeconds} s`), limitSeconds * 1000);
main().then(() => process.exit(0), fail);
