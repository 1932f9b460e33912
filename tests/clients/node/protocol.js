"use strict";
// What Socket.IO promises, asked of a server by an unmodified socket.io-client. How it is run is in ../README.md.

const assert = require("node:assert/strict");
const { Manager } = require("socket.io-client");

const SCENARIO_LIMIT_MS = 10_000;
const LIMIT_MS = 60_000;
const MAX_PAYLOAD = 1_000_000;
const LARGE = 999_000;
// In polling, binary data travels in base64, four bytes for three.
const LARGE_IN_BASE64 = 700_000;

const [url, transportList] = process.argv.slice(2);
const transports = transportList.split(",");
const finalTransport = transports.at(-1);

/** The arguments of the next such event. */
function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** Emits, and waits for all arguments of the answer. */
function ask(socket, ...event) {
  return new Promise((resolve) => socket.emit(...event, (...args) => resolve(args)));
}

/** Emits, and waits for the event of the same name that the server sends back. */
async function echo(socket, name, ...args) {
  const back = next(socket, name);
  socket.emit(name, ...args);
  assert.deepEqual(await back, args);
}

/** Waits until a connected socket has got the transport that it is to end up with. */
async function settled(socket) {
  const { engine } = socket.io;
  if (engine.transport.name !== finalTransport) await next(engine, "upgrade");
  assert.equal(engine.transport.name, finalTransport);
}

/** Loses its connection, and waits until it has come back by itself. */
async function cut(socket) {
  const end = next(socket, "disconnect");
  socket.emit("cut");
  assert.match((await end)[0], /^transport (error|close)$/);
  await next(socket, "connect");
  await settled(socket);
}

const opened = [];

function manager(options) {
  const fresh = new Manager(url, { transports, reconnectionDelay: 10, reconnectionDelayMax: 100, ...options });
  opened.push(fresh);
  return fresh;
}

async function open(options) {
  const socket = manager(options).socket("/");
  await next(socket, "connect");
  await settled(socket);
  return socket;
}

/** Data with which an `echo` event is a packet of so many bytes, the Engine.IO type included. */
function filler(size) {
  return "x".repeat(size - '42["echo",""]'.length);
}

const scenarios = {
  // The first half leaves before a transport can have been left for the next, so that the upgrade is under way meanwhile.
  async events() {
    const socket = manager().socket("/");
    const numbers = Array.from({ length: 80 }, (_, n) => n);
    const received = [];
    const all = new Promise((resolve) => socket.on("n", (n) => received.push(n) === numbers.length && resolve()));
    await next(socket, "connect");
    for (const n of numbers.slice(0, 40)) socket.emit("n", n);
    await settled(socket);
    for (const n of numbers.slice(40)) socket.emit("n", n);
    await all;
    assert.deepEqual(received, numbers);
    await echo(socket, "several", 1, "two", { three: [3, null] });
  },

  async acknowledged_by_server() {
    const socket = await open();
    assert.deepEqual(await ask(socket, "echo", 1, "two", { three: [3, null] }), [1, "two", { three: [3, null] }]);
    assert.deepEqual(await ask(socket, "echo"), []);
  },

  async acknowledged_by_client() {
    const socket = await open();
    socket.on("question", (n, answer) => answer(n + 1, "indeed"));
    assert.deepEqual(await ask(socket, "ask", 41), [42, "indeed"]);
  },

  async binary_events() {
    const socket = await open();
    await echo(socket, "echo", Buffer.from([0, 1, 255]), { nested: [Buffer.from("ab")] }, "text", Buffer.alloc(0));
  },

  async binary_acknowledgements() {
    const socket = await open();
    const data = Buffer.from([0, 1, 255]);
    assert.deepEqual(await ask(socket, "echo", data, { nested: data }), [data, { nested: data }]);
    socket.on("question", (bytes, answer) => answer({ reversed: Buffer.from(bytes).reverse() }));
    assert.deepEqual(await ask(socket, "ask", data), [{ reversed: Buffer.from([255, 1, 0]) }]);
  },

  async beyond_ascii() {
    const socket = await open();
    const data = ["Zoë", "李明", "👩‍🚀", "\u0000\u2028\"\\", { ключ: "значение" }];
    await echo(socket, "grüße 🎉", ...data);
    assert.deepEqual(await ask(socket, "挨拶", ...data), data);
  },

  async two_namespaces() {
    const shared = manager();
    const [main, other] = [shared.socket("/"), shared.socket("/other")];
    await Promise.all([next(main, "connect"), next(other, "connect")]);
    await settled(main);
    assert.deepEqual(await Promise.all([ask(main, "where"), ask(other, "where")]), [["/"], ["/other"]]);
    main.on("echo", () => assert.fail("an event of the other namespace"));
    await echo(other, "echo", Buffer.from([1]));
    other.emit("leave");
    assert.equal((await next(other, "disconnect"))[0], "io server disconnect");
    assert.deepEqual(await ask(main, "where"), ["/"]);
  },

  async largest_text() {
    await echo(await open(), "echo", filler(LARGE));
  },

  async largest_binary() {
    const size = finalTransport === "polling" ? LARGE_IN_BASE64 : LARGE;
    await echo(await open(), "echo", Buffer.alloc(size, "binary \u0000"));
  },

  async too_large() {
    const socket = await open({ reconnection: false });
    const end = next(socket, "disconnect");
    socket.emit("echo", filler(MAX_PAYLOAD + 1));
    const [reason, details] = await end;
    if (finalTransport === "websocket") assert.equal(details.context.code, 1009);
    // The refusal of the request and the answer of the poll come over two connections, in any order.
    else assert.match(reason, /^transport (error|close)$/);
    socket.connect();
    await next(socket, "connect");
    await echo(socket, "echo", "still there");
  },

  async disconnected_by_server() {
    const socket = await open();
    const [last, end] = [next(socket, "last"), next(socket, "disconnect")];
    socket.emit("leave");
    assert.deepEqual(await last, ["words"]);
    assert.equal((await end)[0], "io server disconnect");
    assert.equal(socket.active, false);
  },

  async reconnects() {
    const socket = await open();
    const first = socket.id;
    await cut(socket);
    assert.notEqual(socket.id, first);
    assert.ok(!socket.recovered);
    await echo(socket, "echo", "back again");
  },

  async recovers() {
    const auth = { recoverable: true };
    const socket = manager().socket("/", { auth });
    await next(socket, "connect");
    await settled(socket);
    assert.equal(socket.recovered, false);
    assert.deepEqual(await ask(socket, "auth"), [auth]);

    await echo(socket, "echo", "the last argument is the offset", "known");
    // What is no string, asks for an acknowledgement, or is one, does not count.
    await echo(socket, "echo", "a number", 7);
    socket.on("question", (text, answer) => answer(text));
    assert.deepEqual(await ask(socket, "ask", "a question"), ["a question"]);
    await cut(socket);
    assert.equal(socket.recovered, true);
    const [{ pid, ...rest }] = await ask(socket, "auth");
    assert.deepEqual(rest, { ...auth, offset: "known" });

    await echo(socket, "echo", "unknown");
    await cut(socket);
    assert.equal(socket.recovered, false);
    assert.deepEqual(await ask(socket, "auth"), [{ ...auth, pid, offset: "unknown" }]);

    // It goes by the new pid now, and still by the old offset.
    await cut(socket);
    const [{ pid: second, offset }] = await ask(socket, "auth");
    assert.notEqual(second, pid);
    assert.equal(offset, "unknown");
  },
};

async function run(scenario) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("waited in vain")), SCENARIO_LIMIT_MS);
  });
  try {
    await Promise.race([scenario(), late]);
    return { ok: true };
  } catch (error) {
    return { ok: false, error: error.message };
  } finally {
    clearTimeout(timer);
    for (const each of opened.splice(0)) each._close();
  }
}

async function main() {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const outcome = await run(scenario);
    if (!outcome.ok) process.exitCode = 1;
    process.stdout.write(JSON.stringify({ scenario: name, ...outcome }) + "\n");
  }
}

// The program ends by itself once nothing is under way any more; only if that takes too long, this ends it.
setTimeout(() => {
  console.error(`not done within ${LIMIT_MS} ms`);
  process.exit(1);
}, LIMIT_MS).unref();
main();
