"use strict";

const assert = require("node:assert/strict");
const { equals, until } = require("../harness.js");

async function the_server_is_killed(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  const said = [];
  const sayAnd = async (who, text) => {
    said.push(text);
    await who.say(text);
  };
  await sayAnd(alice, "before");
  for (const who of [alice, bob]) await who.seesJust(said);
  for (const round of [1, 2]) {
    // Nobody waits for an answer to this one.
    await sayAnd(bob, `in the middle of it ${round}`);
    await stage.ask("kill");
    await alice.page.getByText("Reconnecting…", { exact: true }).waitFor();
    await alice.page.locator("#away").waitFor();
    await sayAnd(alice, `while it is away ${round}`);
    await alice.page.locator("#messages .pending").waitFor();
    await stage.ask("start");
    for (const who of [alice, bob]) await who.connected();
    for (const who of [alice, bob]) {
      await equals("how many", said.length, async () => (await who.said()).length);
      assert.deepEqual((await who.said()).toSorted(), said.toSorted());
      await equals("what is on its way", 0, () => who.page.locator("#messages .pending").count());
    }
    await equals("who is online", ["Alice", "Bob"], () => alice.online());
  }
  assert.deepEqual(await alice.said(), await bob.said());
  assert.equal(await alice.page.locator("#messages .note", { hasText: "Bob left" }).count(), 0);
}

/** What is written while the server is away, and is not sent before the page is left. */
async function a_page_is_loaded_again(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  await alice.writePrivatelyTo("Bob");
  await stage.ask("kill");
  await alice.page.getByText("Reconnecting…", { exact: true }).waitFor();
  await alice.say("not lost");
  await alice.page.locator("#messages .pending").waitFor();
  await alice.page.goto("about:blank");
  await stage.ask("start");
  await bob.connected();
  await alice.page.goto(stage.url);
  await alice.connected();
  await bob.select("Alice");
  await bob.seesJust(["not lost"]);
  await alice.select("Bob");
  await alice.seesJust(["not lost"]);
}

/** The server has stored the message, and the connection is gone before its answer comes. */
async function an_answer_is_lost(stage) {
  const bob = await stage.person("Bob");
  const alice = await stage.somebody();
  let answers = 0;
  await alice.context.routeWebSocket(/socket\.io/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const isAnswer = /^43\d+\[/.test(message);
      if (isAnswer) answers += 1;
      if (isAnswer && answers === 1) socket.close();
      else if (answers > 0 || !message.startsWith('42["new_message"')) socket.send(message);
    });
  });
  await alice.page.reload();
  await alice.logIn("Alice");
  await alice.say("once");
  await alice.page.getByText("Reconnecting…", { exact: true }).waitFor();
  await alice.connected();
  await alice.say("and then");
  for (const who of [alice, bob]) await who.seesJust(["once", "and then"]);
  assert.ok(answers >= 3, `${answers} answers`);
}

/** The lobby keeps three messages: what was missed is not all there any more, and that is said. */
async function some_is_not_kept(stage) {
  const alice = await stage.person("Alice");
  await alice.say("one");
  await alice.seesJust(["one"]);
  await stage.ask("kill");
  await alice.page.getByText("Reconnecting…", { exact: true }).waitFor();
  await alice.context.setOffline(true);
  await stage.ask("start");
  await stage.ask("prune");
  await alice.context.setOffline(false);
  await alice.page.getByText("Some of what was said meanwhile is not kept any more.").waitFor();
  await until("what is kept", async () => (await alice.said()).at(-1) === "told 9");
  assert.ok(!(await alice.said()).includes("one"));
  await alice.say("go on");
  await alice.sees("go on");
}

/** There are more than a connection is told of at first, three at a time. */
async function more_than_are_told_of(stage) {
  const alice = await stage.person("Alice");
  const everybody = ["Alice", ...Array.from({ length: 7 }, (_, n) => `guest-${n}`)];
  await equals("who is online", everybody, () => alice.online());
  await stage.ask("leave");
  await equals("who is online", everybody.slice(0, -1), () => alice.online());
}

module.exports = {
  the_server_is_killed,
  an_answer_is_lost,
  a_page_is_loaded_again,
  some_is_not_kept,
  more_than_are_told_of,
};
