// Who is typing. Nobody tells the end of it: it is over when it has not been heard of for a while, or the message is there.

const LASTS_MS = 5000;
const TELL_EVERY_MS = 2000;

export class Typing {
  #heard = new Map();

  hear(conversation, session, name, now) {
    this.#heard.set(`${conversation} ${session}`, { conversation, session, name, until: now + LASTS_MS });
  }

  /** Somebody's message is there, or they have left. */
  forget(session) {
    for (const [key, heard] of this.#heard) if (heard.session === session) this.#heard.delete(key);
  }

  names(conversation, now) {
    for (const [key, { until }] of this.#heard) if (until <= now) this.#heard.delete(key);
    return [...this.#heard.values()]
      .filter((heard) => heard.conversation === conversation)
      .map((heard) => heard.name);
  }
}

/** Says whether it is time to tell the others again that somebody types here. */
export class Telling {
  #told = new Map();

  isDue(conversation, now) {
    if (now - (this.#told.get(conversation) ?? -Infinity) < TELL_EVERY_MS) return false;
    this.#told.set(conversation, now);
    return true;
  }

  /** The message is on its way: the next one is told anew. */
  sent(conversation) {
    this.#told.delete(conversation);
  }
}
