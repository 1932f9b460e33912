// Where a message is written.

import { EVERYBODY } from "../timeline.js";
import { find, say } from "./dom.js";

const MOST = 4000;
const WARN_FROM = 3600;

export class Composer {
  #form = find("composer");
  #text = find("message");
  #conversation;
  #actions;

  /** `actions`: `send` takes a text, `typing` is called while one is being written. */
  constructor(actions, signal) {
    this.#actions = actions;
    this.#form.addEventListener("submit", (event) => this.#submitted(event), { signal });
    this.#text.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.#text.addEventListener("input", () => this.#written(), { signal });
  }

  /** The draft is kept with its conversation. */
  show(conversation) {
    const { key, name } = conversation;
    const changed = this.#conversation !== conversation;
    this.#conversation = conversation;
    say(find("message-label"), key === EVERYBODY ? "Message to everybody" : `Private message to ${name}`);
    this.#text.placeholder = key === EVERYBODY ? "Write to everybody" : `Write to ${name} alone`;
    if (!changed) return;
    this.#text.value = conversation.draft;
    this.#measure();
  }

  focus() {
    this.#text.focus();
  }

  #pressed(event) {
    // While a character is being composed, Enter belongs to the input method.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #submitted(event) {
    event.preventDefault();
    const text = this.#text.value;
    this.focus();
    if (text.trim() === "") return;
    this.#text.value = "";
    this.#conversation.draft = "";
    this.#measure();
    this.#actions.send(text);
  }

  #written() {
    this.#conversation.draft = this.#text.value;
    this.#measure();
    if (this.#text.value.trim() !== "") this.#actions.typing();
  }

  #measure() {
    const length = [...this.#text.value.trim()].length;
    const counts = length >= WARN_FROM;
    say(
      find("length"),
      counts ? `${length.toLocaleString("en")} of ${MOST.toLocaleString("en")} characters` : "",
    );
    find("length").classList.toggle("over", length > MOST);
    this.#grow();
  }

  /** Where `field-sizing` is not known yet. */
  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
