import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversations } from "../client/conversations.js";
import { EVERYBODY } from "../client/timeline.js";
import { Telling, Typing } from "../client/typing.js";
import { comings, dayName, listed, sentence, typing } from "../client/words.js";

test("a reason becomes a sentence", () => {
  assert.equal(sentence("a name has 2 characters"), "A name has 2 characters.");
  assert.equal(sentence("'x' is taken"), "'x' is taken.");
  assert.equal(sentence("What is that?"), "What is that?");
});

test("names are listed, and not more than anybody reads", () => {
  assert.equal(listed(["Ann"]), "Ann");
  assert.equal(listed(["Ann", "Bob"]), "Ann and Bob");
  assert.equal(listed(["Ann", "Bob", "Cem"]), "Ann, Bob and Cem");
  assert.equal(listed(["Ann", "Bob", "Cem", "Dan"]), "Ann, Bob and 2 others");
  assert.equal(listed(["Ann", "Ann"]), "Ann");
});

test("comings and goings are told apart", () => {
  assert.equal(comings({ joined: ["Ann"], left: ["Bob", "Cem"] }), "Ann joined · Bob and Cem left");
});

test("one is typing, two are", () => {
  assert.equal(typing([]), "");
  assert.equal(typing(["Ann"]), "Ann is typing…");
  assert.equal(typing(["Ann", "Bob"]), "Ann and Bob are typing…");
});

test("days have names", () => {
  const now = new Date(2026, 10, 24, 9);
  assert.equal(dayName(new Date(2026, 10, 24, 0), now), "Today");
  assert.equal(dayName(new Date(2026, 10, 23, 23), now), "Yesterday");
  assert.match(dayName(new Date(2026, 10, 20), now), /^Friday,? .*20/);
  assert.match(dayName(new Date(2024, 10, 20), now), /2024/);
});

test("typing is over after a while, with the message, and elsewhere", () => {
  const heard = new Typing();
  heard.hear(EVERYBODY, "a", "Ann", 0);
  heard.hear("b", "b", "Bob", 0);
  assert.deepEqual(heard.names(EVERYBODY, 4999), ["Ann"]);
  assert.deepEqual(heard.names("b", 4999), ["Bob"]);
  heard.forget("b");
  assert.deepEqual(heard.names("b", 4999), []);
  assert.deepEqual(heard.names(EVERYBODY, 5000), []);
});

test("that one types is told now and then, and anew after each message", () => {
  const telling = new Telling();
  const due = (now, key = EVERYBODY) => telling.isDue(key, now);
  assert.deepEqual([due(0), due(1999), due(1999, "b"), due(2000)], [true, false, true, true]);
  telling.sent(EVERYBODY);
  assert.equal(due(2001), true);
});

test("what is not in sight is counted until it is", () => {
  const conversations = new Conversations();
  conversations.open("b", "Bob");
  conversations.hear("b");
  conversations.hear("b");
  assert.equal(conversations.unread, 2);
  conversations.select("b");
  assert.equal(conversations.unread, 0);
});

test("a conversation that was closed opens for what is new, not for what was found", () => {
  const conversations = new Conversations();
  conversations.open("b", "Bob");
  conversations.select("b");
  conversations.close("b");
  assert.equal(conversations.active, EVERYBODY);
  conversations.find("b", "Bob");
  assert.equal(conversations.get("b"), undefined);
  conversations.open("b", "Bob");
  assert.equal(conversations.get("b").name, "Bob");
});
