// On a narrow screen, people and conversations lie over the conversation while they are wanted.

import { find } from "./dom.js";

export class Panel {
  #side = find("side");
  #toggle = find("side-toggle");
  #main = find("conversation");

  constructor(signal) {
    this.#toggle.addEventListener("click", () => (this.isOpen ? this.#dismiss() : this.#open()), { signal });
    find("side-close").addEventListener("click", () => this.#dismiss(), { signal });
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.isOpen && this.#dismiss(), {
      signal,
    });
    const wide = matchMedia("(min-width: 48rem)");
    wide.addEventListener("change", () => this.close(), { signal });
    this.close();
  }

  get isOpen() {
    return this.#side.classList.contains("open");
  }

  close() {
    this.#set(false);
  }

  #open() {
    this.#set(true);
    find("side-close").focus();
  }

  #dismiss() {
    this.close();
    this.#toggle.focus();
  }

  #set(isOpen) {
    this.#side.classList.toggle("open", isOpen);
    this.#toggle.setAttribute("aria-expanded", String(isOpen));
    this.#main.inert = isOpen;
  }
}
