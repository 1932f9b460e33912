"use strict";
// People with a real browser in front of the web client, and what they look at.

const { existsSync, mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");

/** How long is waited for what has to come: far above what anything takes. */
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 25;

const BROWSERS = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

function executable() {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const candidates = BROWSERS.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return candidates.find((file) => existsSync(file));
}

/** One browser of its own for a scenario, at this lobby. */
class Stage {
  #browser;
  #folder;
  #complaints = [];
  #answers;
  url;

  static async open(url) {
    const stage = new Stage();
    stage.url = url;
    stage.#folder = mkdtempSync(path.join(tmpdir(), "lobby-browser-"));
    const env = { ...process.env, HOME: stage.#folder };
    stage.#browser = await chromium.launch({ executablePath: executable(), args: FLAGS, env });
    return stage;
  }

  /** Somebody at a browser that knows nothing yet; `options` are Playwright's for a context. */
  async somebody(options = {}) {
    const context = await this.#browser.newContext({ viewport: { width: 1200, height: 760 }, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI}`);
      });
    });
    return Person.at(context, this);
  }

  /** Somebody who has logged in. */
  async person(name, options) {
    const person = await this.somebody(options);
    await person.logIn(name);
    return person;
  }

  watch(page) {
    page.on("pageerror", (error) => this.#complaints.push(`uncaught: ${error.stack ?? error}`));
    page.on("console", (message) => {
      if (/CSP|Content Security Policy|Trusted/.test(message.text())) this.#complaints.push(message.text());
    });
  }

  /** What the pages have complained about until now, which is forgotten. */
  takeComplaints() {
    return this.#complaints.splice(0);
  }

  /** Has the test do something to the lobby, and waits until it is done. */
  async ask(what) {
    this.#answers ??= readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    process.stdout.write(`${JSON.stringify({ ask: what })}\n`);
    const { value } = await this.#answers.next();
    return JSON.parse(value);
  }

  async close() {
    await this.#browser.close();
    rmSync(this.#folder, { recursive: true, force: true });
    assert.deepEqual(this.#complaints, [], "the pages complained");
  }
}

class Person {
  #stage;
  context;
  page;

  static async at(context, stage) {
    const person = new Person();
    person.#stage = stage;
    person.context = context;
    await person.openPage();
    return person;
  }

  async openPage() {
    this.page = await this.context.newPage();
    this.#stage.watch(this.page);
    await this.page.goto(this.#stage.url);
  }

  /** The same browser, in one more tab. */
  async anotherTab() {
    return Person.at(this.context, this.#stage);
  }

  async tryName(name) {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Enter the lobby" }).click();
  }

  async logIn(name) {
    await this.tryName(name);
    await this.connected();
  }

  async connected() {
    await this.page.getByText("Connected", { exact: true }).waitFor();
  }

  async say(text) {
    await this.page.locator("#message").fill(text);
    await this.page.getByRole("button", { name: "Send" }).click();
  }

  async writePrivatelyTo(name) {
    await this.page.locator("#people").getByRole("button", { name }).click();
    await this.page.getByLabel(`Private message to ${name}`).waitFor();
  }

  async select(conversation) {
    await this.page.locator("#conversations .select", { hasText: conversation }).click();
  }

  /** What is said in the conversation that is open: as shown, with whatever is on its way. */
  said() {
    return this.page.locator("#messages .content").allTextContents();
  }

  async sees(text) {
    await until(`"${text}" to be seen`, async () => (await this.said()).includes(text));
  }

  /** Waits until exactly this is said, and nothing is on its way any more. */
  async seesJust(texts) {
    await equals("what is said", texts, () => this.said());
    await equals("what is on its way", 0, () => this.page.locator("#messages .pending").count());
  }

  online() {
    return this.page.locator("#people bdi").allTextContents();
  }

  /** Waits until a part of the page has this text. */
  async reads(selector, text) {
    await equals(selector, text, async () => (await this.page.locator(selector).textContent()).trim());
  }
}

/** Looks until it is so. */
async function until(what, isSo) {
  const end = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Looks until it is this, and says what it is where it does not become so. */
async function equals(what, expected, look) {
  let last;
  const isSo = async () => {
    last = await look();
    return JSON.stringify(last) === JSON.stringify(expected);
  };
  await until(`${what} to be ${JSON.stringify(expected)}`, isSo).catch((error) => {
    throw new Error(`${error.message}; it is ${JSON.stringify(last)}`);
  });
}

module.exports = { Stage, until, equals };
