import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../client/roster.js";

const user = (session) => ({ session, pseudonym: session.toUpperCase() });
const sessions = (users) => users.map(({ session }) => session);
const list = (revision, ...users) => ({ users: users.map(user), users_total: users.length, revision });

test("a first list tells of nobody who came", () => {
  const roster = new Roster();
  assert.deepEqual(roster.reset(list(1, "a", "b")), { joined: [], left: [] });
  assert.deepEqual(sessions(roster.users), ["a", "b"]);
  assert.equal(roster.name("a"), "A");
  assert.equal(roster.name("c"), undefined);
});

test("a later list tells who came and went meanwhile", () => {
  const roster = new Roster();
  roster.reset(list(1, "a", "b"));
  const { joined, left } = roster.reset(list(5, "b", "c"));
  assert.deepEqual([sessions(joined), sessions(left)], [["c"], ["a"]]);
});

test("changes make it the list of their revision", () => {
  const roster = new Roster();
  roster.reset(list(1, "a"));
  const { joined, left } = roster.change({ joined: [user("b")], left: [user("a")], revision: 3 });
  assert.deepEqual([sessions(joined), sessions(left)], [["b"], ["a"]]);
  assert.deepEqual(sessions(roster.users), ["b"]);
});

test("a change that the list has already changes nothing", () => {
  const roster = new Roster();
  roster.reset(list(7, "a"));
  assert.deepEqual(roster.change({ joined: [], left: [user("a")], revision: 7 }), { joined: [], left: [] });
  assert.ok(roster.has("a"));
});

test("whoever left and came back is here, and is told of as neither", () => {
  const roster = new Roster();
  roster.reset(list(1, "a"));
  const back = { joined: [user("a")], left: [user("a")], revision: 3 };
  assert.deepEqual(roster.change(back), { joined: [], left: [] });
  assert.ok(roster.has("a"));
});

test("a list that is not whole is filled by pages", () => {
  const roster = new Roster();
  roster.reset({ ...list(4, "a"), users_total: 3 });
  assert.equal(roster.isComplete, false);
  roster.fill([user("a"), user("b")], 4);
  roster.fill([user("c")], 4);
  roster.filled();
  assert.deepEqual([roster.size, roster.isComplete], [3, true]);
});

test("an older page does not bring back who has left since", () => {
  const roster = new Roster();
  roster.reset({ ...list(4, "a"), users_total: 3 });
  roster.change({ joined: [], left: [user("b")], revision: 6 });
  roster.fill([user("b"), user("c")], 5);
  assert.deepEqual(sessions(roster.users), ["a", "c"]);
});

test("a newer page brings back who has returned", () => {
  const roster = new Roster();
  roster.reset({ ...list(4, "a"), users_total: 3 });
  roster.change({ joined: [], left: [user("b")], revision: 6 });
  roster.fill([user("b")], 8);
  assert.ok(roster.has("b"));
});

test("nobody is said to have left where the list was or is not whole", () => {
  const roster = new Roster();
  roster.reset(list(1, "a", "b"));
  assert.deepEqual(roster.reset({ ...list(2, "a"), users_total: 2 }), { joined: [], left: [] });
  assert.deepEqual(roster.reset(list(3, "c")), { joined: [], left: [] });
});

test("names that objects have are sessions like others", () => {
  const roster = new Roster();
  roster.reset(list(1, "__proto__", "constructor"));
  assert.equal(roster.name("__proto__"), "__PROTO__");
  assert.equal(roster.has("toString"), false);
});
