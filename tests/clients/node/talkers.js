"use strict";
// Many people who talk, each with a socket of their own, and keep a record of it. The protocol on stdin and stdout is in
// ../README.md.

const readline = require("node:readline");
const { io } = require("socket.io-client");

const ANSWER_WITHIN_MS = 5_000;
const AGAIN_AFTER_MS = 200;
/** Refusals that pass: the same is said again. */
const PASSING = new Set(["busy", "unavailable", "outcome_unknown"]);

const url = process.argv[2];
const transports = process.env.LOBBY_TRANSPORTS?.split(",");
const limitSeconds = Number(process.env.LOBBY_TIME_LIMIT ?? 60);

const began = Date.now();
/** What was said, by id: everybody sees the same, so it is kept once. */
const messages = new Map();

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let hush;
/** When nobody says anything new any more. */
const hushed = new Promise((resolve) => {
  hush = resolve;
});
/** How many are in one of them only. */
const differences = (before, after) =>
  [...before].filter((one) => !after.has(one)).length + [...after].filter((one) => !before.has(one)).length;
const think = (pace) => Promise.race([pause(Math.random() * 2 * pace), hushed]);

class Talker {
  posts = [];
  segments = [];
  online = new Set();
  changes = 0;
  faults = [];
  notes = [];
  isOver = false;
  isSilent = false;
  #user;
  #socket;
  #log;
  #position;
  #isFresh = false;

  /** With `recovery` the library says where it goes on; else the talker does. */
  constructor(name, recovery) {
    this.name = name;
    this.recovery = recovery;
  }

  get session() {
    return this.#user.session;
  }

  get isHere() {
    return this.#socket.connected && !this.#isFresh;
  }

  get transport() {
    return this.#socket.io.engine?.transport?.name ?? null;
  }

  get position() {
    return this.#position ?? 0;
  }

  async logIn() {
    const response = await fetch(`${url}/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ pseudonym: this.name, claim: true }),
    });
    this.#user = await response.json();
    if (!response.ok) throw new Error(`${this.name}: ${JSON.stringify(this.#user)}`);
  }

  connect() {
    const options = { forceNew: true, reconnectionDelayMax: 2_000, auth: (tell) => tell(this.#auth()) };
    if (transports) options.transports = transports;
    this.#socket = io(url, options);
    this.#socket.on("connect", () => {
      this.#isFresh = true;
      this.#note("connect");
    });
    this.#socket.on("disconnect", (reason) => this.#note(reason));
    this.#socket.on("connect_error", (error) => this.#refused(error));
    this.#socket.on("new_message", (message) => this.#saw(message));
    this.#socket.on("user_joined", ({ user }) => this.#changed(() => this.online.add(user.session)));
    this.#socket.on("user_left", ({ session }) => this.#changed(() => this.online.delete(session)));
    return new Promise((resolve) => this.#socket.on("session", (session) => resolve(this.#begin(session))));
  }

  /** Says one thing after the other, each until it is acknowledged. */
  async talk(pace) {
    await think(pace);
    for (let n = 0; !this.isOver; n++) {
      await this.#say({ client_id: `post-${n}`, content: `${this.name} says ${n}`, sent: 0, acknowledged: [] });
      await think(pace);
    }
    this.isSilent = true;
  }

  async #say(post) {
    this.posts.push(post);
    while (post.acknowledged.length === 0) {
      if (this.isHere) {
        post.sent += 1;
        const socket = this.#socket.timeout(ANSWER_WITHIN_MS);
        const { client_id, content } = post;
        const answer = await socket.emitWithAck("send_message", { client_id, content }).catch(() => undefined);
        if (answer?.id) {
          post.acknowledged.push(answer.id);
          return;
        }
        if (answer && !PASSING.has(answer.code)) this.faults.push(`${content}: ${JSON.stringify(answer)}`);
      }
      await pause(AGAIN_AFTER_MS);
    }
  }

  #auth() {
    const { token } = this.#user;
    return this.recovery ? { token, recovery: true } : { token, log: this.#log, after: this.#position };
  }

  #begin({ users, log, last_id, recovered }) {
    const online = new Set(users.map((user) => user.session));
    // The first list changes nothing: before it nobody was known.
    if (this.#log !== undefined) this.changes += differences(this.online, online);
    this.online = online;
    // In the middle of a connection it is the list that begins anew.
    if (!this.#isFresh) return;
    this.#isFresh = false;
    const after = this.#position ?? null;
    const from = recovered && after !== null ? after : last_id;
    this.segments.push({ after, from, seen: [] });
    this.#log = log;
    this.#position = from;
  }

  #saw(message) {
    const segment = this.segments.at(-1);
    // Whoever is recovered begins where the connection was asked for: the list that comes first may be younger.
    if (this.recovery && segment.after === null && segment.seen.length === 0) {
      segment.from = Math.min(segment.from, message.id - 1);
    }
    segment.seen.push(message.id);
    this.#position = Math.max(this.#position, message.id);
    const known = messages.get(message.id);
    if (known === undefined) messages.set(message.id, message);
    else if (JSON.stringify(known) !== JSON.stringify(message)) this.faults.push(`saw ${message.id} otherwise`);
  }

  #changed(change) {
    change();
    this.changes += 1;
  }

  /** As the lobby's documentation says: what passes is tried again. */
  #refused(error) {
    this.#note(error.data?.code ?? error.message);
    if (this.#socket.active) return;
    if (PASSING.has(error.data?.code)) setTimeout(() => this.#socket.connect(), error.data.retry_after * 1_000);
    else this.faults.push(`was not let in: ${error.message}`);
  }

  #note(what) {
    this.notes.push(`${((Date.now() - began) / 1_000).toFixed(1)} ${what}`);
  }
}

let talkers = [];

const commands = {
  gather: async ({ names, pace }) => {
    talkers = names.map((name, n) => new Talker(name, n % 2 === 1));
    await Promise.all(talkers.map((talker) => talker.logIn()));
    await Promise.all(talkers.map((talker) => talker.connect()));
    for (const talker of talkers) talker.talk(pace);
  },
  look: ({ online }) => ({
    talkers: talkers.map((talker) => ({
      name: talker.name,
      here: talker.isHere,
      transport: talker.transport,
      position: talker.position,
      silent: talker.isSilent,
      agrees: talker.online.size === online.length && online.every((session) => talker.online.has(session)),
      changes: talker.changes,
      faults: talker.faults,
      notes: talker.notes,
    })),
  }),
  hush: () => {
    for (const talker of talkers) talker.isOver = true;
    hush();
  },
  records: () => ({
    messages: [...messages.values()],
    records: talkers.map(({ name, session, posts, segments }) => ({ name, session, posts, segments })),
  }),
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: name, ...args } = JSON.parse(line);
    if (name === "quit") return;
    const answer = await commands[name](args);
    process.stdout.write(`${JSON.stringify({ answer: name, ...answer })}\n`);
  }
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

setTimeout(() => fail(`not done within ${limitSeconds} s`), limitSeconds * 1000);
main().then(() => process.exit(0), fail);
