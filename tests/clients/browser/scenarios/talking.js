"use strict";

const assert = require("node:assert/strict");
const { equals, until } = require("../harness.js");

async function two_people_talk(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  await equals("who is online", ["Alice", "Bob"], () => alice.online());
  await equals("who is online", ["Alice", "Bob"], () => bob.online());
  await alice.page.locator("#messages .note", { hasText: "Bob joined" }).waitFor();

  await bob.page.locator("#message").pressSequentially("Hello");
  await alice.reads("#typing", "Bob is typing…");
  await bob.say("Hello, Alice!");
  await alice.sees("Hello, Alice!");
  await alice.reads("#typing", "");
  await alice.say("Two\nlines");
  for (const who of [alice, bob]) await who.seesJust(["Hello, Alice!", "Two\nlines"]);
  assert.deepEqual(await bob.page.locator("#messages .own .content").allTextContents(), ["Hello, Alice!"]);

  await bob.page.getByRole("button", { name: "Log out" }).click();
  await alice.page.locator("#messages .note", { hasText: "Bob left" }).waitFor();
  await equals("who is online", ["Alice"], () => alice.online());
  await equals("where Bob is", "pseudonym", () => bob.page.evaluate(() => document.activeElement.id));
  await equals("Bob's messages", 0, () => bob.page.locator("#messages li").count());
}

async function two_people_talk_privately(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  const carol = await stage.person("Carol");
  await alice.writePrivatelyTo("Bob");
  await alice.page.locator("#message").pressSequentially("psst");
  await alice.say("Just for you");
  await alice.seesJust(["Just for you"]);
  const unread = bob.page.locator("#conversations .private .badge");
  await equals("Bob's unread", ["1 unread"], () => unread.allTextContents());
  assert.match(await bob.page.title(), /^\(1 unread\)/);
  assert.deepEqual(await bob.said(), []);

  await bob.select("Alice");
  await bob.seesJust(["Just for you"]);
  await equals("Bob's unread", [], () => unread.allTextContents());
  await bob.page.locator("#message").pressSequentially("I");
  await alice.reads("#typing", "Bob is typing…");
  await bob.say("I hear you");
  await alice.seesJust(["Just for you", "I hear you"]);

  await alice.select("Everybody");
  await alice.say("To all");
  await carol.seesJust(["To all"]);
  assert.equal(await carol.page.locator("#conversations li").count(), 1);
  await bob.page.reload();
  await bob.connected();
  await bob.seesJust(["To all"]);
  await bob.select("Alice");
  await bob.seesJust(["Just for you", "I hear you"]);
  await bob.page.getByRole("button", { name: "Close the conversation with Alice" }).click();
  await bob.seesJust(["To all"]);
}

async function tabs_of_one_session(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  const again = await alice.anotherTab();
  await again.connected();
  await equals("who is online", ["Alice", "Bob"], () => bob.online());
  assert.equal(await bob.page.locator("#messages .note", { hasText: "Alice joined" }).count(), 0);
  await again.say("from the second");
  await alice.say("from the first");
  for (const tab of [alice, again, bob]) {
    await until("both to be there", async () => (await tab.said()).length === 2);
    assert.deepEqual((await tab.said()).sort(), ["from the first", "from the second"]);
  }
  for (const tab of [alice, again]) await equals("own", 2, () => tab.page.locator("#messages .own").count());
  await alice.page.close();
  await again.say("still here");
  await bob.sees("still here");
  await again.openPage();
  await again.connected();
  const third = await again.anotherTab();
  await third.connected();
  await third.page.getByRole("button", { name: "Log out" }).click();
  await again.page
    .getByText("You are logged out.")
    .or(again.page.getByText("Your session is over."))
    .waitFor();
  await equals("who is online", ["Bob"], () => bob.online());

  // A log-in is for all tabs, too.
  await third.logIn("Alice");
  await again.connected();
}

async function a_strange_name(stage) {
  const strange = await stage.person("__proto__");
  const other = await stage.person("constructor");
  await strange.say("I am a name");
  await other.seesJust(["I am a name"]);
  await equals("who is online", ["__proto__", "constructor"], () => other.online());
  await other.writePrivatelyTo("__proto__");
  await other.say("and a person");
  await strange.select("constructor");
  await strange.seesJust(["and a person"]);
  await strange.page.getByRole("button", { name: "Log out" }).click();
  await equals("who is online", ["constructor"], () => other.online());
  assert.equal(await other.page.evaluate(() => ({}).session), undefined);
}

async function markup_is_text(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  const markup = '<img src=x onerror="document.title = 1"><script>document.title = 2</script><b>&amp;</b>';
  await alice.say(markup);
  await bob.seesJust([markup]);
  await alice.seesJust([markup]);
  assert.equal(await bob.page.locator("#messages img, #messages b, #messages script").count(), 0);
  assert.equal(await bob.page.title(), "Lobby");
}

/** 1,000 people and thousands of messages: the test has seen to both. */
async function a_crowd(stage) {
  const [first, last] = ["message 1", "message 3000"];
  const alice = await stage.person("Alice");
  await alice.sees(last);
  await alice.reads("#people-count", "1,001 people");
  assert.equal(await alice.page.locator("#people li").count(), 100);
  await alice.page.getByLabel("Find somebody").fill("guest-0777");
  await equals("who is found", ["guest-0777"], () => alice.online());

  let most = 0;
  await until("the first message", async () => {
    most = Math.max(most, await alice.page.locator("#messages li").count());
    await alice.page.locator("#scroll").evaluate((scroll) => scroll.scrollTo(0, 0));
    return (await alice.said()).includes(first);
  });
  assert.ok(most <= 260, `${most} lines in the document`);
  const bob = await stage.person("Bob");
  await bob.say("while you read");
  await bob.sees("while you read");
  assert.ok(!(await alice.said()).includes("while you read"));
  await alice.page.getByRole("button", { name: "Latest messages" }).click();
  await alice.sees("while you read");
  await until("the end", () =>
    alice.page.locator("#scroll").evaluate((s) => s.scrollHeight - s.scrollTop - s.clientHeight < 5),
  );
}

/** 130 messages were said before. */
async function scrolling_back(stage) {
  const alice = await stage.person("Alice");
  await alice.sees("message 130");
  assert.ok(!(await alice.said()).includes("message 1"));
  const scroll = alice.page.locator("#scroll");
  await equals("the first page", "message 81", async () => (await alice.said())[0]);
  await scroll.evaluate((it) => it.scrollTo(0, 0));
  await alice.sees("message 31");
  // What was in sight still is, with what came before above it.
  const { y } = await alice.page.getByText("message 81", { exact: true }).boundingBox();
  assert.ok(y > 0 && y < 400, `it is at ${y}`);
  await scroll.hover();
  await until("the first message", async () => {
    await alice.page.mouse.wheel(0, -600);
    return (await alice.said()).includes("message 1");
  });
  const expected = Array.from({ length: 130 }, (_, n) => `message ${n + 1}`);
  await alice.seesJust(expected);

  // What is in sight stays where it is when something is put in above or below it.
  const bob = await stage.person("Bob");
  const line = alice.page.getByText("message 65", { exact: true });
  await line.scrollIntoViewIfNeeded();
  const before = await line.boundingBox();
  await bob.say("something new");
  await alice.sees("something new");
  assert.deepEqual(await line.boundingBox(), before);
  await alice.page.getByRole("button", { name: "Latest messages" }).click();
  await equals("what is left to be read", "Lobby", () => alice.page.title());
}

module.exports = {
  two_people_talk,
  two_people_talk_privately,
  tabs_of_one_session,
  a_strange_name,
  markup_is_text,
  a_crowd,
  scrolling_back,
};
