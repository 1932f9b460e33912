// Which conversations are open, what of them has not been read, and what is half written in each.

import { EVERYBODY } from "./timeline.js";

export class Conversations {
  #open = new Map([[EVERYBODY, { key: EVERYBODY, name: "Everybody", unread: 0, draft: "" }]]);
  #closed = new Set();
  active = EVERYBODY;

  get all() {
    return [...this.#open.values()];
  }

  get current() {
    return this.#open.get(this.active);
  }

  get unread() {
    return this.all.reduce((sum, { unread }) => sum + unread, 0);
  }

  get(key) {
    return this.#open.get(key);
  }

  /** Opens a private one, or gives it the name that its other side has now. */
  open(key, name) {
    const known = this.#open.get(key);
    if (known) known.name = name;
    else this.#open.set(key, { key, name, unread: 0, draft: "" });
    this.#closed.delete(key);
  }

  /** The same for one that is found in what was said before, unless it was closed. */
  find(key, name) {
    if (!this.#open.has(key) && !this.#closed.has(key)) this.open(key, name);
  }

  select(key) {
    this.active = key;
    this.read();
  }

  close(key) {
    this.#open.delete(key);
    this.#closed.add(key);
    if (this.active === key) this.select(EVERYBODY);
  }

  hear(key) {
    this.#open.get(key).unread += 1;
  }

  /** What is in sight is read. */
  read() {
    this.current.unread = 0;
  }
}
