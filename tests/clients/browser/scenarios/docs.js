"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { equals } = require("../harness.js");

const SCREEN = { viewport: { width: 1200, height: 900 }, locale: "en-GB" };
const FOLDER = process.env.LOBBY_SCREENSHOTS;

/** Somebody reads the API page, and tries what it shows. */
async function the_api_page(stage) {
  // A page of its own: what another one has asked for is dropped when it is left, and would count as failed.
  const { context } = await stage.somebody(SCREEN);
  const page = await context.newPage();
  stage.watch(page);
  const said = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("requestfailed", (request) => said.push(`failed: ${request.url()}`));
  const strangers = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(stage.url) && !request.url().startsWith("data:"))
      strangers.push(request.url());
  });

  await page.goto(`${stage.url}/docs`);
  const logIn = page.locator("#operations-people-log_in");
  await logIn.waitFor();
  const document = await (await fetch(`${stage.url}/openapi.json`)).json();
  const operations = Object.values(document.paths).flatMap((item) => Object.keys(item));
  await equals("operations", operations.length, () => page.locator(".opblock").count());
  if (FOLDER) await page.screenshot({ path: path.join(FOLDER, "api-page.png"), animations: "disabled" });

  await logIn.getByRole("button").first().click();
  await logIn.getByText("already_connected").first().waitFor();
  await logIn.getByRole("button", { name: "Try it out" }).click();
  await logIn.getByRole("button", { name: "Execute" }).click();
  await logIn.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
  const online = await (await fetch(`${stage.url}/users`)).json();
  assert.deepEqual(
    online.map(({ pseudonym }) => pseudonym),
    ["JohnDoe"],
  );

  assert.deepEqual(said, [], "the page complained");
  assert.deepEqual(strangers, [], "the page asked somebody else");
}

module.exports = { the_api_page };
