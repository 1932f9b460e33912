"use strict";
// Plays one scenario: `node run.js NAME URL`. How that is done, and what it may ask for, is in ../README.md.

const { Stage } = require("./harness.js");

const scenarios = {
  ...require("./scenarios/talking.js"),
  ...require("./scenarios/coming_back.js"),
  ...require("./scenarios/refusals.js"),
  ...require("./scenarios/looks.js"),
  ...require("./scenarios/docs.js"),
};

const LIMIT_MS = 100_000;

async function main([name, url]) {
  if (!Object.hasOwn(scenarios, name)) throw new Error(`no such scenario: ${name}`);
  const stage = await Stage.open(url);
  try {
    await scenarios[name](stage);
  } finally {
    await stage.close();
  }
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

setTimeout(() => fail(`not done within ${LIMIT_MS} ms`), LIMIT_MS).unref();
main(process.argv.slice(2)).then(() => process.exit(0), fail);
