"use strict";

const assert = require("node:assert/strict");
const { equals } = require("../harness.js");

async function a_name_is_refused(stage) {
  await stage.person("JohnDoe");
  const other = await stage.somebody();
  for (const [name, sentence] of [
    ["johndoe", "'johndoe' is already connected."],
    ["x", "A pseudonym has 2 to 32 characters, this one has 1."],
  ]) {
    await other.tryName(name);
    await other.reads("#login-error", sentence);
    await equals("focus", "pseudonym", () => other.page.evaluate(() => document.activeElement.id));
  }
  await other.page.getByLabel("Your name").fill("Zoë");
  await other.reads("#login-error", "");
  await other.logIn("Zoë");
}

async function a_message_is_refused(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  await alice.say("x".repeat(4001));
  const refused = alice.page.locator("#messages .refused");
  await refused.getByText("Not sent. A message has at most 4000 characters, this one has 4001.").waitFor();
  await alice.say("shorter");
  await bob.seesJust(["shorter"]);
  await refused.getByRole("button", { name: "Discard" }).click();
  await alice.seesJust(["shorter"]);

  await alice.writePrivatelyTo("Bob");
  await bob.page.getByRole("button", { name: "Log out" }).click();
  await alice.page.getByText("Away: nothing you write here can be delivered").waitFor();
  await alice.say("are you there?");
  await refused.getByText("Not sent. 'Bob' is not online.").waitFor();
  await refused.getByRole("button", { name: "Try again" }).click();
  await refused.getByText("Not sent. 'Bob' is not online.").waitFor();
}

/** The lobby takes one message a second here: those that are too much wait, and come when they may. */
async function more_is_said_than_may_be(stage) {
  const alice = await stage.person("Alice");
  const bob = await stage.person("Bob");
  for (const content of ["one", "two", "three"]) await alice.say(content);
  await bob.seesJust(["one", "two", "three"]);
  await alice.seesJust(["one", "two", "three"]);
}

async function logOutElsewhere(stage, token) {
  const answer = await fetch(`${stage.url}/logout`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ pseudonym: "Alice" }),
  });
  assert.equal(answer.status, 200);
}

async function a_session_ends_elsewhere(stage) {
  const alice = await stage.person("Alice");
  const token = () => alice.page.evaluate(() => JSON.parse(localStorage.getItem("lobby.session")).token);
  await logOutElsewhere(stage, await token());
  await alice.page.getByText("Your session is over. Log in again to go on.").waitFor();
  assert.equal(await alice.page.getByLabel("Your name").inputValue(), "Alice");
  await alice.logIn("Alice");
  await alice.page.reload();
  await alice.connected();

  const second = await token();
  await alice.page.goto("about:blank");
  await logOutElsewhere(stage, second);
  await alice.page.goto(stage.url);
  await alice.reads("#login-notice", "The token is not valid, or its session is over.");
}

/** A page shows what it is given, and runs nothing: that the watching scenarios would notice is shown here. */
async function nothing_else_runs(stage) {
  const alice = await stage.person("Alice");
  await alice.page.evaluate(() => {
    const script = document.createElement("style");
    script.textContent = "body { display: none }";
    document.body.append(script);
  });
  const markup = await alice.page.evaluate(() => {
    try {
      document.body.insertAdjacentHTML("beforeend", "<b>markup</b>");
      return "taken";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(markup, "TypeError");
  const fetched = await alice.page.evaluate(() => fetch("http://127.0.0.1:9/").catch((error) => error.name));
  assert.equal(fetched, "TypeError");
  assert.ok(await alice.page.locator("body").isVisible());
  const complaints = stage.takeComplaints().join("\n");
  for (const directive of ["style-src", "connect-src", "require-trusted-types-for"]) {
    assert.match(complaints, new RegExp(directive));
  }
}

module.exports = {
  a_name_is_refused,
  a_message_is_refused,
  more_is_said_than_may_be,
  a_session_ends_elsewhere,
  nothing_else_runs,
};
