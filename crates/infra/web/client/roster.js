// Who is online, as of a revision: what `session` lists, with every change applied that came since (docs/api.md).

export class Roster {
  #users = new Map();
  #revision = 0;
  // Whether everybody is here; else pages of `GET /users` are still to come.
  #complete = false;
  // Who has left since the list was begun, and as of when: an older page must not bring them back.
  #left = new Map();

  get users() {
    return [...this.#users.values()];
  }

  get size() {
    return this.#users.size;
  }

  get isComplete() {
    return this.#complete;
  }

  has(session) {
    return this.#users.has(session);
  }

  name(session) {
    return this.#users.get(session)?.pseudonym;
  }

  /** Takes a new list. Tells who has come and gone since the old one, where both are known in full. */
  reset({ users, users_total: total, revision }) {
    const before = this.#complete ? this.#users : undefined;
    this.#users = new Map(users.map((user) => [user.session, user]));
    this.#revision = revision;
    this.#left.clear();
    this.#complete = users.length >= total;
    if (!before || !this.#complete) return { joined: [], left: [] };
    return { joined: missing(this.#users, before), left: missing(before, this.#users) };
  }

  /** Takes `users_changed`. Tells who is here that was not, and the other way round. */
  change({ joined, left, revision }) {
    if (revision <= this.#revision) return { joined: [], left: [] };
    this.#revision = revision;
    const before = new Map(this.#users);
    for (const user of left) {
      this.#users.delete(user.session);
      if (!this.#complete) this.#left.set(user.session, revision);
    }
    for (const user of joined) {
      this.#users.set(user.session, user);
      this.#left.delete(user.session);
    }
    return {
      joined: joined.filter((user) => !before.has(user.session)),
      left: left.filter((user) => before.has(user.session) && !this.#users.has(user.session)),
    };
  }

  /** Takes a page of `GET /users`, as of its own revision. */
  fill(users, revision) {
    for (const user of users) {
      const leftAt = this.#left.get(user.session);
      if (leftAt === undefined || leftAt < revision) this.#users.set(user.session, user);
    }
  }

  /** After the last page. */
  filled() {
    this.#complete = true;
    this.#left.clear();
  }
}

function missing(from, among) {
  return [...from.values()].filter((user) => !among.has(user.session));
}
