// Whether one is connected, in words.

import { find, say } from "./dom.js";

const WORDS = { connecting: "Connecting…", connected: "Connected", reconnecting: "Reconnecting…" };
const NOTICE_MS = 8000;

export class Status {
  #announcer;
  #state;
  #timer;

  constructor(announcer) {
    this.#announcer = announcer;
  }

  show(state) {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    find("status").dataset.state = state;
    say(find("status-words"), WORDS[state]);
    find("away").hidden = state !== "reconnecting";
    if (before === "connected") this.#announcer.announce("The connection is lost. Reconnecting.");
    if (before === "reconnecting" && state === "connected") this.#announcer.announce("Connected again.");
  }

  /** Something to know, for a while. */
  notice(sentence) {
    say(find("notice"), sentence);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => say(find("notice"), ""), NOTICE_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    say(find("notice"), "");
  }
}
