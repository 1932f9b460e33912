// All that was said, each message once and in the order of the ids, by conversation.

/** The key of what is said to all. Private conversations have the other's session as theirs. */
export const EVERYBODY = "everybody";

/** How many messages are kept here. Older ones are fetched again when somebody scrolls back to them. */
const MOST = 10_000;
const TRIM_AT_ONCE = 1000;

const byPlace = (one, other) => one.place - other.place;

export class Timeline {
  #self;
  #most;
  #messages = new Map();
  #entries = new Map();
  #notes = 0;
  /** The newest message that came in order, which is where to go on after a reconnect. */
  position = undefined;
  /** Messages before this one have not been fetched. */
  oldest = 1;
  hasEarlier = false;

  constructor(self, most = MOST) {
    this.#self = self;
    this.#most = most;
  }

  /** Begins behind this message: what came before is to be fetched, and what was here is another log's, or has a hole in it. */
  reset(lastId) {
    this.#messages.clear();
    this.#entries.clear();
    this.position = lastId;
    this.oldest = lastId + 1;
    this.hasEarlier = lastId > 0;
  }

  get size() {
    return this.#messages.size;
  }

  /** Which conversation a message belongs to. */
  keyOf(message) {
    if (message.to_session === undefined) return EVERYBODY;
    return message.sender_session === this.#self ? message.to_session : message.sender_session;
  }

  /** Entries of a conversation in their order: messages, and notes between them. */
  entries(key) {
    return this.#entries.get(key) ?? [];
  }

  get keys() {
    return [...this.#entries.keys()];
  }

  /** Takes a message; whether it was unknown. What the server says of it counts more than what is known of it already. */
  add(message) {
    const key = this.keyOf(message);
    const entry = { kind: "message", place: message.id, message };
    const known = this.#messages.get(message.id);
    this.#messages.set(message.id, message);
    if (known) this.#replace(key, entry);
    else insert(this.#of(key), entry);
    return !known;
  }

  /** The same for one that came in its turn. */
  arrive(message) {
    this.position = Math.max(this.position ?? 0, message.id);
    return this.add(message);
  }

  /** Takes a page of what came before `oldest`. */
  addEarlier(messages, hasMore) {
    for (const message of messages) this.add(message);
    if (messages.length > 0) this.oldest = Math.min(this.oldest, messages[0].id);
    this.hasEarlier = hasMore;
  }

  /** Who came and who left, between what was said. What follows without a message in between is one note. */
  note({ joined, left }, time) {
    if (joined.length + left.length === 0) return;
    const entries = this.#of(EVERYBODY);
    const last = entries.at(-1);
    const names = (users) => users.map((user) => user.pseudonym);
    if (last?.kind === "note") {
      last.joined = [...last.joined, ...names(joined)];
      last.left = [...last.left, ...names(left)];
      last.time = time;
      return;
    }
    this.#notes += 1;
    const place = (last?.place ?? this.position ?? 0) + 0.5;
    entries.push({ kind: "note", id: this.#notes, place, time, joined: names(joined), left: names(left) });
  }

  /** Forgets the oldest where there are too many. */
  trim() {
    if (this.#messages.size < this.#most + TRIM_AT_ONCE) return;
    const ids = [...this.#messages.keys()].sort((one, other) => one - other);
    const first = ids[ids.length - this.#most];
    for (const id of ids.slice(0, -this.#most)) this.#messages.delete(id);
    for (const entries of this.#entries.values()) entries.splice(0, placeOf(entries, first));
    this.oldest = first;
    this.hasEarlier = true;
  }

  #of(key) {
    if (!this.#entries.has(key)) this.#entries.set(key, []);
    return this.#entries.get(key);
  }

  #replace(key, entry) {
    const entries = this.#of(key);
    entries[placeOf(entries, entry.place)] = entry;
  }
}

/** Where the first entry is that is not before this place. */
export function placeOf(entries, place) {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle].place < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insert(entries, entry) {
  if (entries.length === 0 || byPlace(entries.at(-1), entry) < 0) entries.push(entry);
  else entries.splice(placeOf(entries, entry.place), 0, entry);
}
