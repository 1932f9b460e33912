// What screen readers say: briefly, and not more than anybody can listen to.

import { find } from "./dom.js";

const GATHER_MS = 500;
const MOST_AT_ONCE = 3;

export class Announcer {
  #waiting = [];
  #timer;
  #region = find("announcements");

  announce(text) {
    this.#waiting.push(text);
    this.#timer ??= setTimeout(() => this.#tell(), GATHER_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#region.textContent = "";
  }

  #tell() {
    this.#timer = undefined;
    const texts = this.#waiting.splice(0);
    const left = texts.length - MOST_AT_ONCE;
    const told = texts.slice(-MOST_AT_ONCE).join(" ");
    this.#region.textContent = left > 0 ? `${left} earlier, and: ${told}` : told;
  }
}
