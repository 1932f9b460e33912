import assert from "node:assert/strict";
import { test } from "node:test";
import { newClientId, Outbox } from "../client/outbox.js";

const post = (clientId) => ({ clientId, content: clientId });
const ids = (outbox) => outbox.posts.map(({ clientId }) => clientId);

test("posts are taken one at a time, in the order they were written", () => {
  const outbox = new Outbox();
  for (const id of ["a", "b"]) outbox.add(post(id));
  assert.equal(outbox.take().clientId, "a");
  assert.equal(outbox.take(), undefined);
  outbox.settle("a");
  assert.equal(outbox.take().clientId, "b");
});

test("what got no answer is sent again before what was written later", () => {
  const outbox = new Outbox();
  for (const id of ["a", "b"]) outbox.add(post(id));
  outbox.take();
  outbox.putBack("a");
  assert.equal(outbox.take().clientId, "a");
});

test("what was refused holds nothing up, and can be tried again", () => {
  const outbox = new Outbox();
  for (const id of ["a", "b"]) outbox.add(post(id));
  outbox.take();
  outbox.refuse("a", "too long");
  assert.equal(outbox.take().clientId, "b");
  outbox.settle("b");
  assert.deepEqual(outbox.posts, [{ ...post("a"), state: "refused", reason: "too long" }]);
  outbox.putBack("a");
  assert.equal(outbox.take().clientId, "a");
});

test("a post is settled once", () => {
  const outbox = new Outbox();
  outbox.add(post("a"));
  assert.equal(outbox.settle("a").content, "a");
  assert.equal(outbox.settle("a"), undefined);
});

test("an answer to what is settled already changes nothing", () => {
  const outbox = new Outbox();
  outbox.add(post("a"));
  outbox.settle("a");
  outbox.putBack("a");
  outbox.refuse("a", "why");
  assert.deepEqual(outbox.posts, []);
});

test("what is kept is told of at each change, and is sent again after it was loaded", () => {
  let kept;
  const outbox = new Outbox([], (posts) => {
    kept = posts;
  });
  for (const id of ["a", "b"]) outbox.add(post(id));
  outbox.take();
  outbox.refuse("a", "why");
  outbox.take();
  const loaded = new Outbox(kept);
  assert.deepEqual(ids(loaded), ["a", "b"]);
  assert.equal(loaded.take().clientId, "b");
});

test("ids differ, and are short enough", () => {
  const ids = new Set(Array.from({ length: 100 }, newClientId));
  assert.equal(ids.size, 100);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});
