// What was written and is not acknowledged yet. A post keeps its `client_id` however often it is sent, so that it is stored once.

export class Outbox {
  #posts;
  #changed;

  /** `changed` is given all posts, to be kept for when the page is loaded again. */
  constructor(kept = [], changed = () => {}) {
    this.#posts = kept.map((post) => (post.state === "refused" ? post : { ...post, state: "waiting" }));
    this.#changed = changed;
  }

  get posts() {
    return [...this.#posts];
  }

  add(post) {
    this.#posts.push({ ...post, state: "waiting" });
    this.#changed(this.posts);
  }

  /** Takes the next post that is to be sent: one at a time, so that they are stored in the order they were written. */
  take() {
    if (this.#posts.some((post) => post.state === "sending")) return undefined;
    const next = this.#posts.find((post) => post.state === "waiting");
    if (next) this.#set(next.clientId, { state: "sending" });
    return next;
  }

  /** Nobody knows what came of it: it is sent again. */
  putBack(clientId) {
    this.#set(clientId, { state: "waiting" });
  }

  /** It is stored. Answers with the post, unless that was known. */
  settle(clientId) {
    const post = this.#posts.find((post) => post.clientId === clientId);
    if (!post) return undefined;
    this.#posts = this.#posts.filter((other) => other !== post);
    this.#changed(this.posts);
    return post;
  }

  refuse(clientId, reason) {
    this.#set(clientId, { state: "refused", reason });
  }

  #set(clientId, change) {
    this.#posts = this.#posts.map((post) => (post.clientId === clientId ? { ...post, ...change } : post));
    this.#changed(this.posts);
  }
}

/** 128 random bits. `crypto.randomUUID` is only there where the page came over TLS or from this machine. */
export function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
