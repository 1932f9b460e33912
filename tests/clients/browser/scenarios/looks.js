"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const axe = require("axe-core");
const { equals } = require("../harness.js");

const SCREEN = { viewport: { width: 1040, height: 650 }, locale: "en-GB" };
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, locale: "en-GB" };
/** Where pictures are to be put, if anywhere, and of what. */
const FOLDER = process.env.LOBBY_SCREENSHOTS;
const PICTURES = ["login", "conversation", "dark", "private", "reconnecting", "phone", "phone-people"];

/** What is on the screen can be used by everybody, as far as a program can tell; and it is a picture, if one is wanted. */
async function look(person, name) {
  await person.page.evaluate(axe.source);
  const { violations } = await person.page.evaluate(() => window.axe.run());
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ failureSummary, html }) => [id, html, failureSummary]),
  );
  assert.deepEqual(found, [], name);
  if (!FOLDER || !PICTURES.includes(name)) return;
  const file = path.join(FOLDER, `web-${name}.png`);
  await person.page.screenshot({ path: file, animations: "disabled", caret: "hide" });
}

async function conversation(stage) {
  const zoe = await stage.person("Zoë", SCREEN);
  const ioanna = await stage.person("Ιωάννα", SCREEN);
  const amina = await stage.person("Amina", SCREEN);
  const jo = await stage.person("Jo", SCREEN);
  const lines = [
    [zoe, "Good morning! Who is up for a walk along the river later?"],
    [ioanna, "Me. Is six too late?"],
    [amina, "Six is fine for me."],
    [amina, "I bring tea, and the map with the new path on it."],
    [jo, "Then I bring the biscuits."],
    [zoe, "Perfect. We meet at the bridge, by the big chestnut tree.\nIf it rains: at mine."],
    [ioanna, "See you all at six, then!"],
  ];
  for (const [who, text] of lines) {
    await who.say(text);
    await jo.sees(text);
  }
  await amina.writePrivatelyTo("Jo");
  for (const text of ["Do you still have my umbrella?", "The green one."]) {
    await amina.say(text);
    await amina.sees(text);
  }
  return { zoe, ioanna, amina, jo };
}

async function states(stage) {
  const somebody = await stage.somebody(SCREEN);
  await look(somebody, "login");
  await somebody.tryName("x");
  await somebody.page.getByText("A pseudonym has").waitFor();
  await look(somebody, "refused");
  const alone = await stage.person("Alone", SCREEN);
  await alone.page.getByText("Nothing has been said yet").waitFor();
  await look(alone, "empty");
  await alone.page.getByRole("button", { name: "Log out" }).click();

  const { amina, jo, zoe, ioanna } = await conversation(stage);
  await equals("who is online", 4, async () => (await jo.online()).length);
  await zoe.page.locator("#message").pressSequentially("Bring your umbrellas", { delay: 150 });
  await jo.reads("#typing", "Zoë is typing…");
  await look(jo, "conversation");
  await jo.page.emulateMedia({ colorScheme: "dark" });
  await look(jo, "dark");
  await jo.select("Amina");
  await jo.say("Yes! I bring it along.");
  await jo.sees("Yes! I bring it along.");
  await look(jo, "private-dark");
  await amina.sees("Yes! I bring it along.");
  await look(amina, "private");

  const phone = await stage.person("Mika", PHONE);
  await phone.sees("See you all at six, then!");
  await look(phone, "phone");
  await phone.page.getByRole("button", { name: "People and conversations" }).click();
  await look(phone, "phone-people");

  await ioanna.say("Ring the bell: \u0007");
  await ioanna.page.locator(".refused").waitFor();
  await stage.ask("kill");
  await ioanna.page.getByText("Reconnecting…", { exact: true }).waitFor();
  await ioanna.say("I am a bit late, sorry");
  await ioanna.page.locator(".pending").waitFor();
  await look(ioanna, "reconnecting");
  await ioanna.page.getByRole("button", { name: "Dark colours" }).click();
  await look(ioanna, "reconnecting-dark");
}

async function theme(stage) {
  const person = await stage.somebody({ colorScheme: "light" });
  const ground = () => person.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const toggle = person.page.getByRole("button", { name: "Dark colours" });
  const light = await ground();
  await person.page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await toggle.getAttribute("aria-pressed"), "true");
  const dark = await ground();
  assert.notEqual(dark, light);
  await toggle.click();
  assert.equal(await ground(), light);
  await person.page.reload();
  assert.equal(await ground(), light);
  assert.equal(await toggle.getAttribute("aria-pressed"), "false");
}

async function phone(stage) {
  const person = await stage.somebody(PHONE);
  const fits = async () => {
    for (const part of ["html", "body", "#scroll", "#side", "#people"]) {
      const look = ({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth];
      const [needed, given] = await person.page.locator(part).evaluate(look);
      assert.ok(needed <= given, `${part} needs ${needed} pixels, ${given} are there`);
    }
  };
  await fits();
  await person.logIn("W".repeat(32));
  const other = await stage.person("Bob");
  await fits();
  await other.say(`${"nospaces".repeat(60)} https://example.org/${"path/".repeat(30)}`);
  await person.page.locator("#messages .message").waitFor();
  await fits();
  const toggle = person.page.getByRole("button", { name: "People and conversations" });
  await toggle.click();
  await fits();
  await person.page.getByRole("button", { name: "Bob" }).click();
  await person.page.getByRole("heading", { name: "Bob" }).waitFor();
  assert.equal(await person.page.locator("#side").isVisible(), false);
  await person.say("privately");
  await person.sees("privately");
  await fits();
  await toggle.click();
  await person.page.keyboard.press("Escape");
  assert.equal(await person.page.locator("#side").isVisible(), false);
  assert.equal(await person.page.evaluate(() => document.activeElement.id), "side-toggle");
}

async function keyboard(stage) {
  const bob = await stage.person("Bob");
  const person = await stage.somebody();
  const { keyboard: keys } = person.page;
  const focused = () =>
    person.page.evaluate(() => {
      const { activeElement, body } = document;
      return activeElement === body ? "nothing" : activeElement.id || activeElement.textContent;
    });
  const tabTo = async (text) => {
    for (let presses = 0; presses < 30; presses += 1) {
      if ((await focused()).includes(text)) return;
      await keys.press("Tab");
    }
    assert.fail(`${text} is not reached`);
  };
  await equals("focus", "pseudonym", focused);
  await keys.type("Ann");
  await keys.press("Enter");
  await person.connected();
  await equals("focus", "message", focused);
  await keys.type("no mouse");
  await keys.press("Shift+Enter");
  await keys.type("at all");
  await keys.press("Enter");
  await bob.seesJust(["no mouse\nat all"]);
  assert.equal(await focused(), "message");

  await person.page.reload();
  await person.connected();
  await keys.press("Tab");
  assert.match(await focused(), /Skip to the message box/);
  await keys.press("Enter");
  await equals("focus", "message", focused);
  await keys.press("Shift+Tab");
  await equals("focus", "scroll", focused);
  const outline = await person.page.locator("#scroll").evaluate((it) => getComputedStyle(it).outlineStyle);
  assert.equal(outline, "solid");
  await person.page.reload();
  await person.connected();
  await tabTo("Bob");
  await keys.press("Enter");
  await equals("focus", "message", focused);
  await keys.type("quietly");
  await keys.press("Enter");
  await bob.select("Ann");
  await bob.seesJust(["quietly"]);
  await equals("news", true, async () =>
    (await bob.page.locator("#announcements").textContent()).includes("Ann privately: quietly"),
  );
  await person.page.reload();
  await person.connected();
  await tabTo("log-out");
  await keys.press("Enter");
  await equals("focus", "pseudonym", focused);
}

module.exports = { states, theme, phone, keyboard };
