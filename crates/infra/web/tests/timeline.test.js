import assert from "node:assert/strict";
import { test } from "node:test";
import { EVERYBODY, placeOf, Timeline } from "../client/timeline.js";

const said = (id, rest = {}) => ({ id, content: `c${id}`, sender_session: "other", ...rest });
const ids = (timeline, key = EVERYBODY) =>
  timeline.entries(key).map((entry) => (entry.kind === "note" ? "note" : entry.message.id));
const name = (pseudonym) => ({ pseudonym });

function begun(lastId = 0) {
  const timeline = new Timeline("me");
  timeline.reset(lastId);
  return timeline;
}

test("messages are shown once and in the order of their ids, however they come", () => {
  const timeline = begun();
  for (const id of [3, 1, 2, 3, 1]) timeline.add(said(id));
  assert.deepEqual(ids(timeline), [1, 2, 3]);
  assert.equal(timeline.size, 3);
});

test("what is known is told from what is new, and takes over what the server says", () => {
  const timeline = begun();
  assert.equal(timeline.add(said(1, { content: "as written" })), true);
  assert.equal(timeline.add(said(1, { content: "as stored" })), false);
  assert.equal(timeline.entries(EVERYBODY)[0].message.content, "as stored");
});

test("a private message belongs to the conversation with its other side", () => {
  const timeline = begun();
  timeline.add(said(1, { to_session: "me" }));
  timeline.add(said(2, { sender_session: "me", to_session: "other" }));
  timeline.add(said(3, { sender_session: "me", to_session: "me" }));
  timeline.add(said(4));
  assert.deepEqual([ids(timeline, "other"), ids(timeline, "me"), ids(timeline)], [[1, 2], [3], [4]]);
});

test("only what comes in its turn moves the place to go on from", () => {
  const timeline = begun(5);
  timeline.add(said(9));
  assert.equal(timeline.position, 5);
  timeline.arrive(said(6));
  timeline.arrive(said(8));
  assert.equal(timeline.position, 8);
});

test("a new beginning is behind the last message, with what came before still to be fetched", () => {
  const timeline = begun();
  timeline.arrive(said(1));
  timeline.reset(7);
  assert.deepEqual(
    [ids(timeline), timeline.position, timeline.oldest, timeline.hasEarlier],
    [[], 7, 8, true],
  );
  timeline.reset(0);
  assert.equal(timeline.hasEarlier, false);
});

test("earlier pages go in front, and say where the next one ends", () => {
  const timeline = begun(4);
  timeline.arrive(said(5));
  timeline.addEarlier([said(3), said(4)], true);
  timeline.addEarlier([said(1), said(2, { to_session: "me" })], false);
  assert.deepEqual([ids(timeline), ids(timeline, "other")], [[1, 3, 4, 5], [2]]);
  assert.deepEqual([timeline.oldest, timeline.hasEarlier], [1, false]);
});

test("who comes and goes without a word between is one note", () => {
  const timeline = begun();
  timeline.arrive(said(1));
  timeline.note({ joined: [name("Ann")], left: [] }, new Date(0));
  timeline.note({ joined: [], left: [name("Bob")] }, new Date(1));
  timeline.arrive(said(2));
  timeline.note({ joined: [name("Carol")], left: [] }, new Date(2));
  timeline.note({ joined: [], left: [] }, new Date(3));
  assert.deepEqual(ids(timeline), [1, "note", 2, "note"]);
  const [, note] = timeline.entries(EVERYBODY);
  assert.deepEqual([note.joined, note.left], [["Ann"], ["Bob"]]);
});

test("the oldest are forgotten where there are too many, and can be fetched again", () => {
  const timeline = new Timeline("me", 100);
  timeline.reset(0);
  for (let id = 1; id <= 1099; id += 1) timeline.arrive(said(id));
  timeline.trim();
  assert.equal(timeline.size, 1099);
  timeline.arrive(said(1100));
  timeline.trim();
  assert.deepEqual([timeline.size, timeline.oldest, timeline.hasEarlier], [100, 1001, true]);
  assert.equal(ids(timeline)[0], 1001);
});

test("a place is found among the entries", () => {
  const entries = [1, 3, 5].map((place) => ({ place }));
  assert.deepEqual(
    [-Infinity, 1, 2, 5, 6].map((place) => placeOf(entries, place)),
    [0, 0, 1, 2, 3],
  );
});
